import { OptionError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import { bijectorTo } from "../../constraints/bijector.ts";
import { f64, program } from "../../program/program.ts";
import { concat, full } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Approximation } from "../approximation.ts";
import type { Problem } from "../problem.ts";
import { type CaviFit, type CaviOptions, fitWithSetting } from "./cavi.ts";
import { type Setting, statesOfBlocks } from "./sweep.ts";

/** Draws that one call of the compiled sampler makes. */
const CHUNK = 500;
/** Draws that the reported mean and sd of q come from. */
const SUMMARY_DRAWS = 4000;

export interface CaviApproximation extends Approximation {
  readonly fit: CaviFit;
  readonly sweeps: number;
}

/**
 * Coordinate ascent as a method of `infer`: q over the continuous sites on their unconstrained scale, its discrete factors left out, so
 * that it can be weighed against the density with the discrete sites summed out.
 */
export async function caviApproximation(problem: Problem, options: CaviOptions = {}): Promise<CaviApproximation> {
  refuseEstimated(problem);
  const { fit, setting } = await fitWithSetting(problem, options);
  return approximationOf(problem, fit, setting, "mean-field in closed form", options.seed);
}

/** @throws OptionError where a parameter has no factor that could be drawn from */
export function refuseEstimated(problem: Problem): void {
  const estimated = problem.coordinates.find((c) => c.kind === "param");
  if (estimated) {
    throw new OptionError(
      `param("${estimated.name}") is estimated, not inferred: fit this model by cavi(model, data), whose factors hold the estimate, or ` +
        "sample it from a prior",
    );
  }
}

/** Factors over all latent sites as an approximation of the posterior on the unconstrained scale. */
export async function approximationOf(
  problem: Problem,
  fit: CaviFit,
  setting: Setting,
  family: string,
  seed = 0,
): Promise<CaviApproximation> {
  const { blocks } = setting.structure;
  const { dim, coordinates, runtime, deterministic } = problem;
  const shared = { runtime, deterministic, state: setting.buffers };
  const sampler = await program({
    ...shared,
    body: ({ state, rng }) => {
      const states = statesOfBlocks(blocks, state);
      const drawn = Object.assign({}, ...blocks.map((b, i) => b.draw(states[i]!, rng.site("q"), CHUNK))) as Record<string, Tensor>; // biome-ignore format: one line
      const parts = coordinates.map(({ name, support, size }) =>
        bijectorTo(support).inverse(drawn[name]!).reshape([CHUNK, size]),
      );
      return { outputs: { rows: concat(parts, 1) } };
    },
  });
  const density = await program({
    ...shared,
    inputs: { point: f64([dim]) },
    body: ({ state, inputs: { point } }) => {
      const states = statesOfBlocks(blocks, state);
      const values: Record<string, Tensor> = {};
      let logQ = full(point!, [], 0);
      for (const { name, support, offset, size, unconstrainedShape, shape } of coordinates) {
        const u = point!.narrow(0, offset, size).reshape(unconstrainedShape);
        const bijector = bijectorTo(support);
        values[name] = bijector.forward(u).broadcastTo(shape);
        if (support.kind !== "real") logQ = logQ.add(bijector.logJacobian(u, values[name]).sum());
      }
      for (const [i, b] of blocks.entries()) if (b.logDensity) logQ = logQ.add(b.logDensity(states[i]!, values));
      return { outputs: { logQ } };
    },
  });
  const place = runtime.buffer("f64", [dim]);
  density.prepare({ point: place });
  const draw = (n: number, seed: number): Float64Array => {
    const out = new Float64Array(n * dim);
    const seeds = new Generator(seed, "cavi draws");
    for (let from = 0; from < n; from += CHUNK) {
      sampler.call({}, seeds.integer(2 ** 32));
      const rows = sampler.outputs.rows.view() as Float64Array;
      out.set(rows.subarray(0, Math.min(CHUNK, n - from) * dim), from * dim);
    }
    return out;
  };
  const { mean, sd } = momentsOf(draw(SUMMARY_DRAWS, seed), dim);
  return {
    family,
    dim,
    params: new Float64Array(0),
    mean,
    sd,
    covariance: null,
    negElbo: -fit.elbo,
    negElboSe: 0,
    converged: fit.converged,
    reason: fit.reason,
    evaluations: fit.sweeps,
    seconds: fit.seconds,
    draw,
    logDensityOf: (x) =>
      Float64Array.from({ length: x.length / dim }, (_, s) => {
        place.write(x.subarray(s * dim, (s + 1) * dim));
        density.step();
        return (density.outputs.logQ.view() as Float64Array)[0]!;
      }),
    fit,
    sweeps: fit.sweeps,
  };
}

function momentsOf(rows: Float64Array, dim: number): { mean: Float64Array; sd: Float64Array } {
  const n = rows.length / dim;
  const [mean, sd] = [new Float64Array(dim), new Float64Array(dim)];
  for (let s = 0; s < n; s++) for (let j = 0; j < dim; j++) mean[j]! += rows[s * dim + j]! / n;
  for (let s = 0; s < n; s++) for (let j = 0; j < dim; j++) sd[j]! += (rows[s * dim + j]! - mean[j]!) ** 2 / (n - 1);
  return { mean, sd: sd.map(Math.sqrt) };
}
