import { positive, simplex } from "../constraints/support.ts";
import { and, ge, softmax, where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { column } from "./category-table.ts";
import { distribution } from "./distribution.ts";
import { gamma } from "./gamma.ts";
import { xlogy } from "./integers.ts";

/** How far from 1 the sum of probabilities may be. */
const TOLERANCE = 1e-8;

// log p(x) = lgamma(Σ a) − Σ lgamma(a) + Σ (a − 1) log x        a: concentration
/** Probabilities of shape [count]: `dirichlet([1, 1, 1])` is uniform on the simplex. The density is over all but the last. */
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
  // Gammas over their sum. With log G(a) = log G(a + 1) + log(u) / a nothing underflows where a is small (Stuart 1962).
  sample: (key, { concentration: a }, batch) => {
    const shape = [...batch, a.shape.at(-1)!];
    const greater = gamma.sample!(key.site("gamma"), { shape: a.add(1), rate: a.mul(0).add(1) }, shape);
    return softmax(greater.log().add(uniform(key.site("power"), shape, "f64").log().div(a)));
  },
  reparameterised: "implicit",
  mean: ({ concentration: a }) => a.div(column(a.sum(-1))),
  variance: ({ concentration: a }) => {
    const sum = column(a.sum(-1));
    return a.mul(sum.sub(a)).div(sum.square().mul(sum.add(1)));
  },
});
