import { sizeOf } from "../../../base/shape.ts";
import { type Graph, nodesOf } from "../../../ir/graph.ts";
import type { Node } from "../../../ir/node.ts";
import { unary } from "../scalar.ts";
import type { Lanes } from "../vector.ts";
import { arrayInMemory, type Element, isElementwise, isMove, operandsOfElement, sourceOf } from "./elements.ts";

/** Vectors computed in a step from which on kernels with loops of their own are the better way. */
const MOST_VECTORS = 1600;
/** Elements of one value beyond which it is not looked at. */
const MOST_ELEMENTS = 1600;
/** What a call of a transcendental function counts. */
const CALL_WEIGHT = 12;

const CHEAP = new Set(["neg", "abs", "sign", "floor", "sqrt", "not"]);
const isCall = (node: Node): boolean => node.op === "pow" || (node.op in unary && !CHEAP.has(node.op));

const KNOWN = new Set(["input", "const", "iota", "sum", "max", "matmul", "gather", "scatterAdd"]);

/** Which elements of each value the outputs need, and what a step costs. */
export interface Demand {
  readonly elements: ReadonlyMap<Node, ReadonlySet<number>>;
  readonly order: readonly Node[];
  readonly lanes: Lanes;
  /** Calls of transcendental functions. */
  readonly calls: number;
}

const known = new WeakMap<Graph, Demand | null>();

/** What writing a body out takes; null where it is too large for that, or holds an op that is not elementwise in the end. */
export function demandOf(graph: Graph): Demand | null {
  const found = known.get(graph);
  if (found !== undefined) return found;
  const demand = findDemand(graph);
  known.set(graph, demand);
  return demand;
}

function findDemand(graph: Graph): Demand | null {
  const order = nodesOf(graph);
  const large = (x: Node) => sizeOf(x.shape) > MOST_ELEMENTS;
  for (const node of order) {
    if (isElementwise(node) || isMove(node)) continue;
    if (!KNOWN.has(node.op)) return null;
    if (node.inputs.some(large) && !(node.op === "gather" && arrayInMemory(node.inputs[0]!))) return null;
  }
  if ([...graph.outputs.values()].some(large)) return null;
  const lanes: Lanes = order.some((n) => n.dtype === "f64") ? 2 : 4;
  const elements = new Map<Node, Set<number>>();
  const want = (element: Element): void => {
    const source = sourceOf(element);
    if (!source) return;
    const set = elements.get(source.node) ?? new Set();
    elements.set(source.node, set.add(source.at));
  };
  for (const node of graph.outputs.values()) for (let at = 0; at < sizeOf(node.shape); at++) want({ node, at });
  let weight = 0;
  let calls = 0;
  for (const node of order.toReversed()) {
    const wanted = elements.get(node);
    if (!wanted || node.op === "const" || node.op === "iota") continue;
    const vectors = Math.ceil(wanted.size / lanes);
    if (isCall(node)) calls += vectors;
    weight += vectors * (isCall(node) ? CALL_WEIGHT : 1);
    for (const at of wanted) {
      const operands = operandsOfElement({ node, at });
      if (!isElementwise(node)) weight += operands.length / lanes;
      if (weight > MOST_VECTORS) return null;
      for (const operand of operands) want(operand);
    }
  }
  return { elements, order, lanes, calls };
}
