import type { Shape } from "../../base/shape.ts";
import { sameShape } from "../../base/shape.ts";
import { type Graph, nodesOf } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import { copyNode } from "../../ir/region.ts";
import { createTrace } from "../trace.ts";
import type { Trace } from "../vocabulary.ts";

/** Ops that a slice is taken through, so that what is sliced need not be put together first. */
const PARTED = new Set(["concat", "pad", "add", "const"]);

function cut(b: Trace, x: Node, starts: readonly number[], sizes: Shape): Node {
  if (sameShape(x.shape, sizes)) return x;
  if (x.op === "const") return b.constant(x.attrs.value as number, x.dtype, sizes);
  if (x.op === "add" && x.inputs.some((y) => PARTED.has(y.op))) {
    const [y, z] = x.inputs.map((t) => cut(b, t, starts, sizes)) as [Node, Node];
    return b.add(y, z);
  }
  if (x.op === "concat") {
    const axis = x.attrs.axis as number;
    let at = 0;
    for (const piece of x.inputs) {
      const from = starts[axis]! - at;
      if (from >= 0 && from + sizes[axis]! <= piece.shape[axis]!) return cut(b, piece, starts.with(axis, from), sizes);
      at += piece.shape[axis]!;
    }
  }
  if (x.op === "pad") {
    const [inner] = x.inputs as [Node];
    const from = starts.map((s, axis) => s - (x.attrs.low as readonly number[])[axis]!);
    if (from.some((s, axis) => s >= inner.shape[axis]! || s + sizes[axis]! <= 0)) return b.constant(0, x.dtype, sizes);
    if (from.every((s, axis) => s >= 0 && s + sizes[axis]! <= inner.shape[axis]!)) return cut(b, inner, from, sizes);
  }
  return b.slice(x, starts, sizes);
}

/** The graph with slices of sums, pads and concats taken where the parts were made: packed cotangents are such. */
export function pushSlices(graph: Graph): Graph {
  const b = createTrace();
  const made = new Map<Node, Node>();
  for (const node of nodesOf(graph)) {
    const inputs = node.inputs.map((x) => made.get(x)!);
    made.set(
      node,
      node.op === "slice"
        ? cut(b, inputs[0]!, node.attrs.starts as readonly number[], node.shape)
        : copyNode(b.builder, node, inputs),
    );
  }
  return { outputs: new Map([...graph.outputs].map(([name, node]) => [name, made.get(node)!])) };
}
