import { showShape } from "../base/shape.ts";
import { attrsKey, type Node } from "./node.ts";

/** A computation: named results, and all that they need. */
export interface Graph {
  readonly outputs: ReadonlyMap<string, Node>;
}

/** Every node the outputs need, operands before users (by id, which is creation order). */
export function nodesOf(graph: Graph): Node[] {
  return reachable([...graph.outputs.values()]);
}

/**
 * All ancestors of `roots`, themselves included, in topological order.
 *
 * @param from  leaves out nodes with smaller ids: what depends on a node has a larger one
 */
export function reachable(roots: readonly Node[], from = 0): Node[] {
  const seen = new Set<Node>();
  const stack = [...roots];
  while (stack.length) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) if (input.id >= from && !seen.has(input)) stack.push(input);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** Which nodes read each node, in topological order. */
export function usersOf(nodes: readonly Node[]): Map<Node, Node[]> {
  const users = new Map<Node, Node[]>(nodes.map((n) => [n, []]));
  for (const node of nodes) for (const input of new Set(node.inputs)) users.get(input)?.push(node);
  return users;
}

/**
 * The graph as text, one node a line, numbered in order of appearance so that equal graphs print equally:
 * `%3: f32[100, 20] = tanh(%2)`.
 */
export function printGraph(graph: Graph): string {
  const number = new Map<Node, number>();
  const lines = nodesOf(graph).map((node, i) => {
    number.set(node, i);
    const operands = node.inputs.map((n) => `%${number.get(n)}`).join(", ");
    const attrs = attrsKey(node.attrs);
    return `%${i}: ${node.dtype}${showShape(node.shape)} = ${node.op}(${operands})${attrs ? ` {${attrs}}` : ""}`;
  });
  for (const [name, node] of graph.outputs) lines.push(`return ${name} = %${number.get(node)}`);
  return lines.join("\n");
}
