import { isFloat } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { opRow } from "../ops/table.ts";
import type { Trace } from "../ops/vocabulary.ts";

/**
 * Reverse-mode differentiation, graph to graph: appends to the same trace the cotangents Σ_i cotangents[i] · ∂outputs[i]/∂wrt[j].
 * The result is made of ordinary nodes, so it can be differentiated again.
 *
 * @param outputs     values to differentiate
 * @param cotangents  one for each output, of its shape and dtype
 * @param wrt         what to differentiate by; an entry that no output depends on gets zeros
 */
export function vjp(b: Trace, outputs: readonly Node[], cotangents: readonly Node[], wrt: readonly Node[]): Node[] {
  const order = reachable(outputs, Math.min(...wrt.map((node) => node.id)));
  const wanted = new Set(wrt);
  const needed = new Set<Node>();
  for (const node of order) if (wanted.has(node) || node.inputs.some((x) => needed.has(x))) needed.add(node);

  const total = new Map<Node, Node>();
  const accumulate = (node: Node, g: Node) => {
    const sum = total.get(node);
    total.set(node, sum ? b.add(sum, g) : g);
  };
  for (const [i, output] of outputs.entries()) if (isFloat(output.dtype)) accumulate(output, cotangents[i]!);

  for (const node of order.reverse()) {
    const g = total.get(node);
    if (!g || !node.inputs.some((x) => needed.has(x))) continue;
    const rule = opRow(node.op).vjp;
    if (!rule) throw new InternalError(`op "${node.op}" has no gradient: write the vjp of its row under src/ops`);
    const parts = rule(b, g, node, vjp);
    for (const [i, input] of node.inputs.entries()) {
      const part = parts[i];
      if (part && needed.has(input) && isFloat(input.dtype)) accumulate(input, part);
    }
  }
  return wrt.map((node) => total.get(node) ?? b.fill(node, 0));
}

/** The gradient of one scalar output. */
export function gradient(b: Trace, output: Node, wrt: readonly Node[]): Node[] {
  return vjp(b, [output], [b.fill(output, 1)], wrt);
}
