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
  /** The same at each of `count` points [count, dim]: [count, ...shape] by name. */
  all(points: Float64Array, count: number): Record<string, Float64Array>;
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
    all(points, count) {
      const columns = vectors.map(([name, vector]) => ({ name, vector, values: new Float64Array(count * vector.values.length) })); // biome-ignore format: one line
      for (let i = 0; i < count; i++) {
        const here = at.values;
        for (let j = 0; j < dim; j++) here[j] = points[i * dim + j]!;
        made.step();
        for (const { vector, values } of columns) {
          const found = vector.values;
          const first = i * found.length;
          for (let j = 0; j < found.length; j++) values[first + j] = found[j]!;
        }
      }
      return Object.fromEntries(columns.map(({ name, values }) => [name, values]));
    },
  };
}
