import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { opRow } from "../ops/table.ts";
import type { Trace } from "../ops/vocabulary.ts";

/**
 * Vectorises a computation: each output is recomputed with some of its ancestors replaced by tensors that carry a new
 * leading axis of length `size`. What does not depend on them is computed once and shared.
 *
 * @param replacements  node → its batched version, of shape [size, ...node.shape]
 * @returns             each output with shape [size, ...output.shape]
 */
export function vmap(b: Trace, outputs: readonly Node[], replacements: ReadonlyMap<Node, Node>, size: number): Node[] {
  const batched = new Map(replacements);
  for (const node of reachable(outputs)) {
    if (batched.has(node)) continue;
    const flags = node.inputs.map((x) => batched.has(x));
    if (!flags.some(Boolean)) continue;
    const args = node.inputs.map((x) => batched.get(x) ?? x);
    batched.set(node, opRow(node.op).batch(b, args, flags, node, size));
  }
  const grow = (x: Node) => b.broadcast(x, [size, ...x.shape], x.shape.map((_, d) => d + 1)); // biome-ignore format: short
  return outputs.map((output) => batched.get(output) ?? grow(output));
}
