import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import type { Trace } from "../ops/vocabulary.ts";

/** The outputs with some of their ancestors replaced by nodes of the same shape and dtype. What does not depend on them is shared. */
export function substitute(b: Trace, outputs: readonly Node[], replacements: ReadonlyMap<Node, Node>): Node[] {
  const now = new Map(replacements);
  for (const node of reachable(outputs)) {
    if (now.has(node) || !node.inputs.some((x) => now.has(x))) continue;
    const inputs = node.inputs.map((x) => now.get(x) ?? x);
    now.set(node, rowOfConstant(b, node, inputs) ?? b.builder.append(node.op, inputs, node.attrs));
  }
  return outputs.map((node) => now.get(node) ?? node);
}

/** A gather whose index has become one constant is a row, repeated: cheaper, and it fuses. */
function rowOfConstant(b: Trace, node: Node, [table, given]: readonly Node[]): Node | null {
  if (node.op !== "gather") return null;
  let index = given!;
  while (index.op === "cast" || index.op === "reshape" || index.op === "broadcast") index = index.inputs[0]!;
  if (index.op !== "const") return null;
  const rows = table!.shape[0]!;
  const at = Math.max(0, Math.min(rows - 1, index.attrs.value as number));
  const rest = table!.shape.slice(1);
  const row = b.reshape(b.slice(table!, [at, ...rest.map(() => 0)], [1, ...rest]), rest);
  const lead = given!.shape.length;
  return lead ? b.broadcast(row, node.shape, rest.map((_, d) => d + lead)) : row; // biome-ignore format: short
}

/** All nodes among the ancestors of `outputs` that depend on one of `roots`, those included. */
export function dependents(outputs: readonly Node[], roots: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>();
  for (const node of reachable(outputs)) {
    if (roots.has(node) || node.inputs.some((x) => found.has(x))) found.add(node);
  }
  return found;
}
