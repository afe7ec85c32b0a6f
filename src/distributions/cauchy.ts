import { positive, real } from "../constraints/support.ts";
import { sin, where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { complementaryArctangent } from "./special/arctangent.ts";
import { settled } from "./special/settled.ts";

/** cot x */
const cotangent = (x: Tensor): Tensor => x.cos().div(sin(x));

/** log(½ + arctan(z) / π) */
function logCdf(z: Tensor): Tensor {
  const tail = complementaryArctangent(z.abs()).div(Math.PI);
  return where(z.lt(0), tail.log(), tail.neg().log1p());
}

/**
 * A real number with tails so long that it has neither mean nor variance: `cauchy(0, 2.5)`.
 *
 *     log p(x) = −log(π scale) − log(1 + ((x − location) / scale)²)
 *
 * @param location  real, the median; default 0
 * @param scale  above 0, half the distance between the quartiles; default 1
 */
export const cauchy = distribution({
  name: "cauchy",
  params: { location: { support: real, rank: 0, default: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: () => real,
  logProb: (x, { location, scale }) =>
    x.sub(location).div(scale).square().log1p().neg().sub(settled(scale.log().add(Math.log(Math.PI)))), // biome-ignore format: the formula
  // −cot(πu) is tan(π(u − ½))
  sample: (key, { location, scale }, batch) =>
    location.sub(cotangent(uniform(key, batch, "f64").mul(Math.PI)).mul(scale)),
  reparameterised: "explicit",
  logCdf: (x, { location, scale }) => logCdf(x.sub(location).div(scale)),
  logSurvival: (x, { location, scale }) => logCdf(location.sub(x).div(scale)),
  fromLogCdf: (l, { location, scale }) => location.sub(cotangent(l.exp().mul(Math.PI)).mul(scale)),
  fromLogSurvival: (l, { location, scale }) => cotangent(l.exp().mul(Math.PI)).mul(scale).add(location),
});
