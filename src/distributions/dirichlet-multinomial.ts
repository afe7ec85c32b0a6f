import { counts, countVector, positive } from "../constraints/support.ts";
import { softmax } from "../tensor/functions.ts";
import { column } from "./category-table.ts";
import { drawCounts, onCountVectors } from "./count-vectors.ts";
import { distribution } from "./distribution.ts";
import { boundOf } from "./integers.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";

/**
 * How often each category comes up among `total` draws whose probabilities are Dirichlet: `dirichletMultinomial(10, [1, 1, 2])`.
 *
 *     log P(x) = log total! + lgamma(A) − lgamma(A + total) + Σ (lgamma(x + a) − lgamma(a) − log x!)        A = Σ a
 */
export const dirichletMultinomial = distribution({
  name: "dirichletMultinomial",
  params: { total: { support: counts(), rank: 0 }, concentration: { support: positive, rank: 1 } },
  eventRank: 1,
  eventShape: ({ concentration }) => concentration.shape.slice(-1),
  support: ({ total }) => countVector(boundOf(total)),
  logProb: (x, { total, concentration: a }) => {
    const sum = a.sum(-1);
    const ratio = onCountVectors(x, total, (x) => x.add(a).lgamma().sub(a.lgamma()));
    return ratio.add(sum.lgamma()).sub(sum.add(total).lgamma());
  },
  sample: (key, { total, concentration: a }, batch) => {
    const probs = softmax(logGammaDraw(key.site("probs"), a, [...batch, a.shape.at(-1)!]));
    return drawCounts(key.site("counts"), total, probs, batch);
  },
  mean: ({ total, concentration: a }) => column(total).mul(a.div(column(a.sum(-1)))),
  // total p (1 − p) (total + A) / (1 + A)        p = a / A
  variance: ({ total, concentration: a }) => {
    const sum = column(a.sum(-1));
    const p = a.div(sum);
    return column(total)
      .mul(p)
      .mul(p.neg().add(1))
      .mul(sum.add(column(total)).div(sum.add(1)));
  },
});
