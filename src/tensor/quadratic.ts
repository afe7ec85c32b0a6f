import { rowMomentsNode, rowOps, rowSquaresNode } from "../ops/rows.ts";
import { extendOps } from "../ops/table.ts";
import { customVjp, iota } from "./functions.ts";
import * as linalg from "./linalg.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Squared distances of many rows from some centres, each in a metric of its own: out[n, k] = (x_n − m_k)ᵀ Λ_k (x_n − m_k), shape
 * [rows, centres]. Of the rows nothing is made in between that outgrows the cache, neither here nor in the gradients by centres and
 * metrics; by the rows themselves nothing flows.
 *
 * All is about the mean of the rows, so that data that lie far from 0 lose nothing. With Λ = L Lᵀ a distance is |Lᵀ (x − m)|²: a sum of
 * squares, in which nothing cancels however far centres lie apart. The gradients come from the moments of the rows by the weights g:
 * Λ̄_k = Σ_n g_nk (x_n − m_k)(x_n − m_k)ᵀ.
 *
 * @param x        [rows, d]
 * @param centre   [centres, d]
 * @param metric   [centres, d, d], symmetric positive definite; where one is not, its distances are NaN
 */
export function squaredDistances(x: Tensor, centre: Tensor, metric: Tensor): Tensor {
  extendOps(rowOps);
  const [rows, d] = x.shape as [number, number];
  const k = centre.shape[0]!;
  const middle = x.sum(0).div(rows);
  const about = x.sub(middle);
  const from = centre.sub(middle);
  const lower = linalg.cholesky(metric);
  const side = lower.transpose([1, 0, 2]);
  const shift = lower.mul(from.reshape([k, d, 1])).sum(1);
  const squares = x.of(rowSquaresNode(x.trace, about.node, side.node, shift.node));
  return customVjp(squares, [centre, metric], (g) => {
    const moments = x.of(rowMomentsNode(x.trace, about.node, g.node)).sum(0);
    const weight = moments.narrow(1, 0, 1);
    const first = moments.narrow(1, 1, d);
    const second = mirrored(moments.narrow(1, 1 + d, moments.shape[1]! - 1 - d), d);
    // Σ g (x − m)(x − m)ᵀ = Σ g x xᵀ − s mᵀ − m sᵀ + g m mᵀ with s = Σ g x, all about the middle.
    const rest = first.sub(from.mul(weight));
    const scatter = second.sub(linalg.outer(first, from)).sub(linalg.outer(from, rest));
    return [linalg.matvec(metric, rest).mul(-2), scatter];
  });
}

/** Upper triangles [k, d (d + 1) / 2] as symmetric matrices [k, d, d]. */
function mirrored(x: Tensor, d: number): Tensor {
  const row = iota(x, [d, d], 0, "f64");
  const column = iota(x, [d, d], 1, "f64");
  const [low, high] = [row.minimum(column), row.maximum(column)];
  // Row i begins after those before it: i d − i (i − 1) / 2.
  const at = low
    .mul(d)
    .sub(low.mul(low.sub(1)).mul(0.5))
    .add(high.sub(low));
  return x.transpose([1, 0]).gather(at.cast("u32")).transpose([2, 0, 1]);
}
