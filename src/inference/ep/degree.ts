import { reachable } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";

/** Ops that put elements in other places, or repeat them, or add them up: of their operand's degree. */
const LINEAR = new Set([
  "neg", "sum", "reshape", "broadcast", "transpose", "slice", "pad", "cumsum", "stopGradient", "cast",
]); // biome-ignore format: a list

/** The value of a node whose elements are all one constant; null for any other. */
function constantOf(node: Node): number | null {
  if (node.op === "const") return node.attrs.value as number;
  return node.op === "broadcast" || node.op === "reshape" || node.op === "cast" ? constantOf(node.inputs[0]!) : null;
}

/**
 * The degree of nodes as polynomials in the elements of `roots`: 0 where they do not depend on them, 1 for affine functions,
 * Infinity for what is no polynomial. An upper bound that is read off the graph: what it calls affine or quadratic is that exactly.
 */
export function degreesIn(outputs: readonly Node[], roots: ReadonlySet<Node>): Map<Node, number> {
  const degrees = new Map<Node, number>();
  for (const node of reachable(outputs)) {
    const of = node.inputs.map((x) => degrees.get(x)!);
    degrees.set(node, roots.has(node) ? 1 : of.some((d) => d > 0) ? degreeOf(node, of) : 0);
  }
  return degrees;
}

function degreeOf({ op, inputs, dtype }: Node, of: readonly number[]): number {
  if (dtype !== "f64") return Infinity;
  if (LINEAR.has(op) || op === "customVjp") return of[0]!;
  const rest = of.slice(1).every((d) => d === 0);
  switch (op) {
    case "add":
    case "sub":
    case "concat":
      return Math.max(...of);
    case "mul":
    case "matmul":
      return of[0]! + of[1]!;
    case "div":
    case "gather":
    case "scatterAdd":
      return rest ? of[0]! : Infinity;
    case "select":
      return of[0] === 0 ? Math.max(of[1]!, of[2]!) : Infinity;
    case "triangularSolve":
      return of[0] === 0 ? of[1]! : Infinity;
    case "pow":
      return rest && constantOf(inputs[1]!) === 2 ? 2 * of[0]! : Infinity;
    default:
      return Infinity;
  }
}
