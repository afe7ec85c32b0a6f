import { sizeOf } from "../../base/shape.ts";
import { reachable } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import { scalar } from "../../ops/scalar.ts";
import type { Trace } from "../../ops/vocabulary.ts";

/** Elements of an affine tensor that one element of a term reads: a stand-in for their values, and which ones they are. */
export interface View {
  /** An input node of the elements' shape. */
  readonly values: Node;
  /** Their positions in the flat affine tensors, as a function of the indices. */
  readonly positions: Node;
}

/** One element of a term as a graph of its own. */
export interface Element {
  /** Scalar. */
  readonly value: Node;
  /** What it reads of the latent variables. */
  readonly views: readonly View[];
}

const without = <T>(list: readonly T[], at: number): T[] => list.filter((_, i) => i !== at);

/** x without `axis`, at index i there. */
function sliceAt(b: Trace, x: Node, axis: number, i: Node): Node {
  if (axis === 0) return b.gather(x, i);
  const order = [axis, ...without(x.shape.map((_, d) => d), axis)]; // biome-ignore format: short
  return b.gather(b.transpose(x, order), i);
}

/**
 * The element of `root` at `indices` (u32 scalars, one an axis), computed from no more than it needs: indices are pushed through the
 * graph down to `affine` nodes, of which the elements read become inputs, and to `leaves`, which are looked up.
 *
 * @param affine  node → where its elements begin among those of all affine nodes
 * @param leaves  node → the tensor of its known values
 */
export function elementOf(
  b: Trace,
  root: Node,
  indices: readonly Node[],
  affine: ReadonlyMap<Node, number>,
  leaves: ReadonlyMap<Node, Node>,
): Element {
  const views: View[] = [];
  const positionsOf = new Map<Node, Node>();
  const taken = new Map<string, Node>();
  const wholes = new Map<Node, Node>();

  const view = (positions: Node): Node => {
    const values = b.input(`view#${views.length}`, "f64", positions.shape);
    positionsOf.set(values, positions);
    views.push({ values, positions });
    return values;
  };
  const positionsIn = (node: Node): Node => {
    const size = sizeOf(node.shape);
    return b.reshape(b.add(b.iota("f64", [size], 0), affine.get(node)!), node.shape);
  };
  const whole = (node: Node): Node => {
    let found = wholes.get(node);
    if (!found) {
      found = wholeOf(node);
      wholes.set(node, found);
    }
    return found;
  };
  const wholeOf = (node: Node): Node => {
    if (positionsOf.has(node)) return node;
    if (affine.has(node)) return view(positionsIn(node));
    if (leaves.has(node)) return leaves.get(node)!;
    if (node.op === "customVjp") return whole(node.inputs[0]!);
    return node.inputs.length ? b.builder.append(node.op, node.inputs.map(whole), node.attrs) : node;
  };
  const take = (node: Node, axis: number, i: Node): Node => {
    const key = `${node.id}:${axis}:${i.id}`;
    let found = taken.get(key);
    if (!found) {
      found = takeOf(node, axis, i);
      taken.set(key, found);
    }
    return found;
  };
  const takeOf = (node: Node, axis: number, i: Node): Node => {
    const { op, inputs, attrs, shape } = node;
    const rest = without(shape, axis);
    const lower = (axes: readonly number[], gone: number) => axes.map((a) => (a > gone ? a - 1 : a));
    if (positionsOf.has(node)) return view(sliceAt(b, positionsOf.get(node)!, axis, i));
    if (affine.has(node)) return view(sliceAt(b, positionsIn(node), axis, i));
    if (leaves.has(node)) return sliceAt(b, leaves.get(node)!, axis, i);
    if (op in scalar || op === "stopGradient") {
      return b.builder.append(op, inputs.map((x) => take(x, axis, i)), attrs); // biome-ignore format: short
    }
    const [x] = inputs as [Node];
    switch (op) {
      case "const":
        return b.constant(attrs.value as number, node.dtype, rest);
      case "iota": {
        const along = attrs.axis as number;
        if (along === axis) return b.broadcast(b.cast(i, node.dtype), rest, []);
        return b.iota(node.dtype, rest, along > axis ? along - 1 : along);
      }
      case "customVjp":
        return take(x, axis, i);
      case "broadcast": {
        const dims = attrs.dims as readonly number[];
        const from = dims.indexOf(axis);
        return b.broadcast(from < 0 ? whole(x) : take(x, from, i), rest, lower(dims.filter((d) => d !== axis), axis)); // biome-ignore format: short
      }
      case "sum":
      case "max":
      case "logsumexp": {
        const axes = attrs.axes as readonly number[];
        const kept = x.shape.map((_, d) => d).filter((d) => !axes.includes(d));
        const from = kept[axis]!;
        return b.builder.append(op, [take(x, from, i)], { ...attrs, axes: lower(axes, from) });
      }
      case "transpose": {
        const permutation = attrs.permutation as readonly number[];
        const from = permutation[axis]!;
        return b.transpose(take(x, from, i), lower(without(permutation, axis), from));
      }
      case "reshape": {
        const before = sizeOf(shape.slice(0, axis));
        const from = x.shape.findIndex((n, d) => n === shape[axis] && sizeOf(x.shape.slice(0, d)) === before);
        if (from >= 0) return b.reshape(take(x, from, i), rest);
        if (shape[axis] === 1) return b.reshape(whole(x), rest);
        break;
      }
      case "slice": {
        const starts = attrs.starts as readonly number[];
        const from = starts[axis] === 0 ? i : b.add(i, starts[axis]!);
        return b.slice(take(x, axis, from), without(starts, axis), rest);
      }
      case "concat": {
        const along = attrs.axis as number;
        if (along === axis) break;
        return b.concat(inputs.map((part) => take(part, axis, i)), along > axis ? along - 1 : along); // biome-ignore format: short
      }
      case "gather": {
        const index = inputs[1]!;
        const depth = index.shape.length;
        if (axis >= depth) return b.gather(take(x, axis - depth + 1, i), whole(index));
        const row = take(index, axis, i);
        return row.shape.length ? b.gather(whole(x), row) : take(x, 0, row);
      }
      case "matmul": {
        const { transA, transB } = attrs as { transA: boolean; transB: boolean };
        const last = shape.length - 1;
        const y = inputs[1]!;
        if (axis < last - 1) return b.matmul(take(x, axis, i), take(y, axis, i), transA, transB);
        if (axis === last) break;
        const row = take(x, transA ? axis + 1 : axis, i);
        const product = b.matmul(
          b.reshape(row, [...row.shape.slice(0, -1), 1, row.shape.at(-1)!]),
          whole(y),
          false,
          transB,
        );
        return b.reshape(product, rest);
      }
    }
    return sliceAt(b, whole(node), axis, i);
  };

  // Each index takes the axis that is the first one by then.
  const value = indices.length ? indices.reduce((rest, i) => take(rest, 0, i), root) : whole(root);
  const used = new Set(reachable([value]));
  return { value, views: views.filter((v) => used.has(v.values)) };
}
