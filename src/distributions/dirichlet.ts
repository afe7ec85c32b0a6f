import { positive, simplex } from "../constraints/support.ts";
import { and, ge, softmax, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { column } from "./category-table.ts";
import { distribution } from "./distribution.ts";
import { xlogy } from "./integers.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";

/** How far from 1 the sum of probabilities may be. */
const TOLERANCE = 1e-8;

/**
 * Probabilities of shape [count]: `dirichlet([1, 1, 1])` is uniform on the simplex. The density is over all but the last.
 *
 *     log p(x) = lgamma(Σ a) − Σ lgamma(a) + Σ (a − 1) log x        a: concentration
 */
export const dirichlet = distribution({
  name: "dirichlet",
  params: { concentration: { support: positive, rank: 1 } },
  eventRank: 1,
  eventShape: ({ concentration }) => concentration.shape.slice(-1),
  support: () => simplex,
  logProb: (x, { concentration: a }) => {
    const inside = and<Tensor>(x.sum(-1).sub(1).abs().le(TOLERANCE), ge<Tensor>(x.neg().max(-1).neg(), 0));
    const logs = xlogy(a.sub(1), where<Tensor>(column(inside), x, 1)).sum(-1);
    const normaliser = a.sum(-1).lgamma().sub(a.lgamma().sum(-1));
    return where<Tensor>(inside, logs.add(normaliser), Number.NEGATIVE_INFINITY);
  },
  // Gammas over their sum.
  sample: (key, { concentration }, batch) =>
    softmax(logGammaDraw(key, concentration, [...batch, concentration.shape.at(-1)!])),
  reparameterised: "implicit",
  mean: ({ concentration: a }) => a.div(column(a.sum(-1))),
  variance: ({ concentration: a }) => {
    const sum = column(a.sum(-1));
    return a.mul(sum.sub(a)).div(sum.square().mul(sum.add(1)));
  },
});
