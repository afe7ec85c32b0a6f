import { Builder, type InferRule } from "./builder.ts";
import { type Graph, nodesOf, printGraph, reachable } from "./graph.ts";
import type { Keyed, Node } from "./node.ts";

/** A graph as an attribute: the body of an op that runs it. Two of them are equal when they print equally. */
export interface Region extends Keyed {
  readonly graph: Graph;
}

/** Text of the body as it stands in the printed line of its node. */
const INDENT = "\n    ";

export const regionOf = (graph: Graph): Region => ({
  graph,
  key: `(${INDENT}${printGraph(graph).replaceAll("\n", INDENT)})`,
});

const knownInputs = new WeakMap<Graph, ReadonlyMap<string, Node>>();

/** The inputs that a graph's outputs depend on, by name. */
export function inputsOf(graph: Graph): ReadonlyMap<string, Node> {
  const known = knownInputs.get(graph);
  if (known) return known;
  const inputs = new Map(nodesOf(graph).flatMap((n) => (n.op === "input" ? [[n.attrs.name as string, n]] : [])));
  knownInputs.set(graph, inputs);
  return inputs;
}

/** The same node in another trace. */
export function copyNode(b: Builder, node: Node, inputs: readonly Node[]): Node {
  if (node.op === "input") return b.input(node.attrs.name as string, node.dtype, node.shape);
  if (node.op === "const") return b.constant(node.attrs.value as number, node.dtype, node.shape);
  return b.append(node.op, inputs, node.attrs);
}

/**
 * Writes a graph into another trace.
 *
 * @param known  what stands there for some of its nodes already, inputs for example
 * @returns      its outputs there, by name
 */
export function writeInto(b: Builder, graph: Graph, known: ReadonlyMap<Node, Node>): Map<string, Node> {
  const made = new Map(known);
  const visit = (root: Node): Node => {
    const stack = [root];
    while (stack.length) {
      const node = stack.at(-1)!;
      const missing = made.has(node) ? [] : node.inputs.filter((x) => !made.has(x));
      if (missing.length) stack.push(...missing);
      else {
        stack.pop();
        if (!made.has(node)) made.set(node, copyNode(b, node, node.inputs.map((x) => made.get(x)!))); // biome-ignore format: short
      }
    }
    return made.get(root)!;
  };
  return new Map([...graph.outputs].map(([name, node]) => [name, visit(node)]));
}

/** A computation cut out of a trace: its graph, and the values of the trace that it uses. */
export interface Closed {
  readonly graph: Graph;
  /** Input `const.i` of the graph is the i-th of these. */
  readonly captured: readonly Node[];
}

/**
 * Cuts a computation out of a trace. What depends on a placeholder goes into a graph of its own; the largest parts that do not
 * stay behind and are captured, so that they are computed once. Numbers, counts and their spreading over axes are taken along.
 *
 * @param placeholders  nodes that become inputs of the graph, with their names there
 */
export function closeOver(
  infer: (op: string) => InferRule,
  outputs: ReadonlyMap<string, Node>,
  placeholders: ReadonlyMap<Node, string>,
): Closed {
  const b = new Builder(infer);
  const inner = new Set<Node>();
  const made = new Map<Node, Node>();
  const captured: Node[] = [];
  const first = [...placeholders.keys()].reduce((least, node) => Math.min(least, node.id), Infinity);
  const order = reachable([...outputs.values()], first);
  for (const node of order) if (placeholders.has(node) || node.inputs.some((x) => inner.has(x))) inner.add(node);
  /** A node that depends on no placeholder. */
  const take = (node: Node): Node => {
    const known = made.get(node);
    if (known) return known;
    const free = node.op === "const" || node.op === "iota";
    // A spread value is captured before it is spread: one number instead of many equal ones.
    const copy = free
      ? copyNode(b, node, [])
      : node.op === "broadcast"
        ? copyNode(b, node, [take(node.inputs[0]!)])
        : b.input(`const.${captured.push(node) - 1}`, node.dtype, node.shape);
    made.set(node, copy);
    return copy;
  };
  for (const node of order) {
    if (!inner.has(node)) continue;
    const name = placeholders.get(node);
    const copy =
      name === undefined
        ? copyNode(b, node, node.inputs.map((x) => made.get(x) ?? take(x))) // biome-ignore format: short
        : b.input(name, node.dtype, node.shape);
    made.set(node, copy);
  }
  const ends = [...outputs].map(([name, node]) => [name, made.get(node) ?? take(node)] as const);
  return { graph: { outputs: new Map(ends) }, captured };
}
