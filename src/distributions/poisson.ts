import { counts, positive, real } from "../constraints/support.ts";
import { full, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { logGammaProbability } from "./gamma.ts";
import { onIntegers, xlogy } from "./integers.ts";
import { drawPoisson } from "./poisson-draw.ts";

/** log P(X ≤ x) = log P(G > rate) with G from Gamma(⌊x⌋ + 1, 1): the waiting time for one event more. */
function waiting(x: Tensor, rate: Tensor, longer: boolean): Tensor {
  const shape = x.floor().maximum(0).add(1);
  return logGammaProbability(rate, { shape, rate: full(rate, [], 1) }, longer);
}
const logBelow = (x: Tensor, rate: Tensor): Tensor => where<Tensor>(x.ge(0), waiting(x, rate, true), Number.NEGATIVE_INFINITY); // biome-ignore format: short
const logAbove = (x: Tensor, rate: Tensor): Tensor => where<Tensor>(x.ge(0), waiting(x, rate, false), 0);

// log P(x) = x log rate − rate − log x!
const byRate = distribution({
  name: "poisson",
  params: { rate: { support: positive, rank: 0 } },
  support: () => counts(),
  logProb: (x, { rate }) => onIntegers(x, 0, null, (x) => xlogy(x, rate).sub(rate).sub(x.add(1).lgamma())),
  sample: (key, { rate }, batch) => drawPoisson(key, rate, batch),
  mean: ({ rate }) => rate,
  variance: ({ rate }) => rate,
  logCdf: (x, { rate }) => logBelow(x, rate),
  logSurvival: (x, { rate }) => logAbove(x, rate),
});

// log P(x) = x logRate − e^logRate − log x!
const byLogRate = distribution({
  name: "poisson",
  params: { logRate: { support: real, rank: 0 } },
  support: () => counts(),
  logProb: (x, { logRate }) =>
    onIntegers(x, 0, null, (x) => x.mul(logRate).sub(logRate.exp()).sub(x.add(1).lgamma())), // biome-ignore format: the formula
  sample: (key, { logRate }, batch) => drawPoisson(key, logRate.exp(), batch),
  mean: ({ logRate }) => logRate.exp(),
  variance: ({ logRate }) => logRate.exp(),
  logCdf: (x, { logRate }) => logBelow(x, logRate.exp()),
  logSurvival: (x, { logRate }) => logAbove(x, logRate.exp()),
});

/** Counts of events at a rate: `poisson(4)` or `poisson({ logRate })`. */
export const poisson = parameterisations(byRate, byLogRate);
