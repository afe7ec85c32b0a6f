import type { Tensor } from "../../tensor/tensor.ts";

/** Σ_k c_k x^k, by Horner's rule. */
export function polynomial(coefficients: readonly number[], x: Tensor): Tensor {
  const [last, ...rest] = [...coefficients].reverse();
  const [second, ...lower] = rest;
  if (second === undefined) return x.mul(0).add(last ?? 0);
  return lower.reduce<Tensor>((sum, c) => sum.mul(x).add(c), x.mul(last!).add(second));
}
