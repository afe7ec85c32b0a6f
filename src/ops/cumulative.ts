import { allocate } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { showShape, sizeOf, stridesOf } from "../base/shape.ts";
import type { Attrs, Node } from "../ir/node.ts";
import type { Op, Trace } from "./vocabulary.ts";

export interface CumsumAttrs {
  readonly axis: number;
  /** Sums from the end. */
  readonly reverse: boolean;
  /** Leaves the element itself out. */
  readonly exclusive: boolean;
}

const attrsOf = (attrs: Attrs): CumsumAttrs => attrs as unknown as CumsumAttrs;

export const cumsumNode = (b: Trace, x: Node, { axis, reverse, exclusive }: CumsumAttrs): Node =>
  b.builder.append("cumsum", [x], { axis, reverse, exclusive });

/** How an axis lies in memory: `outer` times `length` steps of `stride` elements. */
export function axisSizes({ shape }: Node, axis: number): { outer: number; length: number; stride: number } {
  return { outer: sizeOf(shape.slice(0, axis)), length: shape[axis]!, stride: stridesOf(shape)[axis]! };
}

const cumsum: Op = {
  infer: ([x], attrs) => {
    const { axis } = attrsOf(attrs);
    if (x!.dtype === "u8" || x!.dtype === "bool") {
      throw new ShapeError(`cumsum takes f32, f64, i32 or u32, not ${x!.dtype}: cast it first`);
    }
    if (!Number.isInteger(axis) || axis < 0 || axis >= x!.shape.length) {
      throw new ShapeError(
        `cumsum along axis ${axis} of a tensor of shape ${showShape(x!.shape)}: the axis must exist`,
      );
    }
    return { shape: x!.shape, dtype: x!.dtype };
  },
  // Element i takes part in the sums from i on: the adjoint sums from the other end.
  vjp: (b, g, node) => {
    const attrs = attrsOf(node.attrs);
    return [cumsumNode(b, g, { ...attrs, reverse: !attrs.reverse })];
  },
  batch: (b, [x], _batched, node) => {
    const attrs = attrsOf(node.attrs);
    return cumsumNode(b, x!, { ...attrs, axis: attrs.axis + 1 });
  },
  evaluate: ([x], node) => {
    const { axis, reverse, exclusive } = attrsOf(node.attrs);
    const { outer, length, stride } = axisSizes(node, axis);
    const out = allocate(node.dtype, sizeOf(node.shape));
    for (let o = 0; o < outer; o++) {
      for (let s = 0; s < stride; s++) {
        let sum = 0;
        for (let turn = 0; turn < length; turn++) {
          const at = (o * length + (reverse ? length - 1 - turn : turn)) * stride + s;
          const before = sum;
          sum += x![at]!;
          out[at] = exclusive ? before : sum;
        }
      }
    }
    return out;
  },
};

/** Rows of the op table for sums that run along an axis. */
export const cumulative: Readonly<Record<string, Op>> = { cumsum };
