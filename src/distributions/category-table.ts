import { broadcastShapes, type Shape, sizeOf } from "../base/shape.ts";
import { broadcastTo, gather, iota, where } from "../tensor/functions.ts";
import { cumsum } from "../tensor/linalg.ts";
import { type Key, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Up to here a sum over all entries, which fuses with what stands around it, is faster than a look-up. */
const FEW = 16;

/** Appends an axis of length 1. */
export const column = (x: Tensor): Tensor => x.reshape([...x.shape, 1]);

/** Entry x of a table: [...batch, count] at whole numbers [...batch] below count gives [...batch]; batch shapes broadcast. */
export function entryAt(table: Tensor, x: Tensor): Tensor {
  const count = table.shape.at(-1)!;
  if (count <= FEW) return where<Tensor>(iota(table, [count], 0, "f64").eq(column(x)), table, 0).sum(-1);
  const index = x.cast("u32");
  if (table.shape.length === 1) return gather(table, index);
  const batch = broadcastShapes(table.shape.slice(0, -1), x.shape)!;
  const rows = sizeOf(batch);
  const flat = broadcastTo(table, [...batch, count]).reshape([rows * count]);
  return gather(flat, iota(index, [rows], 0).reshape(batch).mul(count).add(broadcastTo(index, batch)));
}

/** Independent categories, [...batch], with probabilities proportional to `weights` [..., count], by inverting their sum. */
export function drawCategory(key: Key<Tensor>, weights: Tensor, batch: Shape): Tensor {
  const count = weights.shape.at(-1)!;
  const upTo = cumsum(weights, -1);
  const total = upTo.narrow(-1, count - 1, 1);
  const target = column(uniform(key, batch, "f64")).mul(total);
  return target.ge(upTo).cast("f64").sum(-1);
}

/** Σ k p_k over the last axis, and Σ k² p_k − (Σ k p_k)². */
export const meanCategory = (probs: Tensor): Tensor =>
  iota(probs, [probs.shape.at(-1)!], 0, "f64")
    .mul(probs)
    .sum(-1);
export function varianceOfCategory(probs: Tensor): Tensor {
  const away = iota(probs, [probs.shape.at(-1)!], 0, "f64").sub(column(meanCategory(probs)));
  return away.square().mul(probs).sum(-1);
}
