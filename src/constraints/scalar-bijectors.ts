import { full, softplus, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Bijector } from "./bijection.ts";
import type { Bound } from "./support.ts";

const sameShape: Bijector["unconstrainedShape"] = (shape) => shape;

export const identity: Bijector = {
  eventRank: 0,
  unconstrainedShape: sameShape,
  forward: (u) => u,
  inverse: (x) => x,
  logJacobian: (u) => full(u, u.shape, 0),
};

export const exponential: Bijector = {
  eventRank: 0,
  unconstrainedShape: sameShape,
  forward: (u) => u.exp(),
  inverse: (x) => x.log(),
  logJacobian: (u) => u,
};

/** −|u|, whose derivative at 0 is one-sided and not 0. */
const folded = (u: Tensor): Tensor => where(u.gt(0), u.neg(), u);

/** log σ′(u) = −|u| − 2 log(1 + e^−|u|) */
const logSigmoidSlope = (u: Tensor): Tensor => folded(u).sub(softplus(folded(u)).mul(2));

/** The greatest number below 1: where σ(u) rounds to 1, densities that vanish at 1 would become −∞. */
const BELOW_ONE = 1 - 2 ** -53;

export const sigmoid: Bijector = {
  eventRank: 0,
  unconstrainedShape: sameShape,
  forward: (u) => u.sigmoid().minimum(BELOW_ONE),
  inverse: (x) => x.log().sub(x.neg().log1p()),
  logJacobian: logSigmoidSlope,
};

const minus = (a: Bound, b: Bound): Bound => {
  if (typeof a !== "number") return a.sub(b);
  return typeof b === "number" ? a - b : b.neg().add(a);
};
const logOf = (a: Bound): Bound => (typeof a === "number" ? Math.log(a) : a.log());
const least = (x: Tensor, bound: Bound): Tensor => (typeof bound === "number" ? x.add(bound) : bound.add(x));

/** low + (high − low) σ(u), measured from the nearer end, so that numbers next to an end at 0 keep their digits. */
export const scaledSigmoid = (low: Bound, high: Bound): Bijector => ({
  eventRank: 0,
  unconstrainedShape: sameShape,
  forward: (u) => {
    const distance = folded(u).sigmoid().mul(minus(high, low));
    return where(u.gt(0), least(distance.neg(), high), least(distance, low));
  },
  inverse: (x) => x.sub(low).log().sub(least(x.neg(), high).log()),
  logJacobian: (u) => logSigmoidSlope(u).add(logOf(minus(high, low))),
});

export const circle: Bijector = scaledSigmoid(-Math.PI, Math.PI);

/** edge + sign · e^u */
export const halfLine = (edge: Bound, sign: 1 | -1): Bijector => ({
  eventRank: 0,
  unconstrainedShape: sameShape,
  forward: (u) => (sign > 0 ? least(u.exp(), edge) : least(u.exp().neg(), edge)),
  inverse: (x) => (sign > 0 ? x.sub(edge) : least(x.neg(), edge)).log(),
  logJacobian: (u) => u,
});
