import { allocate, isFloat } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { showShape, sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Op, Trace } from "./vocabulary.ts";

// Sums over many rows that would need a large temporary were they written with products and sums: what is made of each row stays in
// the cache. These ops are not in the core: what appends one calls extendOps(rowOps) first.

/** out[n, k] = Σ_p (Σ_d x[n, d] w[d, k, p] − b[k, p])². */
export const rowSquaresNode = (b: Trace, x: Node, w: Node, shift: Node): Node =>
  b.builder.append("rowSquares", [x, w, shift]);

/**
 * Moments of the rows of x [N, D] by the weights g [N, K]: out[c, k] = Σ_n g[n, k] (1, x_n, x_n x_nᵀ without what mirrors), over the
 * c-th of some equal shares of the rows, so that threads can have one each.
 */
export const rowMomentsNode = (b: Trace, x: Node, g: Node): Node => b.builder.append("rowMoments", [x, g]);

/** How many numbers (1, x, x xᵀ) are, each pair once. */
export const momentCount = (d: number): number => 1 + d + (d * (d + 1)) / 2;

/** Rows that make a share worthwhile, and how many shares there are at most: a rule of the size alone. */
const SHARE_ROWS = 1024;
const MOST_SHARES = 16;
export const sharesOf = (rows: number): number => Math.max(1, Math.min(MOST_SHARES, Math.ceil(rows / SHARE_ROWS)));
/** Where share c begins. */
export const shareStart = (rows: number, c: number): number => Math.floor((rows * c) / sharesOf(rows));

const complain = (name: string, inputs: readonly Node[]): never => {
  throw new ShapeError(
    `${name} of ${inputs.map((x) => `${x.dtype}${showShape(x.shape)}`).join(", ")}: they do not fit`,
  );
};

const rowSquares: Op = {
  infer: (inputs) => {
    const [x, w, b] = inputs as [Node, Node, Node];
    const [n, d] = x.shape as [number, number];
    const [dw, k, p] = w.shape as [number, number, number];
    const ranks = [x, w, b].map((t) => t.shape.length).join();
    const fits = ranks === "2,3,2" && d === dw && b.shape[0] === k && b.shape[1] === p;
    if (!fits || !isFloat(x.dtype) || w.dtype !== x.dtype || b.dtype !== x.dtype) complain("rowSquares", inputs);
    return { shape: [n, k], dtype: x.dtype };
  },
  // With r = x w − b: d out = 2 r dr.
  vjp: (t, g, node) => {
    const [x, w] = node.inputs as [Node, Node, Node];
    const [n, k] = node.shape as [number, number];
    const [d, , p] = w.shape as [number, number, number];
    const residual = residuals(t, node.inputs as [Node, Node, Node]);
    const bar = t.mul(t.mul(residual, 2), t.broadcast(g, [n, k, p], [0, 1]));
    const flat = t.reshape(bar, [n, k * p]);
    return [
      t.matmul(flat, t.reshape(w, [d, k * p]), false, true),
      t.reshape(t.matmul(x, flat, true, false), [d, k, p]),
      t.neg(t.sum(bar, [0])),
    ];
  },
  batch: (t, args, batched, node, size) => {
    const [x, w, b] = args.map((a, i) => (batched[i] ? a : t.broadcast(a, [size, ...a.shape], a.shape.map((_, axis) => axis + 1)))) as [Node, Node, Node]; // biome-ignore format: one line
    const [n, k] = node.shape as [number, number];
    const [d, , p] = node.inputs[1]!.shape as [number, number, number];
    const product = t.reshape(t.matmul(x, t.reshape(w, [size, d, k * p])), [size, n, k, p]);
    const residual = t.sub(product, t.broadcast(b, [size, n, k, p], [0, 2, 3]));
    return t.sum(t.mul(residual, residual), [3]);
  },
  evaluate: ([x, w, b], node) => {
    const [n, k] = node.shape as [number, number];
    const [d, , p] = node.inputs[1]!.shape as [number, number, number];
    const out = allocate(node.dtype, n * k);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < k; j++) {
        let sum = 0;
        for (let q = 0; q < p; q++) {
          let r = -b![j * p + q]!;
          for (let e = 0; e < d; e++) r += x![i * d + e]! * w![(e * k + j) * p + q]!;
          sum += r * r;
        }
        out[i * k + j] = sum;
      }
    }
    return out;
  },
};

function residuals(t: Trace, [x, w, b]: readonly [Node, Node, Node]): Node {
  const [d, k, p] = w.shape as [number, number, number];
  const n = x.shape[0]!;
  const product = t.reshape(t.matmul(x, t.reshape(w, [d, k * p])), [n, k, p]);
  return t.sub(product, t.broadcast(b, [n, k, p], [1, 2]));
}

/** Upper triangles [k, d (d + 1) / 2] as matrices [k, d, d], 0 below the diagonal. */
function unpacked(t: Trace, x: Node, d: number): Node {
  const [row, column] = [t.iota("i32", [d, d], 0), t.iota("i32", [d, d], 1)];
  // Row i begins after those before it, at i d − i (i − 1) / 2.
  const start = t.sub(t.mul(row, d), t.shr(t.mul(row, t.sub(row, 1)), 1));
  const all = t.transpose(t.gather(t.transpose(x, [1, 0]), t.add(start, t.sub(column, row))), [2, 0, 1]);
  return t.select(t.broadcast(t.le(row, column), all.shape, [1, 2]), all, 0);
}

const rowMoments: Op = {
  infer: (inputs) => {
    const [x, g] = inputs as [Node, Node];
    const fits = x.shape.length === 2 && g.shape.length === 2 && x.shape[0] === g.shape[0];
    if (!fits || !isFloat(x.dtype) || g.dtype !== x.dtype) complain("rowMoments", inputs);
    return { shape: [sharesOf(x.shape[0]!), g.shape[1]!, momentCount(x.shape[1]!)], dtype: x.dtype };
  },
  // Of a share with the cotangents a, B and U (its upper triangle) of Σ g, Σ g x and Σ g x xᵀ: ḡ = a + B x + xᵀ U x and
  // x̄ = Σ_k g_k (B_k + (U_k + U_kᵀ) x).
  vjp: (t, bar, node) => {
    const [x, g] = node.inputs as [Node, Node];
    const [rows, d] = x.shape as [number, number];
    const [shares, k, count] = node.shape as [number, number, number];
    const parts = Array.from({ length: shares }, (_, c) => {
      const from = shareStart(rows, c);
      const n = shareStart(rows, c + 1) - from;
      const own = t.slice(x, [from, 0], [n, d]);
      const weights = t.slice(g, [from, 0], [n, k]);
      const piece = (at: number, size: number) => t.reshape(t.slice(bar, [c, 0, at], [1, k, size]), [k, size]);
      const upper = unpacked(t, piece(1 + d, count - 1 - d), d);
      const first = piece(1, d);
      const alongRows = (y: Node) => t.broadcast(y, [n, k, d], [1, 2]);
      const by = (matrices: Node) => t.reshape(t.matmul(own, t.reshape(t.transpose(matrices, [1, 0, 2]), [d, k * d])), [n, k, d]); // biome-ignore format: short
      const value = t.mul(t.add(by(upper), alongRows(first)), t.broadcast(own, [n, k, d], [0, 2]));
      const slope = t.add(by(t.add(upper, t.transpose(upper, [0, 2, 1]))), alongRows(first));
      const zeroth = t.broadcast(t.reshape(piece(0, 1), [k]), [n, k], [1]);
      return [
        t.sum(t.mul(slope, t.broadcast(weights, [n, k, d], [0, 1])), [1]),
        t.add(t.sum(value, [2]), zeroth),
      ] as const;
    });
    return [0, 1].map((i) => t.concat(parts.map((p) => p[i]!), 0)); // biome-ignore format: short
  },
  batch: (t, args, batched, node, size) => {
    const one = (i: number, s: number) =>
      batched[i] ? t.reshape(t.slice(args[i]!, [s, 0, 0], [1, ...args[i]!.shape.slice(1)]), args[i]!.shape.slice(1)) : args[i]!; // biome-ignore format: short
    const all = Array.from({ length: size }, (_, s) => t.reshape(rowMomentsNode(t, one(0, s), one(1, s)), [1, ...node.shape])); // biome-ignore format: short
    return size ? t.concat(all, 0) : t.constant(0, node.dtype, [0, ...node.shape]);
  },
  evaluate: ([x, g], node) => {
    const [rows, d] = node.inputs[0]!.shape as [number, number];
    const [shares, k, count] = node.shape as [number, number, number];
    const out = allocate(node.dtype, sizeOf(node.shape));
    for (let c = 0; c < shares; c++) {
      for (let n = shareStart(rows, c); n < shareStart(rows, c + 1); n++) {
        const one = x!.subarray(n * d, (n + 1) * d);
        for (let j = 0; j < k; j++) {
          const weight = g![n * k + j]!;
          let at = (c * k + j) * count;
          out[at++]! += weight;
          for (const value of one) out[at++]! += weight * value;
          for (let p = 0; p < d; p++) for (let q = p; q < d; q++) out[at++]! += weight * one[p]! * one[q]!;
        }
      }
    }
    return out;
  },
};

/** Rows of the op table for sums over many rows. */
export const rowOps: Readonly<Record<string, Op>> = { rowSquares, rowMoments };
