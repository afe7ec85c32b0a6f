import { dtypes, type TypedArray } from "../../base/dtype.ts";
import { sizeOf } from "../../base/shape.ts";
import { type Graph, nodesOf } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import { opRow } from "../../ops/table.ts";
import type { Plan } from "../../passes/plan.ts";
import { type Backend, type BoundExecutable, type Executable, ringOutputs } from "../backend.ts";

/**
 * Evaluates a graph node by node by the meanings in the op table.
 *
 * @param inputs  an array for each input name
 * @returns       an array for each output name
 */
export function evaluateGraph(graph: Graph, inputs: ReadonlyMap<string, TypedArray>): Map<string, TypedArray> {
  const values = new Map<Node, TypedArray>();
  for (const node of nodesOf(graph)) values.set(node, evaluateNode(node, values, inputs));
  return new Map([...graph.outputs].map(([name, node]) => [name, values.get(node)!]));
}

function evaluateNode(
  node: Node,
  values: ReadonlyMap<Node, TypedArray>,
  inputs: ReadonlyMap<string, TypedArray>,
): TypedArray {
  if (node.op === "const") {
    return new dtypes[node.dtype].array(sizeOf(node.shape)).fill(node.attrs.value as number);
  }
  const bound = node.op === "input" ? inputs.get(node.attrs.name as string) : undefined;
  return bound ?? opRow(node.op).evaluate(node.inputs.map((x) => values.get(x)!), node); // biome-ignore format: short
}

/** Plain loops, slow and obvious: the oracle of the other backends, never what a fit runs on. */
export const reference: Backend = {
  name: "reference",
  keeps: () => true,
  compile: async (plan: Plan): Promise<Executable> => ({
    backend: "reference",
    nodes: nodesOf(plan.graph).map((n) => ({ node: `%${n.id}`, op: n.op, backend: "reference", kernel: "loops" })),
    scratchBytes: 0,
    codeBytes: 0,
    imports: [],
    bind: async ({ memory }) => bindReference(plan, memory),
  }),
};

function bindReference(plan: Plan, memory: WebAssembly.Memory): BoundExecutable {
  const inputs = nodesOf(plan.graph).filter((n) => n.op === "input");
  const scalars = ringOutputs(plan.graph);
  return {
    run(table, steps, ring) {
      const slots = new Uint32Array(memory.buffer, table, plan.slots.length + 2); // the arena and regions, scratch, ring
      const view = (name: string, node: Node) => {
        const { view, bytes } = dtypes[node.dtype];
        const address = slots[plan.slots.indexOf(name)]!;
        // An input's capacity may reach beyond the end of the memory; its rows do not.
        const room = Math.floor((memory.buffer.byteLength - address) / bytes);
        return view(memory.buffer, address, Math.min(sizeOf(node.shape), room));
      };
      for (let step = 0; step < steps; step++) {
        const given = inputs.map((n) => [n.attrs.name as string, view(n.attrs.name as string, n).slice()] as const);
        const results = evaluateGraph(plan.graph, new Map(given));
        for (const [name, node] of plan.graph.outputs) view(name, node).set(results.get(name)! as never);
        const row = new Float64Array(memory.buffer, slots[plan.slots.length + 1]!, (ring + step + 1) * scalars.length);
        for (const [i, name] of scalars.entries()) row[(ring + step) * scalars.length + i] = results.get(name)![0]!;
      }
    },
  };
}
