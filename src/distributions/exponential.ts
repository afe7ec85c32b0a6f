import { positive } from "../constraints/support.ts";
import { div } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";

/**
 * A waiting time, or a positive scale: `exponential(0.5)` has mean 2.
 *
 *     log p(x) = log rate − rate x        x ≥ 0
 *
 * @param rate  above 0, one over the mean; default 1
 */
export const exponential = distribution({
  name: "exponential",
  params: { rate: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  holdsZero: true,
  logProb: (x, { rate }) => onSupport(x, x.ge(0), 1, (x) => settled(rate.log()).sub(x.mul(rate))),
  sample: (key, { rate }, batch) => uniform(key, batch, "f64").log().neg().div(rate),
  reparameterised: "explicit",
  mean: ({ rate }) => div<Tensor>(1, rate),
  variance: ({ rate }) => div<Tensor>(1, rate.square()),
  logCdf: (x, { rate }) => onSupport(x, x.gt(0), 1, (x) => log1mExp(x.mul(rate))),
  logSurvival: (x, { rate }) => x.maximum(0).mul(rate).neg(),
  fromLogCdf: (l, { rate }) => log1mExp(l.neg()).neg().div(rate),
  fromLogSurvival: (l, { rate }) => l.neg().div(rate),
});
