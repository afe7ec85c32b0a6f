import type { CustomRule } from "../../ops/vocabulary.ts";
import { where } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { LOG_2PI } from "../normal-cdf.ts";
import { isModerate } from "./gamma-density.ts";
import { log1pMinus } from "./log1p-minus.ts";
import { settled } from "./settled.ts";
import { stirlingError } from "./stirling.ts";

const slopes: CustomRule = (trace, cotangent, _y, nodes) => {
  const [g, x, a, b] = [cotangent, ...nodes].map((node) => new Tensor(trace, node)) as [Tensor, Tensor, Tensor, Tensor];
  const rest = x.neg().add(1);
  const both = a.add(b).digamma();
  const byX = a.sub(1).div(x).sub(b.sub(1).div(rest));
  const byA = x.log().sub(a.digamma()).add(both);
  const byB = x.neg().log1p().sub(b.digamma()).add(both);
  return [byX, byA, byB].map((slope) => g.mul(slope).node);
};

/**
 * log p(x) = (a − 1) log x + (b − 1) log(1 − x) − log B(a, b) of 0 < x < 1. Where a + b is large the terms cancel;
 * there, with n = a + b and the relative distances d = x n/a − 1, e = (1 − x) n/b − 1, it is ½ log(ab / 2πn) − δ(a) −
 * δ(b) + δ(n) − log x − log(1 − x) + a (log(1 + d) − d) + b (log(1 + e) − e) (Loader 2000, "Fast and accurate
 * computation of binomial probabilities").
 */
export function logBetaDensity(x: Tensor, a: Tensor, b: Tensor): Tensor {
  const logs = (as: Tensor, bs: Tensor) => x.log().mul(as.sub(1)).add(x.neg().log1p().mul(bs.sub(1))); // biome-ignore format: the formula
  if (isModerate(a) && isModerate(b)) {
    return logs(a, b).add(settled(a.add(b).lgamma().sub(a.lgamma()).sub(b.lgamma())));
  }
  const { shape } = x.add(a).add(b);
  const [xs, as, bs] = [x, a, b].map((t) => t.broadcastTo(shape)) as [Tensor, Tensor, Tensor];
  const n = as.add(bs);
  const errors = stirlingError(n).sub(stirlingError(as)).sub(stirlingError(bs));
  const peak = as
    .log()
    .add(bs.log())
    .sub(n.log())
    .sub(LOG_2PI)
    .mul(0.5)
    .add(errors)
    .sub(xs.log())
    .sub(xs.neg().log1p());
  const off = xs.sub(as.div(n)); // x − a/n
  const excess = (share: Tensor, distance: Tensor): Tensor => {
    // Where the share is much smaller than the distance, log(1 + d) − d is large, and so is what it is taken from.
    return log1pMinus(distance.mul(n).div(share)).mul(share);
  };
  const large = peak.add(excess(as, off)).add(excess(bs, off.neg()));
  const value = where(n.lt(10), plain(xs, as, bs), large);
  return x.of(x.trace.customVjp(value.node, [xs.node, as.node, bs.node], slopes));
}

const plain = (x: Tensor, a: Tensor, b: Tensor): Tensor =>
  x.log().mul(a.sub(1)).add(x.neg().log1p().mul(b.sub(1))).add(a.add(b).lgamma()).sub(a.lgamma()).sub(b.lgamma()); // biome-ignore format: the formula
