import { circle, positive, real } from "../constraints/support.ts";
import { sin } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { LOG_2PI } from "./normal-cdf.ts";
import { logBesselI0Scaled } from "./special/bessel.ts";
import { settled } from "./special/settled.ts";
import { vonMisesDraw } from "./special/von-mises-draw.ts";

/** The same angle in [−π, π]. */
const wrapped = (x: Tensor): Tensor => x.sub(x.mul(1 / (2 * Math.PI)).add(0.5).floor().mul(2 * Math.PI)); // biome-ignore format: the formula

/**
 * Angles in radians. The density has period 2π; draws lie in [−π, π].
 *
 *     log p(x) = κ (cos(x − location) − 1) − log 2π − log(e^−κ I0(κ))        κ: concentration
 */
export const vonMises = distribution({
  name: "vonMises",
  params: { location: { support: real, rank: 0, default: 0 }, concentration: { support: positive, rank: 0 } },
  support: () => circle,
  // cos d − 1 = −2 sin²(d/2), which keeps its digits where κ is large.
  logProb: (x, { location, concentration }) =>
    sin(x.sub(location).mul(0.5))
      .square()
      .mul(-2)
      .mul(concentration)
      .sub(settled(logBesselI0Scaled(concentration).add(LOG_2PI))),
  sample: (key, { location, concentration }, batch) =>
    wrapped(vonMisesDraw(key, concentration.broadcastTo(batch), batch).add(location)),
  reparameterised: "implicit",
  mean: ({ location, concentration }) => location.add(concentration.mul(0)),
});
