import type { Tensor } from "../tensor/tensor.ts";

/**
 * Supports that observed data are checked for. `binary` is {0, 1}, `unitInterval` is [0, 1], `categories` are 0, 1, …,
 * count − 1.
 */
export type ObservedSupport =
  | { readonly kind: "binary" }
  | { readonly kind: "unitInterval" }
  | { readonly kind: "real" }
  | { readonly kind: "categories"; readonly count: number };

/** An end of an interval: a number, or a scalar of the model that may depend on other sites. */
export type Bound = number | Tensor;

/**
 * Where a density is positive, for one event. Vectors and matrices: `simplex` sums to one, `ordered` increases
 * strictly, `correlationCholesky` and `cholesky` are lower triangular with positive diagonals (the rows of the first
 * have length one), `positiveDefinite` is symmetric, `circle` is (−π, π] with its ends joined.
 */
export type Support =
  | ObservedSupport
  | { readonly kind: "positive" }
  | { readonly kind: "interval"; readonly low: Bound; readonly high: Bound }
  | { readonly kind: "above"; readonly low: Bound }
  | { readonly kind: "below"; readonly high: Bound }
  | { readonly kind: "circle" }
  | { readonly kind: "counts"; readonly low: number; readonly high: Bound | null }
  | { readonly kind: "countVector"; readonly total: Bound }
  | { readonly kind: "simplex" }
  | { readonly kind: "ordered" }
  | { readonly kind: "positiveOrdered" }
  | { readonly kind: "cholesky" }
  | { readonly kind: "correlationCholesky" }
  | { readonly kind: "positiveDefinite" };

/** What kind of set a support is. */
export type SupportKind = Support["kind"];

/** {0, 1}. */
export const binary: ObservedSupport = { kind: "binary" };
/** [0, 1]. */
export const unitInterval: ObservedSupport = { kind: "unitInterval" };
/** All real numbers. */
export const real: ObservedSupport = { kind: "real" };
/** 0, 1, …, count − 1. */
export const categories = (count: number): ObservedSupport => ({ kind: "categories", count });
/** (0, ∞). */
export const positive: Support = { kind: "positive" };
/** (low, high). */
export const interval = (low: Bound, high: Bound): Support => ({ kind: "interval", low, high });
/** (low, ∞). */
export const above = (low: Bound): Support => ({ kind: "above", low });
/** (−∞, high). */
export const below = (high: Bound): Support => ({ kind: "below", high });
/** Angles in (−π, π], the ends joined. */
export const circle: Support = { kind: "circle" };
/** Integers from `low` to `high`, without end where `high` is null. */
export const counts = (low = 0, high: Bound | null = null): Support => ({ kind: "counts", low, high });
/** Vectors of counts with a given sum. */
export const countVector = (total: Bound): Support => ({ kind: "countVector", total });
/** Vectors of positive numbers that sum to 1. */
export const simplex: Support = { kind: "simplex" };
/** Vectors that increase strictly. */
export const ordered: Support = { kind: "ordered" };
/** Vectors of positive numbers that increase strictly. */
export const positiveOrdered: Support = { kind: "positiveOrdered" };
/** Lower triangular matrices with a positive diagonal. */
export const cholesky: Support = { kind: "cholesky" };
/** Lower triangular matrices with a positive diagonal and rows of length 1: factors of correlation matrices. */
export const correlationCholesky: Support = { kind: "correlationCholesky" };
/** Symmetric positive definite matrices. */
export const positiveDefinite: Support = { kind: "positiveDefinite" };

/** Supports whose values are integers: nothing can be differentiated by them. */
export const isDiscrete = ({ kind }: Support): boolean =>
  kind === "binary" || kind === "categories" || kind === "counts" || kind === "countVector";
