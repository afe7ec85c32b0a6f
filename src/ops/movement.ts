import { allocate, type DType, type TypedArray } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { type Shape, sameShape, showShape, sizeOf, stridesOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Op, Trace } from "./vocabulary.ts";

/** Copies x through an affine map: element `index` of the result is x[offset + Σ index·strides]. */
function strided(x: TypedArray, node: Node, offset: number, strides: readonly number[]): TypedArray {
  const out = allocate(node.dtype, sizeOf(node.shape));
  const index = node.shape.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    let at = offset;
    for (let d = 0; d < index.length; d++) at += index[d]! * strides[d]!;
    out[i] = x[at]!;
    for (let d = index.length - 1; d >= 0 && ++index[d]! === node.shape[d]; d--) index[d] = 0;
  }
  return out;
}

const leading = (list: readonly number[], first: number): number[] => [first, ...list];
const shifted = (axes: readonly number[]): number[] => axes.map((axis) => axis + 1);

const areSizes = (sizes: readonly number[]): boolean => sizes.every((d) => Number.isInteger(d) && d >= 0);

const iota: Op = {
  infer: (_inputs, attrs) => {
    const { shape, axis, dtype } = attrs as { shape: Shape; axis: number; dtype: DType };
    // A scalar counts along nothing: 0.
    if (!areSizes(shape) || !(axis >= 0 && axis < Math.max(1, shape.length))) {
      throw new ShapeError(
        `iota of shape ${showShape(shape)} along axis ${axis}: sizes are integers ≥ 0, and the axis must exist`,
      );
    }
    return { shape, dtype };
  },
  vjp: () => [],
  batch: (b, _args, _batched, node) => b.builder.append("iota", [], node.attrs),
  evaluate: (_args, node) => {
    const stride = stridesOf(node.shape)[node.attrs.axis as number] ?? 1;
    const size = node.shape[node.attrs.axis as number] ?? 1;
    const out = allocate(node.dtype, sizeOf(node.shape));
    for (let i = 0; i < out.length; i++) out[i] = Math.floor(i / stride) % size;
    return out;
  },
};

const reshape: Op = {
  infer: ([x], attrs) => {
    const shape = attrs.shape as Shape;
    if (!areSizes(shape) || sizeOf(shape) !== sizeOf(x!.shape)) {
      throw new ShapeError(
        `reshape of ${showShape(x!.shape)} to ${showShape(shape)}: ${sizeOf(x!.shape)} elements do not fill it`,
      );
    }
    return { shape, dtype: x!.dtype };
  },
  vjp: (b, g, node) => [b.reshape(g, node.inputs[0]!.shape)],
  batch: (b, [x], _batched, node, size) => b.reshape(x!, [size, ...node.shape]),
  evaluate: ([x]) => x!.slice(),
};

const broadcast: Op = {
  infer: ([x], attrs) => {
    const shape = attrs.shape as Shape;
    const dims = attrs.dims as readonly number[];
    const fits =
      areSizes(shape) &&
      dims.length === x!.shape.length &&
      dims.every((d, i) => shape[d] === x!.shape[i] && (i === 0 || d > dims[i - 1]!));
    if (!fits) {
      throw new ShapeError(
        `broadcast of ${showShape(x!.shape)} to ${showShape(shape)} at axes [${dims}]: sizes must agree there`,
      );
    }
    return { shape, dtype: x!.dtype };
  },
  vjp: (b, g, node) => {
    const dims = node.attrs.dims as readonly number[];
    return [b.sum(g, node.shape.map((_, axis) => axis).filter((axis) => !dims.includes(axis)))]; // biome-ignore format: short
  },
  batch: (b, [x], _batched, node, size) =>
    b.broadcast(x!, [size, ...node.shape], leading(shifted(node.attrs.dims as number[]), 0)),
  evaluate: ([x], node) => {
    const source = stridesOf(node.inputs[0]!.shape);
    const dims = node.attrs.dims as readonly number[];
    return strided(x!, node, 0, node.shape.map((_, axis) => (dims.includes(axis) ? source[dims.indexOf(axis)]! : 0)));
  }, // biome-ignore format: short
};

const transpose: Op = {
  infer: ([x], attrs) => {
    const permutation = attrs.permutation as readonly number[];
    if (permutation.length !== x!.shape.length || [...permutation].sort((p, q) => p - q).some((p, i) => p !== i)) {
      throw new ShapeError(
        `transpose of ${showShape(x!.shape)} by [${permutation}], which is not a permutation of its axes`,
      );
    }
    return { shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype };
  },
  vjp: (b, g, node) => {
    const permutation = node.attrs.permutation as readonly number[];
    return [b.transpose(g, permutation.map((_, axis) => permutation.indexOf(axis)))]; // biome-ignore format: short
  },
  batch: (b, [x], _batched, node) => b.transpose(x!, leading(shifted(node.attrs.permutation as number[]), 0)),
  evaluate: ([x], node) => {
    const source = stridesOf(node.inputs[0]!.shape);
    return strided(
      x!,
      node,
      0,
      (node.attrs.permutation as number[]).map((axis) => source[axis]!),
    );
  },
};

const slice: Op = {
  infer: ([x], attrs) => {
    const starts = attrs.starts as readonly number[];
    const sizes = attrs.sizes as readonly number[];
    const ranks = starts.length === x!.shape.length && sizes.length === starts.length;
    if (!ranks || !areSizes(starts) || !areSizes(sizes) || x!.shape.some((d, i) => starts[i]! + sizes[i]! > d)) {
      throw new ShapeError(`slice of ${showShape(x!.shape)} from [${starts}] by [${sizes}] reaches outside`);
    }
    return { shape: sizes, dtype: x!.dtype };
  },
  vjp: (b, g, node) => {
    const starts = node.attrs.starts as readonly number[];
    return [b.pad(g, starts, node.inputs[0]!.shape.map((d, i) => d - starts[i]! - node.shape[i]!))]; // biome-ignore format: short
  },
  batch: (b, [x], _batched, node, size) =>
    b.slice(x!, leading(node.attrs.starts as number[], 0), leading(node.shape, size)),
  evaluate: ([x], node) => {
    const source = stridesOf(node.inputs[0]!.shape);
    const offset = (node.attrs.starts as number[]).reduce((n, s, i) => n + s * source[i]!, 0);
    return strided(x!, node, offset, source);
  },
};

/** Writes x into a zero (or partly filled) array at the given start. */
function place(out: TypedArray, shape: Shape, x: TypedArray, size: Shape, start: readonly number[]): void {
  const strides = stridesOf(shape);
  const index = size.map(() => 0);
  for (let i = 0; i < x.length; i++) {
    let at = 0;
    for (let d = 0; d < index.length; d++) at += (index[d]! + start[d]!) * strides[d]!;
    out[at] = x[i]!;
    for (let d = index.length - 1; d >= 0 && ++index[d]! === size[d]; d--) index[d] = 0;
  }
}

const pad: Op = {
  infer: ([x], attrs) => {
    const low = attrs.low as readonly number[];
    const high = attrs.high as readonly number[];
    if (low.length !== x!.shape.length || high.length !== low.length || !areSizes([...low, ...high])) {
      throw new ShapeError(
        `pad of ${showShape(x!.shape)} by [${low}] below and [${high}] above: one size ≥ 0 for each axis`,
      );
    }
    return { shape: x!.shape.map((d, i) => d + low[i]! + high[i]!), dtype: x!.dtype };
  },
  vjp: (b, g, node) => [b.slice(g, node.attrs.low as number[], node.inputs[0]!.shape)],
  batch: (b, [x], _batched, node) =>
    b.pad(x!, leading(node.attrs.low as number[], 0), leading(node.attrs.high as number[], 0)),
  evaluate: ([x], node) => {
    const out = allocate(node.dtype, sizeOf(node.shape));
    place(out, node.shape, x!, node.inputs[0]!.shape, node.attrs.low as number[]);
    return out;
  },
};

const concat: Op = {
  infer: (parts, attrs) => {
    const axis = attrs.axis as number;
    const first = parts[0]!;
    const fits = (p: Node) =>
      p.dtype === first.dtype &&
      sameShape(p.shape.toSpliced(axis, 1), first.shape.toSpliced(axis, 1)) &&
      p.shape.length === first.shape.length;
    if (axis < 0 || axis >= first.shape.length || !parts.every(fits)) {
      const shown = parts.map((p) => p.dtype + showShape(p.shape)).join(", ");
      throw new ShapeError(`concat along axis ${axis} of ${shown}: one dtype, and equal sizes on the other axes`);
    }
    const total = parts.reduce((n, p) => n + p.shape[axis]!, 0);
    return { shape: first.shape.with(axis, total), dtype: first.dtype };
  },
  vjp: (b, g, node) => {
    const axis = node.attrs.axis as number;
    let at = 0;
    return node.inputs.map((part) => {
      const starts = part.shape.map((_, i) => (i === axis ? at : 0));
      at += part.shape[axis]!;
      return b.slice(g, starts, part.shape);
    });
  },
  batch: (b, args, batched, node, size) =>
    b.concat(
      args.map((arg, i) => (batched[i] ? arg : b.broadcast(arg, [size, ...arg.shape], arg.shape.map((_, d) => d + 1)))),
      (node.attrs.axis as number) + 1,
    ), // biome-ignore format: short
  evaluate: (args, node) => {
    const axis = node.attrs.axis as number;
    const out = allocate(node.dtype, sizeOf(node.shape));
    let at = 0;
    for (const [i, part] of node.inputs.entries()) {
      place(out, node.shape, args[i]!, part.shape, part.shape.map((_, d) => (d === axis ? at : 0))); // biome-ignore format: short
      at += part.shape[axis]!;
    }
    return out;
  },
};

/** Ops that only move elements. */
export const movement: Record<string, Op> = { iota, reshape, broadcast, transpose, slice, pad, concat };

/** Moves axis `from` of x to the front. */
export const toFront = (b: Trace, x: Node, from: number): Node =>
  b.transpose(x, [from, ...x.shape.map((_, d) => d).filter((d) => d !== from)]);
