/** Where a density is positive. `binary` is {0, 1}, `unitInterval` is [0, 1], `categories` are 0, 1, …, count − 1. */
export type Support =
  | { readonly kind: "binary" }
  | { readonly kind: "unitInterval" }
  | { readonly kind: "real" }
  | { readonly kind: "categories"; readonly count: number };

export const binary: Support = { kind: "binary" };
export const unitInterval: Support = { kind: "unitInterval" };
export const real: Support = { kind: "real" };
export const categories = (count: number): Support => ({ kind: "categories", count });
