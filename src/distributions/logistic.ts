import { positive, real } from "../constraints/support.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { settled } from "./special/settled.ts";

/** log p − log(1 − p) from l = log p */
const logit = (l: Tensor): Tensor => l.sub(log1mExp(l.neg()));

/**
 * A real number, a little longer in the tails than a normal: `logistic(0, 1)` is the logit of a uniform probability.
 *
 *     log p(x) = −z − 2 log(1 + e^−z) − log scale        z = (x − location) / scale
 *
 * @param location  real, the mean; default 0
 * @param scale  above 0, the sd times √3 / π; default 1
 */
export const logistic = distribution({
  name: "logistic",
  params: { location: { support: real, rank: 0, default: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: () => real,
  logProb: (x, { location, scale }) => {
    const z = x.sub(location).div(scale);
    return z.neg().sub(z.neg().softplus().mul(2)).sub(settled(scale.log()));
  },
  sample: (key, { location, scale }, batch) => {
    const u = uniform(key, batch, "f64");
    return u.log().sub(u.neg().log1p()).mul(scale).add(location);
  },
  reparameterised: "explicit",
  mean: ({ location, scale }) => location.add(scale.mul(0)),
  variance: ({ location, scale }) => scale.square().mul(Math.PI ** 2 / 3).add(location.mul(0)), // biome-ignore format: the formula
  logCdf: (x, { location, scale }) => location.sub(x).div(scale).softplus().neg(),
  logSurvival: (x, { location, scale }) => x.sub(location).div(scale).softplus().neg(),
  fromLogCdf: (l, { location, scale }) => logit(l).mul(scale).add(location),
  fromLogSurvival: (l, { location, scale }) => location.sub(logit(l).mul(scale)),
});
