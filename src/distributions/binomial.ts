import { counts, real, unitInterval } from "../constraints/support.ts";
import { drawBinomial, foldLogits, foldProbs } from "./binomial-draw.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { boundOf, logChoose, onIntegers, xlog1py, xlogy } from "./integers.ts";

const total = { support: counts(), rank: 0 } as const;

// log P(x) = log (total choose x) + x log probs + (total − x) log(1 − probs)
const byProbs = distribution({
  name: "binomial",
  params: { total, probs: { support: unitInterval, rank: 0 } },
  support: ({ total }) => counts(0, boundOf(total)),
  logProb: (x, { total, probs }) =>
    onIntegers(x, 0, total, (x) => logChoose(total, x).add(xlogy(x, probs)).add(xlog1py(total.sub(x), probs.neg()))), // biome-ignore format: the formula
  sample: (key, { total, probs }, batch) => drawBinomial(key, total, foldProbs(probs), batch),
  mean: ({ total, probs }) => total.mul(probs),
  variance: ({ total, probs }) => total.mul(probs).mul(probs.neg().add(1)),
});

// log P(x) = log (total choose x) + x logits − total · softplus(logits)
const byLogits = distribution({
  name: "binomial",
  params: { total, logits: { support: real, rank: 0 } },
  support: ({ total }) => counts(0, boundOf(total)),
  logProb: (x, { total, logits }) =>
    onIntegers(x, 0, total, (x) => logChoose(total, x).add(x.mul(logits)).sub(total.mul(logits.softplus()))), // biome-ignore format: the formula
  sample: (key, { total, logits }, batch) => drawBinomial(key, total, foldLogits(logits), batch),
  mean: ({ total, logits }) => total.mul(logits.sigmoid()),
  variance: ({ total, logits }) => total.mul(logits.sigmoid()).mul(logits.neg().sigmoid()),
});

/** Successes among `total` trials: `binomial(10, 0.3)` or `binomial({ total, logits })`. */
export const binomial = parameterisations(byProbs, byLogits);
