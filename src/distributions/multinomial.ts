import { counts, countVector, real, simplex } from "../constraints/support.ts";
import { softmax } from "../tensor/functions.ts";
import { column } from "./category-table.ts";
import { drawCounts, onCountVectors } from "./count-vectors.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { boundOf, xlogy } from "./integers.ts";

const total = { support: counts(), rank: 0 } as const;

const byProbs = distribution({
  name: "multinomial",
  params: { total, probs: { support: simplex, rank: 1 } },
  eventRank: 1,
  eventShape: ({ probs }) => probs.shape.slice(-1),
  support: ({ total }) => countVector(boundOf(total)),
  logProb: (x, { total, probs }) => onCountVectors(x, total, (x) => xlogy(x, probs)),
  sample: (key, { total, probs }, batch) => drawCounts(key, total, probs, batch),
  mean: ({ total, probs }) => column(total).mul(probs),
  variance: ({ total, probs }) => column(total).mul(probs).mul(probs.neg().add(1)),
});

const byLogits = distribution({
  name: "multinomial",
  params: { total, logits: { support: real, rank: 1 } },
  eventRank: 1,
  eventShape: ({ logits }) => logits.shape.slice(-1),
  support: ({ total }) => countVector(boundOf(total)),
  logProb: (x, { total, logits }) => onCountVectors(x, total, (x) => x.mul(logits.sub(column(logits.logsumexp(-1))))),
  sample: (key, { total, logits }, batch) => drawCounts(key, total, softmax(logits), batch),
  mean: ({ total, logits }) => column(total).mul(softmax(logits)),
  variance: ({ total, logits }) => column(total).mul(softmax(logits)).mul(softmax(logits).neg().add(1)),
});

/** How often each category comes up among `total` draws: `multinomial(10, [0.2, 0.8])` or `multinomial({ total, logits })`. */
export const multinomial = parameterisations(byProbs, byLogits);
