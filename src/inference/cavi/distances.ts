import { squaredDistances } from "../../tensor/quadratic.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { collapse, type Form, isKnown } from "./form.ts";
import { meanOf, productsOf, type Statistics } from "./moments.ts";
import { type Axis, aligned, contract, type Named, product, union } from "./named.ts";

/** Products (rows × centres × d) from which on a pass of its own is worth compiling. */
const WORTHWHILE = 4096;
/** Sizes above which the moments of a tile of rows leave the cache. */
const MOST_COORDINATES = 64;

/**
 * E-step of a multivariate normal whose value is data and whose mean and precision vary along other axes than the data's rows
 * (components): (x_n − m_k)ᵀ Λ_k (x_n − m_k) over [...rows, ...centres], with no residual of each row from each centre in memory.
 * Null where the term is not of that kind.
 *
 * @param d, e  the two axes of the matrix; value and mean are read along d, the precision along both
 */
export function distances(
  q: Statistics,
  like: Tensor,
  { value, mean, precision }: { readonly value: Form; readonly mean: Form; readonly precision: Form },
  d: Axis,
  e: Axis,
): Named | null {
  if (!isKnown(value)) return null;
  const matrices = productsOf(q, precision);
  if (matrices.some((p) => p.relativeTo)) return null;
  const x = collapse(value);
  const m = meanOf(q, mean, like);
  const metric = matrices.map((p) => contract(p.factors, union(p.factors.map((f) => f.axes)).filter((a) => !p.sums.includes(a)), p.sums)); // biome-ignore format: short
  const [lambda] = metric;
  if (metric.length !== 1 || ![d, e].every((a) => lambda!.axes.includes(a)) || m.axes.includes(e)) return null;
  const rows = x.axes.filter((a) => a !== d);
  const centres = union([m.axes, lambda!.axes]).filter((a) => a !== d && a !== e);
  if (!x.axes.includes(d) || centres.some((a) => rows.includes(a)) || d.size > MOST_COORDINATES) return null;
  const [n, k] = [product(rows), product(centres)];
  if (n * k * d.size < WORTHWHILE) return null;
  const laid = (t: Named, axes: readonly Axis[], shape: readonly number[]) =>
    aligned(t, axes).broadcastTo(axes.map((a) => a.size)).reshape(shape); // biome-ignore format: short
  const found = squaredDistances(
    laid(x, [...rows, d], [n, d.size]),
    laid(m, [...centres, d], [k, d.size]),
    laid(lambda!, [...centres, d, e], [k, d.size, d.size]),
  );
  const axes = [...rows, ...centres];
  return { tensor: found.reshape(axes.map((a) => a.size)), axes };
}
