import { sizeOf } from "../../../base/shape.ts";
import { transpose } from "../../../tensor/functions.ts";
import * as linalg from "../../../tensor/linalg.ts";
import type { Key } from "../../../tensor/random.ts";
import { normal } from "../../../tensor/random.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { Variable } from "./block.ts";

/** The axes of a site in the order [...single, events], and back. */
export function layoutOf({ shape, events }: Variable) {
  const single = shape.map((_, p) => p).filter((p) => !events.includes(p));
  const order = [...single, ...events];
  const batch = single.map((p) => shape[p]!);
  const own = events.map((p) => shape[p]!);
  const n = sizeOf(own);
  const back = shape.map((_, p) => order.indexOf(p));
  return {
    single,
    batch,
    own,
    n,
    /** [...shape] → [...batch, n] */
    flat: (x: Tensor) => transpose(x, order).reshape([...batch, n]),
    /** [count, ...batch, n] → [count, ...shape] */
    wholeRows: (x: Tensor) => transpose(x.reshape([x.shape[0]!, ...batch, ...own]), [0, ...back.map((p) => p + 1)]),
    /** [...batch, n] → [...shape] */
    whole: (x: Tensor) => transpose(x.reshape([...batch, ...own]), back),
    /** [...batch, n, n] ↔ [...batch, ...own, ...own] */
    square: (x: Tensor) => x.reshape([...batch, n, n]),
    spread: (x: Tensor) => x.reshape([...batch, ...own, ...own]),
  };
}

export const symmetric = (x: Tensor): Tensor => x.add(transpose(x)).mul(0.5);

/** Solves and inverts S [..., n, n], by division where n is 1. */
export function inverseOf(s: Tensor, n: number): { inverse: Tensor; logDet: Tensor } {
  if (n === 1) return { inverse: s.mul(0).add(1).div(s), logDet: s.log().sum([-2, -1]) };
  const root = linalg.cholesky(s);
  return { inverse: linalg.inverseFromCholesky(root), logDet: linalg.logDetCholesky(root) };
}

export function solve(s: Tensor, g: Tensor, n: number): Tensor {
  const column = g.reshape([...g.shape, 1]);
  return (n === 1 ? column.div(s) : linalg.choleskySolve(linalg.cholesky(s), column)).reshape(g.shape);
}

/** Draws of N(0, S⁻¹), [count, ...batch, n], for precisions S [...batch, n, n]. */
export function noiseOf(precision: Tensor, key: Key<Tensor>, count: number): Tensor {
  const [batch, n] = [precision.shape.slice(0, -2), precision.shape.at(-1)!];
  const noise = normal(key, [count, ...batch, n], "f64");
  return linalg.triangularSolveVector(linalg.cholesky(precision), noise, { transpose: true });
}

/** −½ xᵀ S x for each element, [...batch]. */
export const halfSquare = (x: Tensor, s: Tensor): Tensor => linalg.matvec(s, x).mul(x).sum(-1).mul(-0.5);
