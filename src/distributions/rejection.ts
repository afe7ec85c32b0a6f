import type { Shape } from "../base/shape.ts";
import { and, full, gt, where } from "../tensor/functions.ts";
import { type Key, uniform } from "../tensor/random.ts";
import { whileLoop } from "../tensor/scan.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What one try gives: a value for every element, and which of them (bool) are taken. */
interface Try {
  readonly value: Tensor;
  readonly taken: Tensor;
}

const any = (flags: Tensor): Tensor => flags.cast("f64").max().gt(0);

/**
 * Rejection for all elements at once: tries again, with two new uniform numbers per element, for those that are `wanted` (bool,
 * [...shape]) and not yet taken, at most `max` times. What was not wanted or never taken is 0.
 */
export function untilTaken(
  key: Key<Tensor>,
  wanted: Tensor,
  shape: Shape,
  attempt: (u: Tensor, v: Tensor) => Try,
  max: number,
): Tensor {
  const start = { value: full(wanted, shape, 0, "f64"), open: wanted.cast("f64") };
  const { carry } = whileLoop(
    start,
    ({ open }) => any(open),
    ({ value, open }, t) => {
      const now = key.fold(t);
      const { value: next, taken } = attempt(
        uniform(now.site("u"), shape, "f64"),
        uniform(now.site("v"), shape, "f64"),
      );
      const settles = and<Tensor>(open.gt(0), taken);
      return { value: where<Tensor>(settles, next, value), open: where<Tensor>(settles, 0, open) };
    },
    { max },
  );
  return carry.value;
}

/**
 * Inversion from 0 upwards for all elements at once: the least k with u ≤ P(0) + … + P(k).
 *
 * @param u      uniform numbers, [...shape]; 0 where nothing is wanted
 * @param first  P(0)
 * @param ratio  P(k) / P(k − 1)
 * @param max    where the search ends; beyond it there should be no mass to speak of
 */
export function searchUp(u: Tensor, first: Tensor, ratio: (k: Tensor) => Tensor, max: number): Tensor {
  const start = { rest: u, chance: first, k: full(u, u.shape, 0) };
  const { carry } = whileLoop(
    start,
    ({ rest, chance }) => any(gt<Tensor>(rest, chance)),
    ({ rest, chance, k }) => {
      const goes = gt<Tensor>(rest, chance);
      const next = k.add(1);
      return {
        rest: where<Tensor>(goes, rest.sub(chance), rest),
        chance: where<Tensor>(goes, chance.mul(ratio(next)), chance),
        k: where<Tensor>(goes, next, k),
      };
    },
    { max },
  );
  return carry.k;
}
