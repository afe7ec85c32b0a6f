import { counts, positive, real } from "../constraints/support.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { onIntegers, xlogy } from "./integers.ts";
import { drawPoisson } from "./poisson-draw.ts";

// log P(x) = x log rate − rate − log x!
const byRate = distribution({
  name: "poisson",
  params: { rate: { support: positive, rank: 0 } },
  support: () => counts(),
  logProb: (x, { rate }) => onIntegers(x, 0, null, (x) => xlogy(x, rate).sub(rate).sub(x.add(1).lgamma())),
  sample: (key, { rate }, batch) => drawPoisson(key, rate, batch),
  mean: ({ rate }) => rate,
  variance: ({ rate }) => rate,
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
});

/** Counts of events at a rate: `poisson(4)` or `poisson({ logRate })`. */
export const poisson = parameterisations(byRate, byLogRate);
