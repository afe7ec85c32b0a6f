import type { Bound } from "../constraints/support.ts";
import { and, full, ge, le, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * x · logy where y may be 0, told by `zero`: −∞ for x > 0, +∞ for x < 0, and 0 for x = 0, all with gradient 0 instead of NaN. The
 * logarithm is taken on y's own shape, once for many x.
 */
function timesLog(x: Tensor, zero: Tensor, logOf: (zero: Tensor) => Tensor): Tensor {
  const infinite = where<Tensor>(x.gt(0), Number.NEGATIVE_INFINITY, full(x, x.shape, Number.POSITIVE_INFINITY));
  return where<Tensor>(and<Tensor>(zero, x.ne(0)), infinite, x.mul(logOf(zero)));
}

/** x · log y with 0 · log 0 = 0. */
export const xlogy = (x: Tensor, y: Tensor): Tensor => timesLog(x, y.eq(0), (zero) => where<Tensor>(zero, 1, y).log());

/** x · log(1 + y) with 0 · log 0 = 0. */
export const xlog1py = (x: Tensor, y: Tensor): Tensor =>
  timesLog(x, y.eq(-1), (zero) => where<Tensor>(zero, 0, y).log1p());

/** Where x is an integer from `low` to `high`; false for NaN and infinity. */
function isInteger(x: Tensor, low: number, high: Tensor | number | null): Tensor {
  const whole = and<Tensor>(x.sub(x.floor()).eq(0), ge<Tensor>(x, low));
  return high === null ? whole : and<Tensor>(whole, le<Tensor>(x, high));
}

/**
 * A log probability on the integers from `low` to `high`, −∞ elsewhere. The formula is given `low` in place of what lies outside,
 * so that neither its values nor its gradients there are NaN.
 */
export function onIntegers(
  x: Tensor,
  low: number,
  high: Tensor | number | null,
  logProb: (x: Tensor) => Tensor,
): Tensor {
  const inside = isInteger(x, low, high);
  return where<Tensor>(inside, logProb(where<Tensor>(inside, x, low)), Number.NEGATIVE_INFINITY);
}

/** log (n choose k). */
export const logChoose = (n: Tensor, k: Tensor): Tensor =>
  n.add(1).lgamma().sub(k.add(1).lgamma()).sub(n.sub(k).add(1).lgamma()); // biome-ignore format: the formula

/** A parameter as the end of a support: its number where it is one of the model's constants, so that the support is known to be finite. */
export const boundOf = (x: Tensor): Bound => (x.node.op === "const" ? (x.node.attrs.value as number) : x);
