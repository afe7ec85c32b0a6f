import { showShape } from "../../src/base/shape.ts";
import { type Graph, nodesOf } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import type { Plan } from "../../src/passes/plan.ts";

/** A plan as text: its kernels in order, what each computes, leaves in memory, and where; nodes numbered as printGraph does. */
export function showPlan(plan: Plan): string {
  const graph: Graph = plan.graph;
  const number = new Map(nodesOf(graph).map((n, i) => [n, i]));
  const show = (n: Node) => `%${number.get(n)} ${plan.accesses.copies.has(n) ? "copy of " : ""}${n.op}`;
  const place = (n: Node) => {
    const p = plan.places.get(n)!;
    return `%${number.get(n)} at ${plan.slots[p.slot]}+${p.offset}`;
  };
  const kernels = plan.kernels.map((k, i) => {
    if (k.kind === "routine") return `k${i} ${show(k.node)}; writes ${place(k.node)}`;
    const parts = [
      `k${i} loop ${showShape(k.shape)}: ${k.body.map(show).join(", ")}`,
      ...(k.reductions.length ? [`reduces ${k.reductions.map((n) => `%${number.get(n)} ${n.op}`).join(", ")}`] : []),
      `writes ${[...k.stored, ...k.reductions].map(place).join(", ")}`,
    ];
    return parts.join("; ");
  });
  const copies = plan.finalCopies.map(({ from, to }) => `then ${place(from)} to ${plan.slots[to.slot]}`);
  const inPlace = [...plan.inPlace].filter((name) => name.startsWith("state.")).join(", ") || "none";
  return [...kernels, ...copies, `arena ${plan.arenaBytes} bytes; in place: ${inPlace}`].join("\n");
}
