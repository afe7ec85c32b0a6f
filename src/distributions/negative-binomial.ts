import type { Shape } from "../base/shape.ts";
import { counts, positive, real, unitInterval } from "../constraints/support.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { onIntegers, xlog1py } from "./integers.ts";
import { drawPoisson } from "./poisson-draw.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";

/** log (x + r − 1 choose x), r > 0 real. */
const logWays = (x: Tensor, r: Tensor): Tensor => x.add(r).lgamma().sub(r.lgamma()).sub(x.add(1).lgamma()); // biome-ignore format: the formula

/** With l = log mean − log r the probability of a failure is 1 / (1 + e^−l): log P(x) = log ways + x l − (x + r) softplus(l). */
const logProb = (x: Tensor, r: Tensor, l: Tensor): Tensor =>
  onIntegers(x, 0, null, (x) => logWays(x, r).add(x.mul(l)).sub(x.add(r).mul(l.softplus()))); // biome-ignore format: the formula

/** A Poisson whose rate is Gamma(r, 1 / scale). */
const draw = (key: Key<Tensor>, r: Tensor, scale: Tensor, batch: Shape): Tensor =>
  drawPoisson(key.site("count"), logGammaDraw(key.site("rate"), r, batch).exp().mul(scale), batch);

const concentration = { support: positive, rank: 0 } as const;

const byMean = distribution({
  name: "negativeBinomial",
  params: { mean: { support: positive, rank: 0 }, concentration },
  support: () => counts(),
  logProb: (x, { mean, concentration: r }) => logProb(x, r, mean.div(r).log()),
  sample: (key, { mean, concentration: r }, batch) => draw(key, r, mean.div(r), batch),
  mean: ({ mean, concentration }) => mean.add(concentration.mul(0)),
  variance: ({ mean, concentration }) => mean.add(mean.square().div(concentration)),
});

const byLogMean = distribution({
  name: "negativeBinomial",
  params: { logMean: { support: real, rank: 0 }, concentration },
  support: () => counts(),
  logProb: (x, { logMean, concentration: r }) => logProb(x, r, logMean.sub(r.log())),
  sample: (key, { logMean, concentration: r }, batch) => draw(key, r, logMean.exp().div(r), batch),
  mean: ({ logMean, concentration }) => logMean.exp().add(concentration.mul(0)),
  variance: ({ logMean, concentration }) => logMean.exp().add(logMean.mul(2).exp().div(concentration)),
});

// log P(x) = log (x + total − 1 choose x) + total log probs + x log(1 − probs)
const byProbs = distribution({
  name: "negativeBinomial",
  params: { total: { support: positive, rank: 0 }, probs: { support: unitInterval, rank: 0 } },
  support: () => counts(),
  logProb: (x, { total, probs }) =>
    onIntegers(x, 0, null, (x) => logWays(x, total).add(total.mul(probs.log())).add(xlog1py(x, probs.neg()))), // biome-ignore format: the formula
  sample: (key, { total, probs }, batch) => draw(key, total, probs.neg().add(1).div(probs), batch),
  mean: ({ total, probs }) => total.mul(probs.neg().add(1)).div(probs),
  variance: ({ total, probs }) => total.mul(probs.neg().add(1)).div(probs.square()),
});

/**
 * Counts with more variance than a Poisson's, in three parameterisations:
 *
 * - `negativeBinomial(mean, concentration)`: variance mean + mean² / concentration (Stan's neg_binomial_2; R's mu, size).
 *   A Poisson whose rate is Gamma(concentration, concentration / mean); concentration → ∞ gives the Poisson.
 * - `negativeBinomial({ logMean, concentration })`: the same (Stan's neg_binomial_2_log).
 * - `negativeBinomial({ total, probs })`: failures before success number `total`, each a success with probability `probs`
 *   (SciPy's nbinom; R's size, prob). `total` need not be an integer.
 */
export const negativeBinomial = parameterisations(byMean, byLogMean, byProbs);
