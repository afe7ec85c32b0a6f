import { positive } from "../constraints/support.ts";
import { full, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, type Params } from "./distribution.ts";
import { logGammaDensity } from "./special/gamma-density.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";
import { gammaTail } from "./special/gamma-tail.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { onSupport } from "./special/on-support.ts";

/** log P(X ≤ x) or, with `upper`, log P(X > x), for x > 0: the nearer tail, or what it leaves of 1. */
export function logGammaProbability(x: Tensor, { shape, rate }: Params<"shape" | "rate">, upper: boolean): Tensor {
  const scaled = x.mul(rate);
  const { above, ratio } = gammaTail(shape, scaled);
  const near = logGammaDensity(scaled, shape, full(rate, [], 1)).add(scaled.log()).add(ratio.log()).minimum(-0); // biome-ignore format: the formula
  const rest = log1mExp(near.neg());
  return upper ? where(above, near, rest) : where(above, rest, near);
}

/**
 * A positive number with mean shape / rate: `gamma(2, 0.1)` or `gamma({ shape, rate })`.
 *
 *     log p(x) = a log b − lgamma(a) + (a − 1) log x − b x        x > 0; a: shape, b: rate
 *
 * @param shape  above 0
 * @param rate  above 0, one over the scale; default 1
 */
export const gamma = distribution({
  name: "gamma",
  params: { shape: { support: positive, rank: 0 }, rate: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  logProb: (x, { shape, rate }) => onSupport(x, x.gt(0), 1, (x) => logGammaDensity(x, shape, rate)),
  sample: (key, { shape, rate }, batch) => logGammaDraw(key, shape, batch).exp().div(rate),
  reparameterised: "implicit",
  mean: ({ shape, rate }) => shape.div(rate),
  variance: ({ shape, rate }) => shape.div(rate.square()),
  logCdf: (x, p) => onSupport(x, x.gt(0), 1, (x) => logGammaProbability(x, p, false)),
  logSurvival: (x, p) => where(x.gt(0), logGammaProbability(where(x.gt(0), x, 1), p, true), 0),
});
