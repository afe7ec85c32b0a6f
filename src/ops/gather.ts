import { allocate } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { showShape, sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Op, Trace } from "./vocabulary.ts";

export const clampIndex = (index: number, rows: number): number => Math.min(Math.max(index, 0), rows - 1);

function checkIndices(name: string, indices: Node): void {
  if (indices.dtype !== "i32" && indices.dtype !== "u32") {
    throw new ShapeError(`${name} needs i32 or u32 indices, not ${indices.dtype}`);
  }
}

/** Adds size·0, size·1, … to batched indices, so that rows of a flattened batch are addressed. */
export function offsetIndices(b: Trace, indices: Node, rows: number, size: number, batched: boolean): Node {
  const shape = batched ? indices.shape : [size, ...indices.shape];
  const grown = batched ? indices : b.broadcast(indices, shape, indices.shape.map((_, d) => d + 1)); // biome-ignore format: short
  const clamped = b.minimum(b.maximum(grown, 0), rows - 1);
  return b.add(clamped, b.mul(b.iota(indices.dtype, shape, 0), rows));
}

const gather: Op = {
  infer: ([x, indices]) => {
    checkIndices("gather", indices!);
    if (!x!.shape.length) throw new ShapeError("gather needs a tensor of rank 1 or more");
    if (x!.shape[0] === 0 && sizeOf(indices!.shape) > 0) {
      throw new ShapeError(
        `gather from ${showShape(x!.shape)}, which has no rows, at indices ${showShape(indices!.shape)}`,
      );
    }
    return { shape: [...indices!.shape, ...x!.shape.slice(1)], dtype: x!.dtype };
  },
  vjp: (b, g, node) => [b.scatterAdd(g, node.inputs[1]!, node.inputs[0]!.shape[0]!), null],
  batch: (b, [x, indices], batched, _node, size) => {
    if (!batched[0]) return b.gather(x!, indices!);
    const rows = x!.shape[1]!;
    const flat = b.reshape(x!, [size * rows, ...x!.shape.slice(2)]);
    return b.gather(flat, offsetIndices(b, indices!, rows, size, batched[1]!));
  },
  evaluate: ([x, indices], node) => {
    const rows = node.inputs[0]!.shape[0]!;
    const width = sizeOf(node.inputs[0]!.shape.slice(1));
    const out = allocate(node.dtype, sizeOf(node.shape));
    for (let i = 0; i < indices!.length; i++) {
      const row = clampIndex(indices![i]!, rows);
      for (let j = 0; j < width; j++) out[i * width + j] = x![row * width + j]!;
    }
    return out;
  },
};

const scatterAdd: Op = {
  infer: ([updates, indices], attrs) => {
    checkIndices("scatterAdd", indices!);
    const lead = indices!.shape.length;
    if (indices!.shape.some((d, i) => updates!.shape[i] !== d)) {
      throw new ShapeError(
        `scatterAdd of updates ${showShape(updates!.shape)} at indices ${showShape(indices!.shape)}: the updates' leading axes must be the indices'`,
      );
    }
    const rows = attrs.rows as number;
    if (!Number.isInteger(rows) || rows < 0 || (rows === 0 && sizeOf(indices!.shape) > 0)) {
      throw new ShapeError(
        `scatterAdd at indices ${showShape(indices!.shape)} into ${rows} rows: an integer ≥ 1 is needed`,
      );
    }
    if (updates!.dtype === "u8" || updates!.dtype === "bool") {
      throw new ShapeError(`scatterAdd takes f32, f64, i32 or u32, not ${updates!.dtype}`);
    }
    return { shape: [rows, ...updates!.shape.slice(lead)], dtype: updates!.dtype };
  },
  vjp: (b, g, node) => [b.gather(g, node.inputs[1]!), null],
  batch: (b, [updates, indices], batched, node, size) => {
    const rows = node.attrs.rows as number;
    const grown = batched[0]
      ? updates!
      : b.broadcast(updates!, [size, ...updates!.shape], updates!.shape.map((_, d) => d + 1)); // biome-ignore format: short
    const flat = b.scatterAdd(grown, offsetIndices(b, indices!, rows, size, batched[1]!), rows * size);
    return b.reshape(flat, [size, ...node.shape]);
  },
  evaluate: ([updates, indices], node) => {
    const rows = node.attrs.rows as number;
    const width = sizeOf(node.shape.slice(1));
    const acc = new Float64Array(sizeOf(node.shape));
    for (let i = 0; i < indices!.length; i++) {
      const row = clampIndex(indices![i]!, rows);
      for (let j = 0; j < width; j++) acc[row * width + j]! += updates![i * width + j]!;
    }
    const out = allocate(node.dtype, acc.length);
    out.set(acc as never);
    return out;
  },
};

/** The high 32 bits of x·n: a word becomes an index below n (Lemire 2019, without rejection: bias at most n / 2³²). */
export const wordBelow = (word: number, n: number): number => Number((BigInt(word >>> 0) * BigInt(n)) >> 32n);

const shuffle: Op = {
  infer: ([bits]) => {
    if (bits!.dtype !== "u32" || bits!.shape.length !== 1) {
      throw new ShapeError(`shuffle needs one vector of u32 words, not ${bits!.dtype}${showShape(bits!.shape)}`);
    }
    return { shape: bits!.shape, dtype: "u32" };
  },
  vjp: () => [null],
  batch: () => {
    throw new ShapeError("shuffle cannot be batched: draw one permutation for each program");
  },
  evaluate: ([bits]) => {
    const n = bits!.length;
    const out = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      const j = wordBelow(bits![i]!, i + 1);
      out[i] = out[j]!;
      out[j] = i;
    }
    return out;
  },
};

/** Ops whose addresses depend on data. */
export const gathering: Record<string, Op> = { gather, scatterAdd, shuffle };
