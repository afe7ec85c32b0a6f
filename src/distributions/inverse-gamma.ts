import { positive } from "../constraints/support.ts";
import { div, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { logGammaProbability } from "./gamma.ts";
import { isModerate, logGammaDensity } from "./special/gamma-density.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";

const inverse = (x: Tensor): Tensor => div<Tensor>(1, x);

/**
 * One over a gamma quantity with that shape and rate b, as the variance of a normal: `inverseGamma(3, 2)` has mean b / (a − 1) = 1.
 *
 *     log p(x) = a log b − lgamma(a) − (a + 1) log x − b / x        x > 0; a: shape, b: scale
 *
 * @param shape  above 0
 * @param scale  above 0; default 1
 */
export const inverseGamma = distribution({
  name: "inverseGamma",
  params: { shape: { support: positive, rank: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  logProb: (x, { shape, scale }) =>
    onSupport(x, x.gt(0), 1, (x) => {
      if (!isModerate(shape)) return logGammaDensity(inverse(x), shape, scale).sub(x.log().mul(2));
      const constant = settled(shape.mul(scale.log()).sub(shape.lgamma()));
      return constant.sub(x.log().mul(shape.add(1))).sub(scale.div(x));
    }),
  sample: (key, { shape, scale }, batch) => logGammaDraw(key, shape, batch).neg().exp().mul(scale),
  reparameterised: "implicit",
  // b / (a − 1) for a > 1
  mean: ({ shape, scale }) => {
    const finite = shape.gt(1);
    return where(finite, scale.div(where(finite, shape, 2).sub(1)), Infinity);
  },
  // b² / ((a − 1)² (a − 2)) for a > 2
  variance: ({ shape, scale }) => {
    const finite = shape.gt(2);
    const safe = where(finite, shape, 3);
    return where(finite, scale.square().div(safe.sub(1).square().mul(safe.sub(2))), Infinity);
  },
  logCdf: (x, { shape, scale }) =>
    onSupport(x, x.gt(0), 1, (x) => logGammaProbability(inverse(x), { shape, rate: scale }, true)),
  logSurvival: (x, { shape, scale }) => {
    const inside = x.gt(0);
    return where(inside, logGammaProbability(inverse(where(inside, x, 1)), { shape, rate: scale }, false), 0);
  },
});
