import { positive } from "../constraints/support.ts";
import { sin, where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { arctangent, complementaryArctangent } from "./special/arctangent.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";

const tangent = (x: Tensor): Tensor => sin(x).div(x.cos());
const HALF_TURN = Math.PI / 2;

/**
 * The absolute value of a Cauchy: a scale of which little is known, `halfCauchy(5)`.
 *
 *     log p(x) = log 2/π − log scale − log(1 + (x / scale)²)        x ≥ 0
 *
 * @param scale  above 0, the median; default 1
 */
export const halfCauchy = distribution({
  name: "halfCauchy",
  params: { scale: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  holdsZero: true,
  logProb: (x, { scale }) =>
    onSupport(x, x.ge(0), 1, (x) =>
      x
        .div(scale)
        .square()
        .log1p()
        .neg()
        .sub(settled(scale.log().sub(Math.log(2 / Math.PI)))),
    ),
  sample: (key, { scale }, batch) => tangent(uniform(key, batch, "f64").mul(HALF_TURN)).mul(scale),
  reparameterised: "explicit",
  logCdf: (x, { scale }) =>
    onSupport(x, x.gt(0), 1, (x) => {
      const z = x.div(scale);
      const rest = complementaryArctangent(z).div(HALF_TURN);
      return where(z.lt(1), arctangent(z).div(HALF_TURN).log(), rest.neg().log1p());
    }),
  logSurvival: (x, { scale }) => {
    const z = x.maximum(0).div(scale);
    const near = z.lt(1);
    const below = arctangent(where(near, z, 0))
      .div(HALF_TURN)
      .neg()
      .log1p();
    return where(near, below, complementaryArctangent(z).div(HALF_TURN).log());
  },
  fromLogCdf: (l, { scale }) => tangent(l.exp().mul(HALF_TURN)).mul(scale),
  fromLogSurvival: (l, { scale }) => scale.div(tangent(l.exp().mul(HALF_TURN))),
});
