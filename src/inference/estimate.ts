import { OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import type { DataFor } from "../model/data.ts";
import { intervene, type Model, type Returned } from "../model/model.ts";
import { initialParameters, layoutOf } from "../nn/layout.ts";
import type { SiteDraws } from "../posterior/draws.ts";
import { program } from "../program/program.ts";
import { parameterSpecs } from "./amortized-plate.ts";
import { compileDensityBatch } from "./density-batch.ts";
import { explainNonFinite } from "./diagnose.ts";
import { BlockDraws } from "./estimate-family.ts";
import type { InferOptions } from "./fit.ts";
import { infer } from "./infer.ts";
import { checkInferOptions } from "./infer-options.ts";
import { type LbfgsResult, lbfgs, type SmoothFunction } from "./lbfgs.ts";
import type { Posterior } from "./posterior.ts";
import { type Problem, problemOf } from "./problem.ts";
import { compileReporter } from "./reported.ts";
import { type Slice, slicer } from "./slicer.ts";

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

/** Standard deviation of the move off a point that may be a saddle, and how often such moves may lead on. */
const NUDGE = 0.03;
const NUDGES = 10;
/** Unconstrained, where a parameter is as good as at the end of its support: a scale of 1e-87. */
const FURTHEST = 200;
/** Share of the bound by which a fit from beside a minimum must be lower for it to have been none. */
const LOWER = 1e-7;

/**
 * Estimates the `param` sites of a model and integrates out its `sample` sites: the ELBO is maximised in θ and q(z) together
 * (variational EM: Neal and Hinton 1998), with q a Gaussian on unconstrained coordinates and its expectation taken over fixed draws
 * that are exact for quadratics. Beyond 60 latent coordinates q has covariances within each element of a plate alone. Parameters
 * start at their `initial`, else at 0 on the unconstrained scale; the fit goes on from saddles. Discrete sites are summed out exactly.
 * For q(θ) as well use `infer`, which treats parameters like any latent site.
 *
 * @throws OptionError                   where the model has no parameter, or one starts outside of its support
 * @throws SupportError, NonFiniteError  where the log density is not finite at the start: names the term
 */
export async function estimate<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: EstimateOptions,
): Promise<Estimate<R>> {
  const { by, ...fitting } = options;
  checkInferOptions(fitting);
  const { seed = 0 } = fitting;
  if (by !== "ml" && by !== "map") throw new OptionError(`estimate works by "ml" or "map", not ${JSON.stringify(by)}`);
  const problem = (await problemOf(model, data, options)) as unknown as Problem;
  const { coordinates, dim } = problem;
  const parts = coordinates.filter((c) => c.kind === "param");
  const theta = parts.flatMap(({ offset, size }) => Array.from({ length: size }, (_, i) => offset + i));
  if (!theta.length)
    throw new OptionError('estimate needs a parameter: declare θ by param("name", …); sample sites are integrated out');
  const q = new BlockDraws(problem, seed);
  const { draws } = q;
  const target = { ...problem, logDensity: (u: never, inputs: never) => problem.logJoint(u, inputs, by) };
  const batch = await compileDensityBatch(target, draws);
  const p = theta.length;
  const x = new Float64Array(draws * dim);
  const values = new Float64Array(draws);
  const gradients = new Float64Array(draws * dim);
  /** φ = (θ, parameters of q). */
  const negElbo = (phi: Float64Array, gradient: Float64Array): number => {
    for (let s = 0; s < draws; s++) for (const [j, c] of theta.entries()) x[s * dim + c] = phi[j]!;
    q.write(phi.subarray(p), x, dim);
    batch.evaluate(x, values, gradients);
    const total = q.negEntropy(phi.subarray(p), gradients, dim, gradient.subarray(p));
    for (const [j, c] of theta.entries()) {
      let slope = 0;
      for (let s = 0; s < draws; s++) slope -= gradients[s * dim + c]! / draws;
      gradient[j] = slope;
    }
    return total - values.reduce((sum, value) => sum + value, 0) / draws;
  };
  const start = Float64Array.from([...(await firstParameters(problem, seed)), ...q.start()]);
  /** θ and the means of z, as one point of the joint density. */
  const pointOf = (phi: Float64Array): Float64Array => {
    const point = new Float64Array(dim);
    for (const [j, c] of theta.entries()) point[c] = phi[j]!;
    for (const [c, mean] of q.means(phi.subarray(p))) point[c] = mean;
    return point;
  };
  const ended = await lowest({ dim: start.length, evaluate: negElbo }, start, seed, slicer(options.signal));
  const point = pointOf(ended.x);
  if (!Number.isFinite(ended.value)) throw await explainNonFinite(problem, point);
  const edge = parts.find(({ support, offset, size }) => support.kind !== "real" && point.subarray(offset, offset + size).some((u) => Math.abs(u) > FURTHEST)); // biome-ignore format: one line
  const found = edge
    ? { ...ended, converged: false, reason: `param("${edge.name}") runs to the end of its support, and the bound rises all the way: give it a prior, or more data` } // biome-ignore format: one line
    : ended;
  const reporter = await compileReporter(problem, (realised) =>
    Object.fromEntries(parts.map(({ name }) => [name, realised.values[name]!])),
  );
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

/** θ where the model's text starts it, else 0, unconstrained. */
async function firstParameters(problem: Problem, seed: number): Promise<Float64Array> {
  const { runtime, deterministic, coordinates } = problem;
  const layout = layoutOf(parameterSpecs(problem, { params: coordinates.filter((c) => c.kind === "param") }));
  const made = await program({
    runtime,
    deterministic,
    body: ({ rng }) => ({ outputs: { first: initialParameters(layout, rng.site("init"), "f64") } }),
  });
  await made.run({}, 1, { seed });
  const first = made.outputs.first.read() as Float64Array;
  const outside = layout.places.find(
    ({ offset, size }) => !first.subarray(offset, offset + size).every(Number.isFinite),
  );
  if (outside) throw new OptionError(`param("${outside.name}"): its initial value lies outside of its support`);
  return first;
}

/**
 * A minimum by L-BFGS. At a saddle the gradient vanishes as well: where all loadings of a factor are 0, nothing says which way they
 * should go. So it goes on from beside each point that it finds, until it comes back.
 */
async function lowest(fn: SmoothFunction, start: Float64Array, seed: number, slice: Slice): Promise<LbfgsResult> {
  const search = (from: Float64Array) =>
    lbfgs(fn, from, { maxIterations: 5000, gradientTolerance: 1e-8, valueTolerance: 1e-13 });
  let best = search(start);
  for (let round = 0; best.converged; round++) {
    await slice();
    const generator = new Generator(seed, "estimate", round);
    const next = search(best.x.map((v) => v + NUDGE * generator.normal()));
    const isLower = next.value < best.value - LOWER * Math.max(1, Math.abs(best.value));
    if (!isLower) break;
    best = next;
    if (round >= NUDGES)
      return {
        ...best,
        converged: false,
        reason: "from beside each point where it came to rest, the fit went on to a better one",
      };
  }
  return best;
}

/** Values as nested arrays; a scalar as a number. */
function nested(values: Float64Array, shape: readonly number[]): unknown {
  if (shape.length === 0) return values[0];
  const size = values.length / shape[0]!;
  if (shape.length === 1) return [...values];
  return Array.from({ length: shape[0]! }, (_, i) => nested(values.subarray(i * size, (i + 1) * size), shape.slice(1)));
}
