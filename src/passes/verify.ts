import { InternalError } from "../base/errors.ts";
import { sameShape, showShape } from "../base/shape.ts";
import { type Graph, nodesOf } from "../ir/graph.ts";
import { opRow } from "../ops/table.ts";

/** Checks that every node is what its rule says of its operands, and that operands come first. Run after each pass. */
export function verify(graph: Graph, after: string): Graph {
  for (const node of nodesOf(graph)) {
    const complain = (what: string): never => {
      throw new InternalError(`after ${after}: node %${node.id} ${node.op}: ${what}`);
    };
    for (const x of node.inputs) if (x.id >= node.id) complain(`operand %${x.id} does not come before it`);
    if (node.op === "input" || node.op === "const") continue;
    const inferred = opRow(node.op).infer(node.inputs, node.attrs);
    if (inferred.dtype !== node.dtype || !sameShape(inferred.shape, node.shape)) {
      complain(
        `is ${node.dtype}${showShape(node.shape)} but its rule gives ${inferred.dtype}${showShape(inferred.shape)}`,
      );
    }
  }
  return graph;
}
