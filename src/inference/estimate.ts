import { OptionError } from "../base/errors.ts";
import type { DataFor } from "../model/data.ts";
import { intervene, type Model, type Returned } from "../model/model.ts";
import type { SiteDraws } from "../posterior/draws.ts";
import { compileDensityBatch } from "./density-batch.ts";
import type { InferOptions } from "./fit.ts";
import { fixedNoise } from "./fixed-noise.ts";
import { infer } from "./infer.ts";
import { lbfgs } from "./lbfgs.ts";
import type { Posterior } from "./posterior.ts";
import { type Problem, problemOf } from "./problem.ts";
import { compileReporter } from "./reported.ts";

/** Options of `estimate`. */
export interface EstimateOptions extends InferOptions {
  /** Maximum likelihood, or maximum posterior density (with the priors that `param` was given). */
  readonly by: "ml" | "map";
}

/** θ̂ and what stands beside it. */
export interface Estimate<R extends Returned = Returned> {
  /** The estimates by name, on the scale of the model. */
  readonly parameters: Readonly<Record<string, SiteDraws>>;
  /** −ELBO at the end, in nats: −log p(x; θ̂) (plus −log p(θ̂) by "map") where q holds the exact posterior of z. */
  readonly negElbo: number;
  readonly converged: boolean;
  readonly reason: string;
  /** p(z given x; θ̂), fitted as `infer` does. */
  posterior(): Promise<Posterior<R>>;
}

/** Beyond so many latent coordinates q has a diagonal covariance. */
const MOST_FULL = 60;
const START_SD = 0.3;

/**
 * Estimates the `param` sites of a model and integrates out its `sample` sites: the ELBO is maximised in θ and q(z) together
 * (variational EM: Neal and Hinton 1998), with q a Gaussian on unconstrained coordinates and its expectation taken over fixed draws
 * that are exact for quadratics. Discrete sites are summed out exactly. For q(θ) as well use `infer`, which treats parameters
 * like any latent site.
 *
 * @throws OptionError where the model has no parameter
 */
export async function estimate<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: EstimateOptions,
): Promise<Estimate<R>> {
  const { by, ...fitting } = options;
  const { seed = 0 } = fitting;
  if (by !== "ml" && by !== "map") throw new OptionError(`estimate works by "ml" or "map", not ${JSON.stringify(by)}`);
  const problem = (await problemOf(model, data, options)) as unknown as Problem;
  const { coordinates, dim } = problem;
  const indices = (kind: "param" | "sample") =>
    coordinates
      .filter((c) => c.kind === kind)
      .flatMap(({ offset, size }) => Array.from({ length: size }, (_, i) => offset + i));
  const [theta, latent] = [indices("param"), indices("sample")];
  if (!theta.length)
    throw new OptionError('estimate needs a parameter: declare θ by param("name", …); sample sites are integrated out');
  const k = latent.length;
  const full = k <= MOST_FULL;
  const draws = k === 0 ? 1 : full ? Math.max(32, 4 * k) : 64;
  const noise = k === 0 ? new Float64Array() : fixedNoise(draws, k, seed);
  const target = { ...problem, logDensity: (u: never, inputs: never) => problem.logJoint(u, inputs, by) };
  const batch = await compileDensityBatch(target, draws);
  const factors = full ? (k * (k + 1)) / 2 : k;
  const p = theta.length;
  const x = new Float64Array(draws * dim);
  const values = new Float64Array(draws);
  const gradients = new Float64Array(draws * dim);
  /** φ = (θ, mean, factor of the covariance by rows, its diagonal as logarithms). */
  const negElbo = (phi: Float64Array, gradient: Float64Array): number => {
    const at = (i: number) => p + k + (full ? (i * (i + 1)) / 2 : i);
    for (let s = 0; s < draws; s++) {
      for (const [j, c] of theta.entries()) x[s * dim + c] = phi[j]!;
      for (const [i, c] of latent.entries()) {
        let z = phi[p + i]!;
        if (full) {
          for (let j = 0; j < i; j++) z += phi[at(i) + j]! * noise[s * k + j]!;
          z += Math.exp(phi[at(i) + i]!) * noise[s * k + i]!;
        } else z += Math.exp(phi[at(i)]!) * noise[s * k + i]!;
        x[s * dim + c] = z;
      }
    }
    batch.evaluate(x, values, gradients);
    gradient.fill(0);
    let total = 0;
    for (let s = 0; s < draws; s++) {
      total -= values[s]! / draws;
      const g = (c: number) => -gradients[s * dim + c]! / draws;
      for (const [j, c] of theta.entries()) gradient[j]! += g(c);
      for (const [i, c] of latent.entries()) {
        gradient[p + i]! += g(c);
        const own = full ? at(i) + i : at(i);
        if (full) for (let j = 0; j < i; j++) gradient[at(i) + j]! += g(c) * noise[s * k + j]!;
        gradient[own]! += g(c) * noise[s * k + i]! * Math.exp(phi[own]!);
      }
    }
    for (let i = 0; i < k; i++) {
      const own = full ? at(i) + i : at(i);
      total -= phi[own]! + 0.5 * (1 + Math.log(2 * Math.PI));
      gradient[own]! -= 1;
    }
    return total;
  };
  const start = new Float64Array(p + k + factors);
  for (let i = 0; i < k; i++) start[p + k + (full ? (i * (i + 1)) / 2 + i : i)] = Math.log(START_SD);
  const found = lbfgs({ dim: start.length, evaluate: negElbo }, start, { maxIterations: 5000, gradientTolerance: 1e-8, valueTolerance: 1e-13 }); // biome-ignore format: one line
  const reporter = await compileReporter(problem, (realised) =>
    Object.fromEntries(coordinates.filter((c) => c.kind === "param").map(({ name }) => [name, realised.values[name]!])),
  );
  const point = new Float64Array(dim);
  for (const [j, c] of theta.entries()) point[c] = found.x[j]!;
  for (const [i, c] of latent.entries()) point[c] = found.x[p + i]!;
  const parameters = Object.fromEntries(
    Object.entries(reporter.at(point)).map(([name, v]) => [name, { shape: reporter.shapes[name]!, values: v.slice() }]),
  );
  return {
    parameters,
    negElbo: found.value,
    converged: found.converged,
    reason: found.reason,
    posterior: () => {
      const fixed = Object.fromEntries(
        Object.entries(parameters).map(([name, { shape, values: v }]) => [name, nested(v, shape)]),
      );
      return infer(intervene(model, fixed as never), data, fitting);
    },
  };
}

/** Values as nested arrays; a scalar as a number. */
function nested(values: Float64Array, shape: readonly number[]): unknown {
  if (shape.length === 0) return values[0];
  const size = values.length / shape[0]!;
  if (shape.length === 1) return [...values];
  return Array.from({ length: shape[0]! }, (_, i) => nested(values.subarray(i * size, (i + 1) * size), shape.slice(1)));
}
