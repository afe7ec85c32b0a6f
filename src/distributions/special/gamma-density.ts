import type { CustomRule } from "../../ops/vocabulary.ts";
import { where } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { LOG_2PI } from "../normal-cdf.ts";
import { log1pMinus } from "./log1p-minus.ts";
import { settled } from "./settled.ts";
import { stirlingError } from "./stirling.ts";

/** Up to here a constant shape makes terms so small that their cancelling costs less than 1e-12. */
const SMALL_SHAPE = 1e3;

/** Whether a parameter is one number, known now and of moderate size. */
export const isModerate = ({ node }: Tensor): boolean =>
  node.op === "const" && (node.attrs.value as number) <= SMALL_SHAPE;

/** Gradients by the plain formula, which cancels in none of them. */
const slopes: CustomRule = (trace, cotangent, _y, nodes) => {
  const [g, x, a, b] = [cotangent, ...nodes].map((node) => new Tensor(trace, node)) as [Tensor, Tensor, Tensor, Tensor];
  const byX = g.mul(a.sub(1).div(x).sub(b));
  const byShape = g.mul(b.mul(x).log().sub(a.digamma()));
  const byRate = g.mul(a.div(b).sub(x));
  return [byX.node, byShape.node, byRate.node];
};

/**
 * log p(x) = a log b − lgamma(a) + (a − 1) log x − b x of x > 0, for shape a and rate b. Where a is large the terms
 * cancel; there it is, with d = b x / a − 1, −log x + ½ log(a / 2π) − δ(a) + a (log(1 + d) − d) (Loader 2000, "Fast
 * and accurate computation of binomial probabilities").
 */
export function logGammaDensity(x: Tensor, a: Tensor, b: Tensor): Tensor {
  if (isModerate(a)) {
    const constant = settled(a.mul(b.log()).sub(a.lgamma()));
    return x.log().mul(a.sub(1)).sub(x.mul(b)).add(constant);
  }
  const { shape } = x.add(a).add(b);
  const [xs, as, bs] = [x, a, b].map((t) => t.broadcastTo(shape)) as [Tensor, Tensor, Tensor];
  const small = as.lt(10);
  const little = where(small, as, 1);
  const direct = little.mul(bs.log()).sub(little.lgamma()).add(little.sub(1).mul(xs.log())).sub(bs.mul(xs)); // biome-ignore format: the formula
  const large = where(small, 10, as);
  const peak = large.log().sub(LOG_2PI).mul(0.5).sub(stirlingError(large)).sub(xs.log()); // biome-ignore format: the formula
  const saddle = peak.add(log1pMinus(bs.mul(xs).sub(large).div(large)).mul(large)); // biome-ignore format: the formula
  const value = where(small, direct, saddle);
  return x.of(x.trace.customVjp(value.node, [xs.node, as.node, bs.node], slopes));
}
