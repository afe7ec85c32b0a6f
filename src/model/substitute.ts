import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import type { Trace } from "../ops/vocabulary.ts";

/** A better node than this one with these operands, or null. */
export type Rewrite = (b: Trace, node: Node, inputs: readonly Node[]) => Node | null;

/** The outputs with some of their ancestors replaced by nodes of the same shape and dtype. What does not depend on them is shared. */
export function substitute(
  b: Trace,
  outputs: readonly Node[],
  replacements: ReadonlyMap<Node, Node>,
  rewrite: Rewrite | null = null,
): Node[] {
  const now = new Map(replacements);
  for (const node of reachable(outputs)) {
    if (now.has(node) || !node.inputs.some((x) => now.has(x))) continue;
    const inputs = node.inputs.map((x) => now.get(x) ?? x);
    now.set(node, rewrite?.(b, node, inputs) ?? b.builder.append(node.op, inputs, node.attrs));
  }
  return outputs.map((node) => now.get(node) ?? node);
}

/** All nodes among the ancestors of `outputs` that depend on one of `roots`, those included. */
export function dependents(outputs: readonly Node[], roots: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>();
  for (const node of reachable(outputs)) {
    if (roots.has(node) || node.inputs.some((x) => found.has(x))) found.add(node);
  }
  return found;
}
