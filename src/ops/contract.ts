import { allocate, isFloat } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { type Shape, sameShape, showShape, sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Op } from "./vocabulary.ts";

/** Sizes of a matmul: `batch` products of [m, k] by [k, n]. */
export function matmulSizes(node: Node): { batch: number; m: number; n: number; k: number } {
  const [a] = node.inputs as [Node, Node];
  const [m, n] = node.shape.slice(-2) as [number, number];
  return { batch: sizeOf(node.shape.slice(0, -2)), m, n, k: a.shape.at(node.attrs.transA ? -2 : -1)! };
}

const rest = (x: Node): Shape => x.shape.slice(0, -2);

const matmul: Op = {
  infer: ([a, b], attrs) => {
    const { transA, transB } = attrs as { transA: boolean; transB: boolean };
    const shown = `${a!.dtype}${showShape(a!.shape)}${transA ? "ᵀ" : ""} by ${b!.dtype}${showShape(b!.shape)}${transB ? "ᵀ" : ""}`;
    if (a!.dtype !== b!.dtype || !isFloat(a!.dtype))
      throw new ShapeError(`matmul of ${shown}: both must be f32, or both f64`);
    if (a!.shape.length < 2 || b!.shape.length < 2 || !sameShape(rest(a!), rest(b!))) {
      throw new ShapeError(`matmul of ${shown}: both need two axes or more, with equal leading axes`);
    }
    const [m, ka] = transA ? [a!.shape.at(-1)!, a!.shape.at(-2)!] : [a!.shape.at(-2)!, a!.shape.at(-1)!];
    const [kb, n] = transB ? [b!.shape.at(-1)!, b!.shape.at(-2)!] : [b!.shape.at(-2)!, b!.shape.at(-1)!];
    if (ka !== kb) throw new ShapeError(`matmul of ${shown}: inner sizes ${ka} and ${kb} differ`);
    return { shape: [...rest(a!), m, n], dtype: a!.dtype };
  },
  // With C = A B: dA = dC Bᵀ and dB = Aᵀ dC; a transposed operand gets the transpose of that.
  vjp: (t, g, node) => {
    const [a, b] = node.inputs as [Node, Node];
    const { transA, transB } = node.attrs as { transA: boolean; transB: boolean };
    return [
      transA ? t.matmul(b, g, transB, true) : t.matmul(g, b, false, !transB),
      transB ? t.matmul(g, a, true, transA) : t.matmul(a, g, !transA, false),
    ];
  },
  batch: (t, [a, b], batched, node, size) => {
    const { transA, transB } = node.attrs as { transA: boolean; transB: boolean };
    const grow = (x: Node) => t.broadcast(x, [size, ...x.shape], x.shape.map((_, d) => d + 1)); // biome-ignore format: short
    // One shared right operand: the new axis joins the rows, and one large product does the work of many.
    if (batched[0] && !batched[1] && !transA && b!.shape.length === 2) {
      const [m, n] = node.shape as [number, number];
      const rows = t.reshape(a!, [size * m, a!.shape.at(-1)!]);
      return t.reshape(t.matmul(rows, b!, false, transB), [size, m, n]);
    }
    return t.matmul(batched[0] ? a! : grow(a!), batched[1] ? b! : grow(b!), transA, transB);
  },
  evaluate: ([a, b], node) => {
    const { batch, m, n, k } = matmulSizes(node);
    const { transA, transB } = node.attrs as { transA: boolean; transB: boolean };
    const out = allocate(node.dtype, batch * m * n);
    for (let p = 0; p < batch; p++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++) {
            const x = a![p * m * k + (transA ? l * m + i : i * k + l)]!;
            sum += x * b![p * k * n + (transB ? j * k + l : l * n + j)]!;
          }
          out[p * m * n + i * n + j] = sum;
        }
      }
    }
    return out;
  },
};

export const contract: Record<string, Op> = { matmul };
