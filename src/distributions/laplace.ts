import { positive, real } from "../constraints/support.ts";
import { sign, where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { settled } from "./special/settled.ts";

/** log P(Z ≤ z) at scale 1: ½ e^z below 0, 1 − ½ e^−z above. */
function logCdf(z: Tensor): Tensor {
  const tail = z.abs().neg().sub(Math.LN2);
  return where(z.lt(0), tail, tail.exp().neg().log1p());
}

/** Its inverse. */
function fromLogCdf(l: Tensor): Tensor {
  const lower = l.le(-Math.LN2);
  const tail = where(lower, l, log1mExp(where(lower, -Math.LN2, l).neg())).add(Math.LN2);
  return where(lower, tail, tail.neg());
}

/**
 * A real number with a peak and exponential tails on both sides: `laplace(0, 1)`. Laplace's approximation is `laplaceApproximation`.
 *
 *     log p(x) = −|x − location| / scale − log 2 scale
 *
 * @param location  real, the median; default 0
 * @param scale  above 0, the mean distance from the median; default 1
 */
export const laplace = distribution({
  name: "laplace",
  params: { location: { support: real, rank: 0, default: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: () => real,
  logProb: (x, { location, scale }) => x.sub(location).abs().div(scale).neg().sub(settled(scale.log().add(Math.LN2))), // biome-ignore format: the formula
  // −sign(v) log(1 − 2|v|), v uniform on (−½, ½)
  sample: (key, { location, scale }, batch) => {
    const v = uniform(key, batch, "f64").sub(0.5);
    return location.sub(sign(v).mul(v.abs().mul(-2).log1p()).mul(scale));
  },
  reparameterised: "explicit",
  mean: ({ location, scale }) => location.add(scale.mul(0)),
  variance: ({ location, scale }) => scale.square().mul(2).add(location.mul(0)),
  logCdf: (x, { location, scale }) => logCdf(x.sub(location).div(scale)),
  logSurvival: (x, { location, scale }) => logCdf(location.sub(x).div(scale)),
  fromLogCdf: (l, { location, scale }) => fromLogCdf(l).mul(scale).add(location),
  fromLogSurvival: (l, { location, scale }) => location.sub(fromLogCdf(l).mul(scale)),
});
