import type { Nodes } from "../../src/engine/program.ts";
import type { TensorSpec } from "../../src/engine/runtime.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { createTrace } from "../../src/ops/trace.ts";
import { type RandomStep, randomStep } from "./graph-generator.ts";

/** A random step as a graph: states and inputs by their full names, new states and outputs by theirs. */
export function graphOfStep(step: RandomStep): Graph {
  const b = createTrace();
  const declare = (kind: string, specs: Readonly<Record<string, TensorSpec>>): Nodes =>
    Object.fromEntries(Object.entries(specs).map(([name, s]) => [name, b.input(`${kind}.${name}`, s.dtype, s.shape)]));
  const { state, outputs } = step.trace(b, declare("state", step.state), declare("input", step.inputs));
  const named = (kind: string, nodes: Nodes) =>
    Object.entries(nodes).map(([name, n]) => [`${kind}.${name}`, n] as const);
  return { outputs: new Map([...named("state", state), ...named("output", outputs)]) };
}

export const randomGraph = (seed: number): Graph => graphOfStep(randomStep(seed));
