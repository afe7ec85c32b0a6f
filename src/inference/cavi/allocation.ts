import { stack, transpose, where } from "../../tensor/functions.ts";
import { pairDots } from "../../tensor/pairs.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Form, Term } from "./form.ts";
import { logOfTerm, type Statistics } from "./moments.ts";
import { type Axis, aligned, axesOfLabel, contract, type Label, map, type Named, plus, product, resolve, union } from "./named.ts"; // biome-ignore format: one line

/**
 * max over ρ of Σ_k ρ_k (E log r_k − log ρ_k) = log Σ_k exp E log r_k, for the form r = Σ_k r_k: what remains of E log r when each
 * count is allocated to the addends by an optimal factor of its own.
 */
export function allocated(q: Statistics, form: Form, byTables = false): Named {
  const parts = form.terms.map((term) => {
    const fast = byTables ? fromTables(q, term) : null;
    if (fast) return fast;
    const logs = logOfTerm(q, term);
    const over = term.sums.filter((a) => logs.axes.includes(a));
    const copies = term.sums.filter((a) => !logs.axes.includes(a)).reduce((n, a) => n * a.size, 1);
    const kept = logs.axes.filter((a) => !over.includes(a));
    const tensor = over.length ? logs.tensor.logsumexp(over.map((a) => logs.axes.indexOf(a))) : logs.tensor;
    return { tensor: copies === 1 ? tensor : tensor.add(Math.log(copies)), axes: kept };
  });
  if (parts.length === 1) return parts[0]!;
  const axes = union(parts.map((p) => p.axes));
  const sizes = axes.map((a) => a.size);
  const tensor = stack(parts.map((p) => aligned(p, axes).broadcastTo(sizes))).logsumexp(0);
  return { tensor, axes };
}

/** Exponentials (rows × addends) from which on tables of them are worth their copies. */
const MANY = 50_000;
/** Sums of products of exponentials below this have lost digits. */
const LEAST = 1e-290;

/**
 * log Σ_k exp(a_ik + b_jk) = log Σ_k e^(a_ik − max a_i) e^(b_jk − max b_j) + max a_i + max b_j for tables a and b that are looked up by
 * (i, j): the exponentials are those of the tables, however many pairs there are. Where no addend is near both maxima the sum may
 * underflow: then it is NaN, and the caller starts again without. Null where the logarithms are no such look-ups.
 */
function fromTables(q: Statistics, term: Term): Named | null {
  const [sum, ...others] = term.sums;
  if (!sum || others.length || term.factors.length || term.leaves.length < 2) return null;
  const parts: LookedUp[] = [];
  for (const { site, labels, power, complement } of term.leaves) {
    const s = q.sites[site]!;
    const log = s.kind === "positive" || s.kind === "simplex" || s.kind === "unit" ? s.log : null;
    const along = labels.flatMap((l, p) => (axesOfLabel(l).includes(sum) ? [p] : []));
    const label = labels[along[0]!];
    if (!log || complement || power !== 1 || along.length !== 1 || label?.kind !== "axis" || label.offset) return null;
    const most = log.max(along[0]!).stopGradient();
    const table = log.sub(most.reshape(log.shape.with(along[0]!, 1))).exp();
    parts.push({ table, labels, at: along[0]!, most: resolve(most, labels.toSpliced(along[0]!, 1)) });
  }
  const out = union(parts.map((p) => p.labels.flatMap(axesOfLabel))).filter((a) => a !== sum);
  if (product(out) * sum.size < MANY) return null;
  const total = dotsOfRows(parts) ?? contract(parts.map((p) => resolve(p.table, p.labels)), out, [sum]); // biome-ignore format: short
  // As a factor NaN reaches the gradient too.
  const log = map(total, (t) => t.mul(where(t.gt(LEAST), 1, Number.NaN)).log());
  return parts.reduce((value, { most }) => plus(value, most), log);
}

/** A table, where it is looked up, and its greatest entries along the axis `at`. */
interface LookedUp {
  readonly table: Tensor;
  readonly labels: readonly Label[];
  readonly at: number;
  readonly most: Named;
}

/** Σ_k a_ik b_jk of two tables whose rows are chosen by one index each, pair by pair; null where they are not. */
function dotsOfRows(parts: readonly LookedUp[]): Named | null {
  const rows = parts.map(({ table, labels, at }) => {
    const [label, ...others] = labels.toSpliced(at, 1);
    if (label?.kind !== "index" || others.length) return null;
    return { table: at === 0 ? transpose(table, [1, 0]) : table, index: label.index };
  });
  const [a, b, ...more] = rows;
  if (!a || !b || more.length || !sameAxes(a.index.axes, b.index.axes)) return null;
  const tensor = pairDots(a.table, a.index.tensor.cast("u32"), b.table, b.index.tensor.cast("u32"));
  return { tensor, axes: a.index.axes };
}

const sameAxes = (a: readonly Axis[], b: readonly Axis[]): boolean => a.length === b.length && a.every((x, p) => x === b[p]); // biome-ignore format: short
