import type { Shape } from "../base/shape.ts";
import { and, broadcastTo, concat, eq, where } from "../tensor/functions.ts";
import { cumsum } from "../tensor/linalg.ts";
import type { Key } from "../tensor/random.ts";
import { scan } from "../tensor/scan.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { drawBinomial, foldProbs } from "./binomial-draw.ts";
import { column } from "./category-table.ts";

/** log total! + Σ (term − log x!), −∞ where x are no counts with this total. */
export function onCountVectors(x: Tensor, total: Tensor, term: (x: Tensor) => Tensor): Tensor {
  const whole = x.sub(x.floor()).add(x.neg().maximum(0)).max(-1).eq(0);
  const inside = and<Tensor>(whole, eq<Tensor>(x.sum(-1), total));
  const safe = where<Tensor>(column(inside), x, 0);
  const value = term(safe).sub(safe.add(1).lgamma()).sum(-1).add(total.add(1).lgamma());
  return where<Tensor>(inside, value, Number.NEGATIVE_INFINITY);
}

/** Category by category: each takes a binomial share of what is left. */
export function drawCounts(key: Key<Tensor>, total: Tensor, probs: Tensor, batch: Shape): Tensor {
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
