import { allocate, isFloat, type TypedArray } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { type Shape, showShape, sizeOf, stridesOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Op, Trace } from "./vocabulary.ts";

const axesOf = (node: Node): readonly number[] => node.attrs.axes as readonly number[];

export const keptAxes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));

/** Puts the reduced axes back, as copies of `x`. */
const spread = (b: Trace, x: Node, like: Node, axes: readonly number[]): Node =>
  b.broadcast(x, like.shape, keptAxes(like.shape, axes));

function inferReduce(name: string, inputs: readonly Node[], axes: readonly number[]): Shape {
  const x = inputs[0]!;
  for (const [i, axis] of axes.entries()) {
    if (!Number.isInteger(axis) || axis < 0 || axis >= x.shape.length || (i > 0 && axis <= axes[i - 1]!)) {
      throw new ShapeError(
        `${name} over axes [${axes}] of a tensor of shape ${showShape(x.shape)}: axes must exist and increase`,
      );
    }
  }
  return keptAxes(x.shape, axes).map((axis) => x.shape[axis]!);
}

/** Calls `visit(offset of the result, offset of the operand)` for every element. */
function eachElement(shape: Shape, axes: readonly number[], visit: (out: number, at: number) => void): void {
  const kept = keptAxes(shape, axes);
  const outStrides = stridesOf(kept.map((axis) => shape[axis]!));
  const strides = shape.map((_, axis) => (kept.includes(axis) ? outStrides[kept.indexOf(axis)]! : 0));
  const index = shape.map(() => 0);
  const n = sizeOf(shape);
  for (let at = 0; at < n; at++) {
    let out = 0;
    for (let d = 0; d < index.length; d++) out += index[d]! * strides[d]!;
    visit(out, at);
    for (let d = index.length - 1; d >= 0 && ++index[d]! === shape[d]; d--) index[d] = 0;
  }
}

/** Reduces in double precision, whatever the dtype, and rounds once. */
function reduceWith(start: number, f: (acc: number, x: number) => number) {
  return (args: readonly TypedArray[], node: Node): TypedArray => {
    const acc = new Float64Array(sizeOf(node.shape)).fill(start);
    eachElement(node.inputs[0]!.shape, axesOf(node), (out, at) => {
      acc[out] = f(acc[out]!, args[0]![at]!);
    });
    const result = allocate(node.dtype, acc.length);
    result.set(acc as never);
    return result;
  };
}

const batchReduce: Op["batch"] = (b, args, _batched, node) => {
  const axes = node.attrs.axes as readonly number[];
  return b.builder.append(node.op, args, { axes: axes.map((axis) => axis + 1) });
};

const numeric = (name: string, x: Node): void => {
  if (x.dtype === "bool" || x.dtype === "u8") {
    throw new ShapeError(`${name} takes f32, f64, i32 or u32, not ${x.dtype}: cast it first`);
  }
};

const sum: Op = {
  infer: (inputs, attrs) => {
    numeric("sum", inputs[0]!);
    return { shape: inferReduce("sum", inputs, attrs.axes as number[]), dtype: inputs[0]!.dtype };
  },
  vjp: (b, g, node) => [spread(b, g, node.inputs[0]!, axesOf(node))],
  batch: batchReduce,
  evaluate: reduceWith(0, (acc, x) => acc + x),
};

const max: Op = {
  infer: (inputs, attrs) => {
    numeric("max", inputs[0]!);
    return { shape: inferReduce("max", inputs, attrs.axes as number[]), dtype: inputs[0]!.dtype };
  },
  // Tied maxima share the cotangent.
  vjp: (b, g, node) => {
    const x = node.inputs[0]!;
    const hit = b.cast(b.eq(x, spread(b, node, x, axesOf(node))), x.dtype);
    const share = b.div(g, b.sum(hit, axesOf(node)));
    return [b.mul(hit, spread(b, share, x, axesOf(node)))];
  },
  batch: batchReduce,
  evaluate: (args, node) => {
    const smallest = isFloat(node.dtype) ? -Infinity : node.dtype === "i32" ? -(2 ** 31) : 0;
    return reduceWith(smallest, (acc, x) => Math.max(acc, x))(args, node);
  },
};

const argmax: Op = {
  infer: (inputs, attrs) => {
    numeric("argmax", inputs[0]!);
    const shape = inferReduce("argmax", inputs, [attrs.axis as number]);
    if (inputs[0]!.shape[attrs.axis as number] === 0) {
      throw new ShapeError(
        `argmax over axis ${attrs.axis} of a tensor of shape ${showShape(inputs[0]!.shape)}: there is nothing to choose from`,
      );
    }
    return { shape, dtype: "u32" };
  },
  vjp: () => [null],
  batch: (b, args, _batched, node) => b.argmax(args[0]!, (node.attrs.axis as number) + 1),
  evaluate: ([x], node) => {
    const source = node.inputs[0]!.shape;
    const axis = node.attrs.axis as number;
    const stride = stridesOf(source)[axis]!;
    const out = new Uint32Array(sizeOf(node.shape));
    const best = new Float64Array(out.length).fill(Number.NEGATIVE_INFINITY);
    const started = new Uint8Array(out.length);
    eachElement(source, [axis], (o, at) => {
      const value = x![at]!;
      if (!started[o] || value > best[o]!) {
        started[o] = 1;
        best[o] = value;
        out[o] = Math.floor(at / stride) % source[axis]!;
      }
    });
    return out;
  },
};

/** m + log Σ e^(x−m) with m = max x, and m = 0 where that is infinite. */
function lowerLogsumexp(b: Trace, node: Node): Node {
  const x = node.inputs[0]!;
  const axes = axesOf(node);
  const top = b.max(x, axes);
  const shift = b.stopGradient(b.select(b.lt(b.abs(top), Infinity), top, 0));
  const total = b.sum(b.exp(b.sub(x, spread(b, shift, x, axes))), axes);
  return b.add(b.log(total), shift);
}

const logsumexp: Op = {
  infer: (inputs, attrs) => {
    if (!isFloat(inputs[0]!.dtype)) throw new ShapeError(`logsumexp takes f32 or f64, not ${inputs[0]!.dtype}`);
    return { shape: inferReduce("logsumexp", inputs, attrs.axes as number[]), dtype: inputs[0]!.dtype };
  },
  // softmax, with 0 where everything is −∞
  vjp: (b, g, node) => {
    const x = node.inputs[0]!;
    const finite = b.gt(node, -Infinity);
    const weight = b.exp(b.sub(x, spread(b, b.select(finite, node, 0), x, axesOf(node))));
    return [b.mul(weight, spread(b, g, x, axesOf(node)))];
  },
  batch: batchReduce,
  evaluate: ([x], node) => {
    const top = new Float64Array(sizeOf(node.shape)).fill(-Infinity);
    const source = node.inputs[0]!.shape;
    eachElement(source, axesOf(node), (o, at) => {
      top[o] = Math.max(top[o]!, x![at]!);
    });
    const total = new Float64Array(top.length);
    eachElement(source, axesOf(node), (o, at) => {
      total[o]! += Math.exp(x![at]! - (Number.isFinite(top[o]!) ? top[o]! : 0));
    });
    const out = allocate(node.dtype, top.length);
    for (let i = 0; i < out.length; i++) out[i] = Math.log(total[i]!) + (Number.isFinite(top[i]!) ? top[i]! : 0);
    return out;
  },
  lower: lowerLogsumexp,
};

/** Reductions: each drops its axes. */
export const reduce = { sum, max, argmax, logsumexp };
