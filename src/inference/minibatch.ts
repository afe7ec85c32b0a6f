import { full, gather, iota, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A batch of a data set, by the numbers of its rows. */
export interface Minibatch {
  /** Row numbers, u32 [size]. Where fewer rows are left than `size`, the last is repeated with weight 0. */
  readonly rows: Tensor;
  /** f64 [size]: 1 / (rows that count) for those that do, else 0, so that Σ weights · x is the mean over the batch. */
  readonly weights: Tensor;
}

/**
 * `size` rows from `start` of `count` rows, in the given order (u32, at least [count]) or as they stand. `start` and `count`
 * are u32 scalars.
 */
export function minibatchAt(start: Tensor, count: Tensor, size: number, order: Tensor | null): Minibatch {
  const place = iota(start, [size], 0).add(start);
  const used = place.minimum(count.sub(1));
  const remaining = count.sub(start).minimum(size).cast("f64");
  return {
    rows: order ? gather(order, used) : used,
    weights: where(place.lt(count), full(remaining, [], 1).div(remaining), 0),
  };
}

/** Steps in an epoch of `count` rows (u32 scalar). The last one may have fewer rows, or is left out. */
export const stepsPerEpoch = (count: Tensor, size: number, dropLast: boolean): Tensor =>
  (dropLast ? count : count.add(size - 1)).div(size);
