import type { Node } from "../../../ir/node.ts";
import { attrsOf } from "../../../ops/scan/layout.ts";
import type { Plan } from "../../../passes/plan.ts";
import type { Expr } from "../assembler/expr.ts";
import type { FuncBuilder } from "../assembler/module.ts";
import type { RoutineContext, RoutineEmitter, WasmOptions } from "../routines.ts";
import { bodyPlan } from "./body-plan.ts";
import { demandOf } from "./demand.ts";
import { emitInline } from "./inline.ts";
import { emitStepwise, stepwiseScratch } from "./stepwise.ts";

/** Scratch of the kernels inside a body, found out when the room for them was made. */
const innerScratch = new WeakMap<Node, number>();

/** The body written out where it is small, kernel by kernel where it is not. */
const scan: RoutineEmitter = (c: RoutineContext, f: FuncBuilder, table: Expr, _part: Expr, node: Node): void => {
  const demand = demandOf(attrsOf(node).body.graph);
  if (demand) emitInline(c, f, table, node, demand);
  else emitStepwise(c, f, table, node, innerScratch.get(node)!);
};
scan.prepare = (node: Node, inner: (plan: Plan) => Promise<void>) => {
  const { graph } = attrsOf(node).body;
  // A body that is written out has no kernels, but may need functions that are loaded on demand.
  return inner(demandOf(graph) ? ({ graph, kernels: [] } as unknown as Plan) : bodyPlan(node));
};
scan.scratchBytes = (_options: WasmOptions, node: Node, inner: (plan: Plan) => number): number => {
  if (demandOf(attrsOf(node).body.graph)) return 0;
  innerScratch.set(node, inner(bodyPlan(node)));
  return stepwiseScratch(node, inner);
};

/** Emitters of ops with a body. */
export const emitters: Readonly<Record<string, RoutineEmitter>> = { scan };
