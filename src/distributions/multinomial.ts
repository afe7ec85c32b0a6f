import { counts, countVector, real, simplex } from "../constraints/support.ts";
import { and, eq, softmax, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { column } from "./category-table.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { boundOf, xlogy } from "./integers.ts";

const total = { support: counts(), rank: 0 } as const;

/** log total! + Σ (term − log x!), −∞ where x are no counts with this total. */
function logProb(x: Tensor, total: Tensor, term: (x: Tensor) => Tensor): Tensor {
  const whole = x.sub(x.floor()).add(x.neg().maximum(0)).max(-1).eq(0);
  const inside = and<Tensor>(whole, eq<Tensor>(x.sum(-1), total));
  const safe = where<Tensor>(column(inside), x, 0);
  const value = term(safe).sub(safe.add(1).lgamma()).sum(-1).add(total.add(1).lgamma());
  return where<Tensor>(inside, value, Number.NEGATIVE_INFINITY);
}

const byProbs = distribution({
  name: "multinomial",
  params: { total, probs: { support: simplex, rank: 1 } },
  eventRank: 1,
  eventShape: ({ probs }) => probs.shape.slice(-1),
  support: ({ total }) => countVector(boundOf(total)),
  logProb: (x, { total, probs }) => logProb(x, total, (x) => xlogy(x, probs)),
  mean: ({ total, probs }) => column(total).mul(probs),
  variance: ({ total, probs }) => column(total).mul(probs).mul(probs.neg().add(1)),
});

const byLogits = distribution({
  name: "multinomial",
  params: { total, logits: { support: real, rank: 1 } },
  eventRank: 1,
  eventShape: ({ logits }) => logits.shape.slice(-1),
  support: ({ total }) => countVector(boundOf(total)),
  logProb: (x, { total, logits }) => logProb(x, total, (x) => x.mul(logits.sub(column(logits.logsumexp(-1))))),
  mean: ({ total, logits }) => column(total).mul(softmax(logits)),
  variance: ({ total, logits }) => column(total).mul(softmax(logits)).mul(softmax(logits).neg().add(1)),
});

/** How often each category comes up among `total` draws: `multinomial(10, [0.2, 0.8])` or `multinomial({ total, logits })`. */
export const multinomial = parameterisations(byProbs, byLogits);
