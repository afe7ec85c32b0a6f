import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { opRow } from "../ops/table.ts";
import type { CustomRule, Trace } from "../ops/vocabulary.ts";

/**
 * Vectorises a computation: each output is recomputed with some of its ancestors replaced by tensors that carry a new
 * leading axis of length `size`. What does not depend on them is computed once and shared.
 *
 * @param replacements  node → its batched version, of shape [size, ...node.shape]
 * @returns             each output with shape [size, ...output.shape]
 */
export function vmap(b: Trace, outputs: readonly Node[], replacements: ReadonlyMap<Node, Node>, size: number): Node[] {
  const batched = new Map(replacements);
  for (const node of reachable(outputs, Math.min(...[...replacements.keys()].map((node) => node.id)))) {
    if (batched.has(node)) continue;
    const flags = node.inputs.map((x) => batched.has(x));
    if (!flags.some(Boolean)) continue;
    const args = node.inputs.map((x) => batched.get(x) ?? x);
    if (node.op === "customVjp") {
      batched.set(node, b.customVjp(...withRule(b, args, flags, node, size)));
      continue;
    }
    batched.set(node, opRow(node.op).batch(b, args, flags, node, size, vmap));
  }
  return outputs.map((output) => batched.get(output) ?? grow(b, output, size));
}

const grow = (b: Trace, x: Node, size: number): Node => b.broadcast(x, [size, ...x.shape], x.shape.map((_, d) => d + 1)); // biome-ignore format: short

/** A value with a gradient of its own keeps it: the rule is traced for one element and vectorised in its turn. */
function withRule(
  b: Trace,
  args: readonly Node[],
  flags: readonly boolean[],
  node: Node,
  size: number,
): [Node, Node[], CustomRule] {
  const [y, ...xs] = args.map((x, i) => (flags[i] ? x : grow(b, x, size)));
  const rule: CustomRule = (t, g, value, operands) => {
    const stand = (like: Node, name: string) => t.input(`vmap.${node.id}.${name}`, like.dtype, like.shape);
    const [one, ...each] = node.inputs.map((x, i) => stand(x, `x${i}`)) as [Node, ...Node[]];
    const cotangent = stand(node, "g");
    const parts = (node.attrs.rule as unknown as CustomRule)(t, cotangent, one, each);
    const replaced = new Map([[cotangent, g], [one, value], ...each.map((x, i): [Node, Node] => [x, operands[i]!])]);
    const found = vmap(t, parts.filter((part) => part !== null), replaced, size); // biome-ignore format: short
    return parts.map((part) => part && found.shift()!);
  };
  return [y!, xs, rule];
}
