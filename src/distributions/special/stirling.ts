import { div, where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { LOG_2PI } from "../normal-cdf.ts";
import { polynomial } from "./polynomial.ts";

/** Coefficients of 1/a, 1/a³, … in Stirling's series (DLMF 5.11.1). */
const SERIES = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156]; // biome-ignore format: one series

/**
 * δ(a) = log Γ(a) − (a − ½) log a + a − ½ log 2π for a > 0, which is 1 / (12 a) for large a: what is left when the
 * rest cancels.
 */
export function stirlingError(a: Tensor): Tensor {
  const small = a.lt(10);
  const b = where(small, 10, a);
  const inverse = div<Tensor>(1, b);
  const series = polynomial(SERIES, inverse.square()).mul(inverse);
  const c = where(small, a, 1);
  const direct = c.lgamma().sub(c.sub(0.5).mul(c.log())).add(c).sub(0.5 * LOG_2PI); // biome-ignore format: the formula
  return where(small, direct, series);
}

/** Coefficients of 1/b, 1/b³, … in log Γ(b + ½) − log Γ(b) − ½ log b. */
const HALF_STEP = [-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432, 691 / 180224, -5461 / 425984];
const SHIFT = 10;

/**
 * log Γ(a + ½) − log Γ(a) − ½ log a for a > 0, which is −1 / (8a) for large a, without two large logarithms: a is
 * shifted up by Γ(a + 1) = a Γ(a) to where the series holds.
 */
export function logGammaHalfStep(given: Tensor): Tensor {
  const a = given.minimum(1e15);
  let ratio = a.add(SHIFT).div(a).sqrt();
  for (let k = 0; k < SHIFT; k++) ratio = ratio.mul(a.add(k).div(a.add(k + 0.5)));
  const inverse = div<Tensor>(1, a.add(SHIFT));
  return ratio.log().add(polynomial(HALF_STEP, inverse.square()).mul(inverse));
}
