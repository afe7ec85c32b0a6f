import { positive } from "../constraints/support.ts";
import { full } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, type Params } from "./distribution.ts";
import { gamma } from "./gamma.ts";
import { settled } from "./special/settled.ts";

/** Gamma(nu / 2, 1 / 2) */
const asGamma = ({ nu }: Params<"nu">) => {
  const shape = settled(nu.mul(0.5));
  return { shape, rate: full(nu, [], 0.5) };
};

/**
 * The sum of ν squared standard normals: `chiSquared(3)`.
 *
 *     log p(x) = (ν/2 − 1) log x − x/2 − ν/2 log 2 − lgamma(ν/2)        x > 0
 *
 * @param nu  degrees of freedom ν, above 0, which is the mean as well
 */
export const chiSquared = distribution({
  name: "chiSquared",
  params: { nu: { support: positive, rank: 0 } },
  support: () => positive,
  logProb: (x, p) => gamma.logProb(x, asGamma(p)),
  sample: (key, p, batch) => gamma.sample!(key, asGamma(p), batch),
  reparameterised: "implicit",
  mean: ({ nu }): Tensor => nu,
  variance: ({ nu }) => nu.mul(2),
  logCdf: (x, p) => gamma.logCdf!(x, asGamma(p)),
  logSurvival: (x, p) => gamma.logSurvival!(x, asGamma(p)),
});
