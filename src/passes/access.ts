import { type Shape, sizeOf, stridesOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";

/**
 * Where the elements of a value lie: element `index` is at `root[offset + Σ index·strides]`. The root is stored in row-major
 * order, or is an iota or a constant, which are computed.
 */
export interface Access {
  readonly root: Node;
  readonly offset: number;
  readonly strides: readonly number[];
}

const VIEWS = new Set(["reshape", "broadcast", "transpose", "slice"]);

export const isView = (node: Node): boolean => VIEWS.has(node.op);

export const isContiguous = (access: Access, shape: Shape): boolean => {
  const expected = stridesOf(shape);
  return access.offset === 0 && shape.every((d, i) => d === 1 || access.strides[i] === expected[i]);
};

/** Strides after a reshape of a strided array, or null when its elements do not lie that way. */
export function reshapeStrides(from: Shape, strides: readonly number[], to: Shape): number[] | null {
  const size = sizeOf(to);
  if (size <= 1) return to.map(() => 0);
  const old = from.map((d, i) => [d, strides[i]!] as const).filter(([d]) => d !== 1);
  const out = new Array<number>(to.length).fill(0);
  let at = old.length - 1;
  let [room, stride] = at >= 0 ? old[at]! : [1, 0];
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const want = to[axis]!;
    if (want === 1) continue;
    // Merge old axes until this new axis fits into them.
    while (room % want !== 0) {
      const next = old[--at];
      if (!next || next[1] !== stride * room) return null;
      room *= next[0];
    }
    out[axis] = stride;
    stride *= want;
    room /= want;
    if (room === 1 && at > 0) [room, stride] = old[--at]!;
  }
  return out;
}

/**
 * Resolves chains of views to accesses. A view that cannot be expressed by strides makes its operand a *copy*: a value
 * that is stored in row-major order after all.
 */
export class Accesses {
  /** View nodes that must be stored. */
  readonly copies = new Set<Node>();
  private readonly known = new Map<Node, Access>();

  /** The access of a value as an operand: through its views down to something stored or computed. */
  of(node: Node): Access {
    if (this.copies.has(node)) return { root: node, offset: 0, strides: stridesOf(node.shape) };
    if (!isView(node)) return leafAccess(node);
    const found = this.known.get(node);
    if (found) return found;
    const access = this.through(node);
    this.known.set(node, access);
    return access;
  }

  /** Resolves anew from here on: for when copies were added. */
  forget(): void {
    this.known.clear();
  }

  /** What a copy reads. */
  sourceOf(copy: Node): Access {
    return isView(copy) ? this.through(copy) : leafAccess(copy);
  }

  /** Whether a root is a number or a count to compute rather than an array to read; `reader` may be the copy that stores it. */
  isComputed(root: Node, reader?: Node): boolean {
    return (root.op === "const" || root.op === "iota") && (root === reader || !this.copies.has(root));
  }

  private through(node: Node): Access {
    const x = node.inputs[0]!;
    const { root, offset, strides } = this.of(x);
    switch (node.op) {
      case "broadcast": {
        const dims = node.attrs.dims as readonly number[];
        return { root, offset, strides: node.shape.map((_, axis) => (dims.includes(axis) ? strides[dims.indexOf(axis)]! : 0)) }; // biome-ignore format: short
      }
      case "transpose":
        return { root, offset, strides: (node.attrs.permutation as number[]).map((axis) => strides[axis]!) };
      case "slice":
        return {
          root,
          offset: (node.attrs.starts as number[]).reduce((n, s, i) => n + s * strides[i]!, offset),
          strides,
        };
      default: {
        const reshaped = reshapeStrides(x.shape, strides, node.shape);
        if (reshaped) return { root, offset, strides: reshaped };
        this.copies.add(x);
        return { root: x, offset: 0, strides: stridesOf(node.shape) };
      }
    }
  }
}

const leafAccess = (node: Node): Access => {
  if (node.op === "iota") {
    // Counts along one axis only: an affine form, not a place in memory.
    return { root: node, offset: 0, strides: node.shape.map((_, axis) => (axis === node.attrs.axis ? 1 : 0)) };
  }
  if (node.op === "const") return { root: node, offset: 0, strides: node.shape.map(() => 0) };
  return { root: node, offset: 0, strides: stridesOf(node.shape) };
};
