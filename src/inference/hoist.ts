import { sizeOf } from "../base/shape.ts";
import type { Buffer, TensorSpec } from "../engine/runtime.ts";
import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { substitute } from "../model/substitute.ts";
import { createTrace } from "../ops/trace.ts";
import { f64, program } from "../program/program.ts";
import type { Key } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Target } from "./target.ts";

/** Ops that only look at their operand in another way: fused they cost nothing, stored they would be copied. */
const MOVEMENT = new Set(["broadcast", "reshape", "transpose", "slice", "stopGradient"]);
const STORED = new Set(["f64", "f32", "i32", "u32", "u8"]);
/** With fewer elements in all than this, a program of their own costs more time than it saves. */
const WORTHWHILE = 256;

type Tensors = Readonly<Record<string, Tensor>>;

/** The greatest parts of a graph that data alone decide, in a fixed order. */
function dataParts(output: Node, inputs: Tensors): Node[] {
  const data = new Set(Object.values(inputs).map((t) => t.node));
  /** Whether a node that depends on nothing else depends on data; absent where it depends on something else. */
  const fixed = new Map<Node, boolean>();
  const parts = new Set<Node>();
  const place = (node: Node): void => {
    if (data.has(node) || !fixed.get(node)) return;
    if (MOVEMENT.has(node.op) || !STORED.has(node.dtype)) for (const x of node.inputs) place(x);
    else parts.add(node);
  };
  for (const node of reachable([output])) {
    if (data.has(node)) fixed.set(node, true);
    else if (node.op === "const" || node.op === "iota") fixed.set(node, false);
    else if (node.inputs.length && node.inputs.every((x) => fixed.has(x)))
      fixed.set(node, node.inputs.some((x) => fixed.get(x))); // biome-ignore format: one line
    else for (const x of node.inputs) if (fixed.has(x)) place(x);
  }
  return [...parts];
}

const part = (i: number): string => `part.${i}`;

/** A target whose data decide parts of its density: those are computed here, once, and become inputs of the density. */
export async function hoistData<T extends Target>(target: T): Promise<T> {
  const { dim, runtime, deterministic, inputs, data } = target;
  const partsOf = (unconstrained: Tensor, all: Tensors): Node[] =>
    dataParts(target.logDensity(unconstrained, all).node, all);

  const b = createTrace();
  const stand = ([name, { dtype, shape }]: [string, TensorSpec]) => [name, new Tensor(b, b.input(name, dtype, shape))];
  const point = new Tensor(b, b.input("unconstrained", "f64", [dim]));
  const parts = partsOf(point, Object.fromEntries(Object.entries(inputs).map(stand)));
  if (parts.reduce((n, { shape }) => n + sizeOf(shape), 0) < WORTHWHILE) return target;

  const made = await program({
    inputs: { ...inputs, unconstrained: f64([dim]) },
    body: ({ inputs: { unconstrained, ...rest } }) => ({
      outputs: Object.fromEntries(
        partsOf(unconstrained!, rest as Tensors).map((node, i) => [part(i), new Tensor(unconstrained!.trace, node)]),
      ),
    }),
    runtime,
    deterministic,
  });
  made.call({ ...data, unconstrained: runtime.buffer("f64", [dim]) } as never);
  const outputs = made.outputs as Readonly<Record<string, Buffer>>;
  const specs = Object.fromEntries(parts.map(({ dtype, shape }, i) => [part(i), { dtype, shape, upTo: false }]));
  return {
    ...target,
    inputs: { ...inputs, ...specs },
    data: { ...data, ...outputs },
    logDensity(unconstrained: Tensor, all: Tensors, rng?: Key<Tensor>) {
      const raw = Object.fromEntries(Object.keys(inputs).map((name) => [name, all[name]!]));
      const value = target.logDensity(unconstrained, raw, rng);
      // Subsampled, the density reads other rows of the data at each step: its parts are not those that were computed.
      if (rng) return value;
      const { trace, node } = value;
      const replaced = new Map(dataParts(node, raw).map((found, i) => [found, all[part(i)]!.node]));
      return new Tensor(trace, substitute(trace, [node], replaced)[0]!);
    },
  };
}
