import { counts, positive } from "../constraints/support.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { drawBinomial, foldLogits } from "./binomial-draw.ts";
import { distribution } from "./distribution.ts";
import { boundOf, logChoose, onIntegers } from "./integers.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";

/** log B(a, b). */
const logBeta = (a: Tensor, b: Tensor): Tensor => a.lgamma().add(b.lgamma()).sub(a.add(b).lgamma());

/**
 * A binomial whose probability of success is Beta(a, b).
 *
 *     log P(x) = log (total choose x) + log B(x + a, total − x + b) − log B(a, b)
 */
export const betaBinomial = distribution({
  name: "betaBinomial",
  params: {
    total: { support: counts(), rank: 0 },
    a: { support: positive, rank: 0 },
    b: { support: positive, rank: 0 },
  },
  support: ({ total }) => counts(0, boundOf(total)),
  logProb: (x, { total, a, b }) =>
    onIntegers(x, 0, total, (x) => logChoose(total, x).add(logBeta(x.add(a), total.sub(x).add(b))).sub(logBeta(a, b))), // biome-ignore format: the formula
  // The logit of a beta variable is the difference of the logarithms of two gamma variables.
  sample: (key, { total, a, b }, batch) => {
    const logits = logGammaDraw(key.site("a"), a, batch).sub(logGammaDraw(key.site("b"), b, batch));
    return drawBinomial(key.site("count"), total, foldLogits(logits), batch);
  },
  mean: ({ total, a, b }) => total.mul(a).div(a.add(b)),
  // total a b (a + b + total) / ((a + b)² (a + b + 1))
  variance: ({ total, a, b }) => {
    const sum = a.add(b);
    return total.mul(a).mul(b).mul(sum.add(total)).div(sum.square().mul(sum.add(1))); // biome-ignore format: the formula
  },
});
