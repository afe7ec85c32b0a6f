import { positive } from "../constraints/support.ts";
import { div, where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, type Params } from "./distribution.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";

type WeibullParams = Params<"shape" | "scale">;

/** (x / scale)^shape, by which x is exponential. */
const exposure = (x: Tensor, { shape, scale }: WeibullParams): Tensor => x.div(scale).log().mul(shape).exp();

/** scale e^(1/shape) with the exponential quantity e. */
const unexposed = (e: Tensor, { shape, scale }: WeibullParams): Tensor => e.log().div(shape).exp().mul(scale);

/** log Γ(1 + k / shape) */
const logMoment = ({ shape }: WeibullParams, k: number): Tensor => div<Tensor>(k, shape).add(1).lgamma(); // biome-ignore format: short

/**
 * A lifetime whose hazard grows (k > 1) or falls (k < 1) with age: `weibull(1.5, 10)`.
 *
 *     log p(x) = log k − log λ + (k − 1) log(x/λ) − (x/λ)^k        x > 0; k: shape, λ: scale
 *
 * @param shape  above 0
 * @param scale  above 0, the age that e^−1 = 37 % reach; default 1
 */
export const weibull = distribution({
  name: "weibull",
  params: { shape: { support: positive, rank: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  logProb: (x, { shape, scale }) =>
    onSupport(x, x.gt(0), 1, (x) => {
      const log = x.div(scale).log();
      return log.mul(shape.sub(1)).sub(log.mul(shape).exp()).add(settled(shape.log().sub(scale.log()))); // biome-ignore format: the formula
    }),
  sample: (key, p, batch) => unexposed(uniform(key, batch, "f64").log().neg(), p),
  reparameterised: "explicit",
  mean: (p) => logMoment(p, 1).exp().mul(p.scale),
  // λ² (Γ(1 + 2/k) − Γ(1 + 1/k)²), by the difference of the logarithms
  variance: (p) => {
    const square = logMoment(p, 1).mul(2);
    return logMoment(p, 2).sub(square).expm1().mul(square.exp()).mul(p.scale.square()); // biome-ignore format: the formula
  },
  logCdf: (x, p) => onSupport(x, x.gt(0), 1, (x) => log1mExp(exposure(x, p))),
  logSurvival: (x, p) => where(x.gt(0), exposure(where(x.gt(0), x, 1), p).neg(), 0),
  fromLogCdf: (l, p) => unexposed(log1mExp(l.neg()).neg(), p),
  fromLogSurvival: (l, p) => unexposed(l.neg(), p),
});
