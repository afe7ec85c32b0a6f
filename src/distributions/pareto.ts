import { above, positive } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import { distribution } from "./distribution.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";

/**
 * A number above a least one with a tail like a power: `pareto(1.5, 10)`.
 *
 *     log p(x) = log a − log m − (a + 1) log(x/m)        x ≥ m; a: shape, m: scale
 *
 * @param shape  above 0, the power of the tail P(X > x) = (m/x)^a
 * @param scale  above 0, the least value; default 1
 */
export const pareto = distribution({
  name: "pareto",
  params: { shape: { support: positive, rank: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: ({ scale }) => above(scale),
  logProb: (x, { shape, scale }) =>
    onSupport(
      x,
      x.ge(scale),
      scale,
      (x) =>
      settled(shape.log().sub(scale.log())).sub(x.div(scale).log().mul(shape.add(1))), // biome-ignore format: the formula
    ),
  sample: (key, { shape, scale }, batch) => uniform(key, batch, "f64").log().div(shape).neg().exp().mul(scale),
  reparameterised: "explicit",
  // a m / (a − 1) for a > 1
  mean: ({ shape, scale }) => {
    const finite = shape.gt(1);
    const safe = where(finite, shape, 2);
    return where(finite, safe.div(safe.sub(1)).mul(scale), Infinity);
  },
  // a m² / ((a − 1)² (a − 2)) for a > 2
  variance: ({ shape, scale }) => {
    const finite = shape.gt(2);
    const safe = where(finite, shape, 3);
    return where(finite, safe.div(safe.sub(1).square().mul(safe.sub(2))).mul(scale.square()), Infinity);
  },
  logCdf: (x, { shape, scale }) =>
    onSupport(x, x.gt(scale), scale.mul(2), (x) => log1mExp(x.div(scale).log().mul(shape))),
  logSurvival: (x, { shape, scale }) => x.div(scale).maximum(1).log().mul(shape).neg(),
  fromLogCdf: (l, { shape, scale }) => log1mExp(l.neg()).neg().div(shape).exp().mul(scale),
  fromLogSurvival: (l, { shape, scale }) => l.neg().div(shape).exp().mul(scale),
});
