import { interval, real } from "../constraints/support.ts";
import { and, where } from "../tensor/functions.ts";
import { uniform as standardUniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, type Params } from "./distribution.ts";
import { settled } from "./special/settled.ts";

type Ends = Params<"low" | "high">;

const width = ({ low, high }: Ends): Tensor => high.sub(low);
/** The share of the interval that lies between `from` and `to`, from 0 to 1. */
const logShare = (from: Tensor, to: Tensor, ends: Ends): Tensor =>
  to.sub(from).div(width(ends)).maximum(0).minimum(1).log();

/**
 * A real number between two ends, its density the same everywhere: `uniform(0, 10)`.
 *
 *     log p(x) = −log(high − low)        low ≤ x ≤ high
 *
 * @param low  real; default 0
 * @param high  real, above `low`; default 1
 */
export const uniform = distribution({
  name: "uniform",
  params: { low: { support: real, rank: 0, default: 0 }, high: { support: real, rank: 0, default: 1 } },
  check: ({ low, high }) =>
    typeof low === "number" && typeof high === "number" && !(low < high)
      ? `low is ${low} and high ${high}, but low must be below high`
      : null,
  support: ({ low, high }) => interval(low, high),
  logProb: (x, ends) => {
    const inside = and<Tensor>(x.ge(ends.low), x.le(ends.high));
    return where(inside, settled(width(ends).log()).neg(), -Infinity);
  },
  sample: (key, ends, batch) => standardUniform(key, batch, "f64").mul(width(ends)).add(ends.low),
  reparameterised: "explicit",
  mean: ({ low, high }) => low.add(high).mul(0.5),
  variance: (ends) => width(ends).square().div(12),
  logCdf: (x, ends) => logShare(ends.low, x, ends),
  logSurvival: (x, ends) => logShare(x, ends.high, ends),
  fromLogCdf: (l, ends) => l.exp().mul(width(ends)).add(ends.low),
  fromLogSurvival: (l, ends) => ends.high.sub(l.exp().mul(width(ends))),
});
