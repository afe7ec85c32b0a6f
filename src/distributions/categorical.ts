import { categories, real, simplex } from "../constraints/support.ts";
import { softmax } from "../tensor/functions.ts";
import { drawCategory, entryAt, meanCategory, varianceOfCategory } from "./category-table.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { onIntegers } from "./integers.ts";
import { logProbability } from "./special/log-probability.ts";

// P(x) = probs[x]
const byProbs = distribution({
  name: "categorical",
  params: { probs: { support: simplex, rank: 1 } },
  support: ({ probs }) => categories(probs.shape.at(-1)!),
  logProb: (x, { probs }) => onIntegers(x, 0, probs.shape.at(-1)! - 1, (x) => logProbability(entryAt(probs, x))),
  sample: (key, { probs }, batch) => drawCategory(key, probs, batch),
  mean: ({ probs }) => meanCategory(probs),
  variance: ({ probs }) => varianceOfCategory(probs),
});

// log P(x) = logits[x] − log Σ e^logits
const byLogits = distribution({
  name: "categorical",
  params: { logits: { support: real, rank: 1 } },
  support: ({ logits }) => categories(logits.shape.at(-1)!),
  logProb: (x, { logits }) =>
    onIntegers(x, 0, logits.shape.at(-1)! - 1, (x) => entryAt(logits, x).sub(logits.logsumexp(-1))), // biome-ignore format: the formula
  sample: (key, { logits }, batch) => drawCategory(key, softmax(logits), batch),
  mean: ({ logits }) => meanCategory(softmax(logits)),
  variance: ({ logits }) => varianceOfCategory(softmax(logits)),
});

/**
 * One of the categories 0, 1, …: `categorical([0.2, 0.8])` or `categorical({ logits })`. Mean and variance are those of the
 * category's number.
 */
export const categorical = parameterisations(byProbs, byLogits);
