import type { Shape } from "../base/shape.ts";
import { isDiscrete } from "../constraints/support.ts";
import { f64, program } from "../program/program.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { MemoryVector } from "./compile.ts";
import type { Problem, Realised } from "./problem.ts";

/** One quantity that a posterior has draws of. */
export interface Quantity {
  readonly name: string;
  readonly shape: Shape;
  readonly values: Float64Array;
}

/** Computes the reported quantities at one unconstrained point; the arrays are written over by the next call. */
export interface Reporter {
  readonly shapes: Readonly<Record<string, Shape>>;
  at(unconstrained: ArrayLike<number>): Readonly<Record<string, Float64Array>>;
}

/** The latent sites, the deterministic ones, and what the model's body returned besides them. */
export function reportedTensors({ model, assignment, values }: Realised): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = { ...values };
  const known = new Set<unknown>();
  const discrete = new Set<unknown>();
  for (const site of model.sites) {
    if (site.kind === "sample" && isDiscrete(site.support)) discrete.add(site.value.node);
    if (site.kind === "sample" || site.kind === "param") known.add(site.value.node);
    if (site.kind !== "deterministic") continue;
    known.add(site.value.node);
    tensors[site.name] = assignment.of([site.value])[0]!;
  }
  for (const [name, value] of Object.entries(model.returned ?? {})) {
    if (Object.hasOwn(tensors, name) || known.has(value.node) || discrete.has(value.node)) continue;
    tensors[name] = assignment.of([value])[0]!;
  }
  return tensors;
}

/**
 * Compiles named functions of the latent sites, to be evaluated draw by draw.
 *
 * @param pick  the tensors to compute, of the model at the values
 */
export async function compileReporter(
  problem: Problem,
  pick: (realised: Realised) => Readonly<Record<string, Tensor>> = reportedTensors,
): Promise<Reporter> {
  const { dim, runtime, deterministic, inputs, data } = problem;
  const place = runtime.buffer("f64", [dim]);
  const made = await program({
    inputs: { ...inputs, unconstrained: f64([dim]) },
    body: ({ inputs: all }) => {
      const { unconstrained, ...rest } = all;
      const outputs = pick(problem.realise(unconstrained, rest));
      return { outputs: Object.fromEntries(Object.entries(outputs).map(([n, t]) => [n, t.cast("f64")])) };
    },
    runtime,
    deterministic,
  });
  made.prepare({ ...data, unconstrained: place } as never);
  const at = new MemoryVector(place);
  const outputs = Object.entries(made.outputs as Record<string, typeof place>);
  const vectors = outputs.map(([name, buffer]) => [name, new MemoryVector(buffer)] as const);
  return {
    shapes: Object.fromEntries(outputs.map(([name, { shape }]) => [name, shape])),
    at(unconstrained) {
      at.values.set(unconstrained);
      made.step();
      return Object.fromEntries(vectors.map(([name, v]) => [name, v.values]));
    },
  };
}

/** Values of the reported quantities at each of `count` unconstrained points, [count, ...shape] by name. */
export function reportAll(reporter: Reporter, points: Float64Array, count: number): Record<string, Float64Array> {
  const dim = count ? points.length / count : 0;
  const all = new Map<string, Float64Array>();
  for (let i = 0; i < count; i++) {
    for (const [name, values] of Object.entries(reporter.at(points.subarray(i * dim, (i + 1) * dim)))) {
      if (i === 0) all.set(name, new Float64Array(count * values.length));
      all.get(name)!.set(values, i * values.length);
    }
  }
  return Object.fromEntries(all);
}
