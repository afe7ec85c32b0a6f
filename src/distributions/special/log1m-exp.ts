import { where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * log(1 − e^−a) for a ≥ 0, without cancellation at either end (Mächler 2012, "Accurately computing log(1 −
 * exp(−|a|))").
 */
export function log1mExp(a: Tensor): Tensor {
  const near = a.lt(Math.LN2);
  const small = where(near, a, 1).neg().expm1().neg().log();
  return where(near, small, where(near, 1, a).neg().exp().neg().log1p());
}

/** log(e^a − e^b) for a ≥ b. */
export const logSubExp = (a: Tensor, b: Tensor): Tensor => a.add(log1mExp(a.sub(b)));
