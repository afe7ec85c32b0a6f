import { allocate, isFloat } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { showShape, sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import { clampIndex, offsetIndices } from "./gather.ts";
import type { Op, Trace } from "./vocabulary.ts";

// Products of chosen rows of two tables, for many pairs of rows: neither the rows nor their products are ever laid out by pair. These
// ops are not in the core: what appends one calls extendOps(pairOps) first. Indices are [N]; those outside a table mean its nearest row.

/** out[n] = Σ_k a[i_n, k] b[j_n, k]. */
export const pairDotsNode = (t: Trace, a: Node, i: Node, b: Node, j: Node): Node =>
  t.builder.append("pairDots", [a, i, b, j]);

/** out[i_n, :] += g_n b[j_n, :] over all n, into `rows` rows of zeros: what `pairDots` is transposed. */
export const pairSumsNode = (t: Trace, g: Node, i: Node, b: Node, j: Node, rows: number): Node =>
  t.builder.append("pairSums", [g, i, b, j], { rows });

function complain(name: string, inputs: readonly Node[]): never {
  throw new ShapeError(
    `${name} of ${inputs.map((x) => `${x.dtype}${showShape(x.shape)}`).join(", ")}: they do not fit`,
  );
}

const isIndex = (x: Node, n: number): boolean =>
  (x.dtype === "i32" || x.dtype === "u32") && x.shape.length === 1 && x.shape[0] === n;

/** Tables [R, K] and indices [N] of a batch as one table [size · R, K] and indices [size · N]. */
function flatTable(t: Trace, table: Node, indices: Node, batched: readonly [boolean, boolean], size: number) {
  if (!batched[0]) {
    const all = batched[1] ? indices : t.broadcast(indices, [size, ...indices.shape], [1]);
    return [table, t.reshape(all, [sizeOf(all.shape)])] as const;
  }
  const [, rows, k] = table.shape as [number, number, number];
  const at = offsetIndices(t, indices, rows, size, batched[1]);
  return [t.reshape(table, [size * rows, k]), t.reshape(at, [sizeOf(at.shape)])] as const;
}

const pairDots: Op = {
  infer: (inputs) => {
    const [a, i, b, j] = inputs as [Node, Node, Node, Node];
    const n = i.shape[0] ?? -1;
    const fits =
      a.shape.length === 2 && b.shape.length === 2 && a.shape[1] === b.shape[1] && isIndex(i, n) && isIndex(j, n);
    if (!fits || !isFloat(a.dtype) || b.dtype !== a.dtype || (n > 0 && !(a.shape[0]! > 0 && b.shape[0]! > 0))) complain("pairDots", inputs); // biome-ignore format: one line
    return { shape: [n], dtype: a.dtype };
  },
  vjp: (t, g, node) => {
    const [a, i, b, j] = node.inputs as [Node, Node, Node, Node];
    return [pairSumsNode(t, g, i, b, j, a.shape[0]!), null, pairSumsNode(t, g, j, a, i, b.shape[0]!), null];
  },
  batch: (t, args, batched, node, size) => {
    const [a, i, b, j] = args as [Node, Node, Node, Node];
    const left = flatTable(t, a, i, [batched[0]!, batched[1]!], size);
    const right = flatTable(t, b, j, [batched[2]!, batched[3]!], size);
    return t.reshape(pairDotsNode(t, ...left, ...right), [size, ...node.shape]);
  },
  evaluate: ([a, i, b, j], node) => {
    const [rowsA, k] = node.inputs[0]!.shape as [number, number];
    const rowsB = node.inputs[2]!.shape[0]!;
    const out = allocate(node.dtype, node.shape[0]!);
    for (let n = 0; n < out.length; n++) {
      const [x, y] = [clampIndex(i![n]!, rowsA) * k, clampIndex(j![n]!, rowsB) * k];
      let sum = 0;
      for (let e = 0; e < k; e++) sum += a![x + e]! * b![y + e]!;
      out[n] = sum;
    }
    return out;
  },
};

const pairSums: Op = {
  infer: (inputs, attrs) => {
    const [g, i, b, j] = inputs as [Node, Node, Node, Node];
    const rows = attrs.rows as number;
    const n = g.shape[0] ?? -1;
    const fits =
      g.shape.length === 1 && b.shape.length === 2 && isIndex(i, n) && isIndex(j, n) && Number.isInteger(rows);
    if (!fits || !isFloat(g.dtype) || b.dtype !== g.dtype || (n > 0 && !(rows > 0 && b.shape[0]! > 0))) complain("pairSums", inputs); // biome-ignore format: one line
    return { shape: [rows, b.shape[1]!], dtype: g.dtype };
  },
  // Linear in g and in b.
  vjp: (t, bar, node) => {
    const [g, i, b, j] = node.inputs as [Node, Node, Node, Node];
    return [pairDotsNode(t, bar, i, b, j), null, pairSumsNode(t, g, j, bar, i, b.shape[0]!), null];
  },
  batch: (t, args, batched, node, size) => {
    const [g, i, b, j] = args as [Node, Node, Node, Node];
    const [rows, k] = node.shape as [number, number];
    const all = batched[0] ? g : t.broadcast(g, [size, ...g.shape], [1]);
    const to = offsetIndices(t, i, rows, size, batched[1]!);
    const from = flatTable(t, b, j, [batched[2]!, batched[3]!], size);
    const n = sizeOf(all.shape);
    const sums = pairSumsNode(t, t.reshape(all, [n]), t.reshape(to, [n]), ...from, size * rows);
    return t.reshape(sums, [size, rows, k]);
  },
  evaluate: ([g, i, b, j], node) => {
    const [rows, k] = node.shape as [number, number];
    const rowsB = node.inputs[2]!.shape[0]!;
    const acc = new Float64Array(rows * k);
    for (let n = 0; n < g!.length; n++) {
      const [to, from] = [clampIndex(i![n]!, rows) * k, clampIndex(j![n]!, rowsB) * k];
      for (let e = 0; e < k; e++) acc[to + e]! += g![n]! * b![from + e]!;
    }
    const out = allocate(node.dtype, acc.length);
    out.set(acc as never);
    return out;
  },
};

/** Rows of the op table for products of chosen rows. */
export const pairOps: Readonly<Record<string, Op>> = { pairDots, pairSums };
