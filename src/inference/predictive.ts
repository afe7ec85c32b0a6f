import { sameShape } from "../base/shape.ts";
import { isDiscrete } from "../constraints/support.ts";
import type { Buffer, TensorSpec } from "../engine/runtime.ts";
import { drawSites } from "../model/ancestral.ts";
import type { DataFor } from "../model/data.ts";
import type { Model, Returned } from "../model/model.ts";
import { isLatent, plateSizes } from "../model/site.ts";
import { Assignment } from "../model/terms.ts";
import { type Draws, drawsOf, type SiteDraws } from "../posterior/draws.ts";
import { f64, program, u32 } from "../program/program.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { MemoryVector } from "./compile.ts";
import { type Problem, type ProblemOptions, problemOf } from "./problem.ts";

/** Values of sites at each of many draws: what new draws are conditioned on. */
type Given = Readonly<Record<string, SiteDraws>>;

/**
 * Runs a model forwards `count` times: sites of `given` have those values, all others are drawn from their distributions.
 *
 * @returns  draws of what was drawn, and of the deterministic sites
 */
async function forwards(problem: Problem, given: Given, count: number, seed: number): Promise<Draws> {
  const { runtime, deterministic } = problem;
  const known = new Set(Object.keys(given));
  const specs: Record<string, TensorSpec> = { draw: u32([]) };
  const places: Record<string, Buffer> = { draw: runtime.buffer("u32", []) };
  for (const [name, { shape }] of Object.entries(given)) {
    specs[`given.${name}`] = f64(shape);
    places[`given.${name}`] = runtime.buffer("f64", shape);
  }
  const made = await program({
    inputs: { ...problem.inputs, ...specs },
    body: ({ inputs, rng }) => {
      const model = problem.trace(inputs[`draw`]!, inputs);
      const assignment = new Assignment(model);
      for (const site of model.sites) {
        if (isLatent(site) && known.has(site.name)) assignment.set(site, inputs[`given.${site.name}`]!);
      }
      const drawn = drawSites(model, rng.fold(inputs[`draw`]!), assignment, known);
      assignment.closeChains();
      const outputs: Record<string, Tensor> = { ...drawn };
      for (const site of model.sites) {
        if (site.kind === "deterministic") outputs[site.name] = assignment.of([site.value])[0]!;
      }
      return { outputs: Object.fromEntries(Object.entries(outputs).map(([n, t]) => [n, t.cast("f64")])) };
    },
    runtime,
    deterministic,
  });
  made.prepare({ ...problem.data, ...places } as never, seed);
  const inputs = Object.entries(given).map(([name, { values }]) => {
    const vector = new MemoryVector(places[`given.${name}`]!);
    return { values, vector, size: values.length / count };
  });
  const outputs = Object.entries(made.outputs as Record<string, Buffer>).map(([name, buffer]) => {
    const vector = new MemoryVector(buffer);
    const size = vector.values.length;
    return { name, shape: buffer.shape, vector, size, all: new Float64Array(count * size) };
  });
  for (let d = 0; d < count; d++) {
    places.draw!.write([d]);
    for (const { values, vector, size } of inputs) vector.values.set(values.subarray(d * size, (d + 1) * size));
    made.step();
    for (const { vector, size, all } of outputs) all.set(vector.values, d * size);
  }
  const sites = outputs.map(({ name, shape, all }): [string, SiteDraws] => [name, { shape, values: all }]);
  return drawsOf(1, count, Object.fromEntries(sites));
}

/** Options of `predict`. */
export interface PredictiveOptions {
  /** Default 0. */
  readonly seed?: number;
  /** How many of the posterior's draws to predict from, evenly spaced. Default: all. */
  readonly draws?: number;
}

/** `count` of `all` draws, evenly spaced. */
function thinned({ shape, values }: SiteDraws, all: number, count: number): SiteDraws {
  const size = values.length / all;
  const kept = new Float64Array(count * size);
  for (let i = 0; i < count; i++) {
    const at = Math.floor(((i + 0.5) * all) / count);
    kept.set(values.subarray(at * size, (at + 1) * size), i * size);
  }
  return { shape, values: kept };
}

/**
 * Draws from a model before any data are seen: latent sites from their priors, observed sites given those.
 *
 * @param data  gives sizes and what else the model's text reads; the values that it observes do not matter
 * @throws      OptionError for a site that cannot be drawn, such as one with a flat prior
 */
export async function priorPredictive<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: PredictiveOptions & ProblemOptions & { readonly draws?: number } = {},
): Promise<Draws> {
  const problem = (await problemOf(model, data, options)) as unknown as Problem;
  return forwards(problem, {}, options.draws ?? 1000, options.seed ?? 0);
}

/**
 * Replicates of the observed sites, one for each posterior draw; discrete latent sites, and latent sites that have another
 * shape under other data (new groups), are drawn anew from their distributions.
 */
export async function posteriorPredictive(
  problem: Problem,
  draws: Draws,
  { seed = 0, draws: wanted }: PredictiveOptions = {},
): Promise<Draws> {
  const all = draws.chains * draws.draws;
  const count = Math.min(all, wanted ?? all);
  const given: Record<string, SiteDraws> = {};
  for (const site of problem.layout.sites) {
    if (!isLatent(site) || isDiscrete(site.support)) continue;
    const found = draws.sites[site.name];
    const shape = [...plateSizes(site.plates), ...site.shape];
    if (found && sameShape(found.shape, shape)) given[site.name] = count < all ? thinned(found, all, count) : found;
  }
  return forwards(problem, given, count, seed);
}
