import { sizeOf } from "../base/shape.ts";
import { pairDotsNode, pairOps } from "../ops/pairs.ts";
import { extendOps } from "../ops/table.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Dot products of chosen rows of two tables: out[n] = Σ_k a[i_n, k] b[j_n, k]. Neither here nor in the gradients is anything of
 * [pairs, k] laid out.
 *
 * @param a, b   [rows, k]
 * @param i, j   whole numbers, of one shape, which is that of the result; one outside its table means the nearest row
 */
export function pairDots(a: Tensor, i: Tensor, b: Tensor, j: Tensor): Tensor {
  extendOps(pairOps);
  const flat = (index: Tensor) => index.reshape([sizeOf(index.shape)]).node;
  return a.of(pairDotsNode(a.trace, a.node, flat(i), b.node, flat(j))).reshape(i.shape);
}
