import { where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { polynomial } from "./polynomial.ts";

const NEAR = 0.4;
/** 2 (1/3 + s²/5 + s⁴/7 + …), exact to double precision for s² ≤ 1/16. */
const SERIES = Array.from({ length: 13 }, (_, k) => 2 / (2 * k + 3));

/**
 * log(1 + d) − d for d > −1, exact near 0 too, where it is −d²/2. There log(1 + d) = 2 artanh s with s = d / (2 + d),
 * and 2s − d = −s d.
 */
export function log1pMinus(d: Tensor): Tensor {
  const near = d.abs().lt(NEAR);
  const small = where(near, d, 0);
  const s = small.div(small.add(2));
  const square = s.square();
  const series = polynomial(SERIES, square).mul(square).mul(s).sub(s.mul(small));
  const far = where(near, 1, d);
  return where(near, series, far.log1p().sub(far));
}
