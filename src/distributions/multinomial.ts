import type { Shape } from "../base/shape.ts";
import { counts, countVector, real, simplex } from "../constraints/support.ts";
import { and, broadcastTo, concat, eq, softmax, where } from "../tensor/functions.ts";
import { cumsum } from "../tensor/linalg.ts";
import type { Key } from "../tensor/random.ts";
import { scan } from "../tensor/scan.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { drawBinomial, foldProbs } from "./binomial-draw.ts";
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

/** Category by category: each takes a binomial share of what is left. */
function draw(key: Key<Tensor>, total: Tensor, probs: Tensor, batch: Shape): Tensor {
  const count = probs.shape.at(-1)!;
  if (count === 1) return broadcastTo(column(total), [...batch, 1]);
  const tail = cumsum(probs, -1, { reverse: true });
  const share = broadcastTo(where<Tensor>(tail.gt(0), probs.div(tail), 0), [...batch, count]).minimum(1);
  const inFront = [batch.length, ...batch.map((_, axis) => axis)];
  const { carry, ys } = scan(
    { carry: broadcastTo(total, batch), xs: share.narrow(-1, 0, count - 1).transpose(inFront) },
    (left, share, t) => {
      const drawn = drawBinomial(key.fold(t), left, foldProbs(share), batch);
      return { carry: left.sub(drawn), y: drawn };
    },
  );
  const behind = [...batch.map((_, axis) => axis + 1), 0];
  return concat([ys.transpose(behind), column(carry)], -1).stopGradient();
}

const byProbs = distribution({
  name: "multinomial",
  params: { total, probs: { support: simplex, rank: 1 } },
  eventRank: 1,
  eventShape: ({ probs }) => probs.shape.slice(-1),
  support: ({ total }) => countVector(boundOf(total)),
  logProb: (x, { total, probs }) => logProb(x, total, (x) => xlogy(x, probs)),
  sample: (key, { total, probs }, batch) => draw(key, total, probs, batch),
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
  sample: (key, { total, logits }, batch) => draw(key, total, softmax(logits), batch),
  mean: ({ total, logits }) => column(total).mul(softmax(logits)),
  variance: ({ total, logits }) => column(total).mul(softmax(logits)).mul(softmax(logits).neg().add(1)),
});

/** How often each category comes up among `total` draws: `multinomial(10, [0.2, 0.8])` or `multinomial({ total, logits })`. */
export const multinomial = parameterisations(byProbs, byLogits);
