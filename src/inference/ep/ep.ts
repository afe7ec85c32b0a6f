import type { DataFor } from "../../model/data.ts";
import type { Model, Returned } from "../../model/model.ts";
import { type Approximation, hostGaussian, negElboOf } from "../approximation.ts";
import { compileLogDensity } from "../compile.ts";
import { refuseMissing } from "../missing.ts";
import { type Problem, problemOf } from "../problem.ts";
import { choleskyOf } from "../symmetric-solve.ts";
import { baseOf } from "./base.ts";
import { type EpOptions, settingsOf } from "./options.ts";
import { type Failure, Propagation } from "./propagation.ts";
import { sitesOf } from "./sites.ts";

/** The approximation of one site: exp(ν·t − ½ tᵀ τ t) in the projections t that it sees of z. */
export interface EpSite {
  /** `observe("y")` */
  readonly term: string;
  /** Which element of the term, row-major. */
  readonly element: number;
  /** [k, dim] */
  readonly directions: Float64Array;
  /** [k, k] and [k]; natural parameters in the coordinates z. */
  readonly precision: Float64Array;
  readonly linear: Float64Array;
}

/** q, with what only EP knows of it. */
export interface EpApproximation extends Approximation {
  readonly logZ: number;
  readonly sweeps: number;
}

export interface EpResult {
  /** log p(data) as EP has it; NaN where a site could not be evaluated at the end. */
  readonly logZ: number;
  /** Of the unconstrained latent vector: [dim] and [dim, dim]. */
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
  readonly names: readonly string[];
  readonly sweeps: number;
  readonly converged: boolean;
  /** Why it stopped, and what was passed over. */
  readonly reason: string;
  /** Largest change that a site still asked for, in units of the sd it sees. */
  readonly residual: number;
  /** Visits at which a site could not be updated, over all sweeps. */
  readonly skipped: number;
  readonly failures: readonly Failure[];
  readonly sites: readonly EpSite[];
  readonly approximation: EpApproximation;
}

/**
 * Expectation propagation (Minka 2001) with a Gaussian over the unconstrained latent vector z. Terms of the log joint that are
 * quadratic in z are kept as they are; each element of every other term is a site, seen through the linear projections of z that it
 * depends on (found from the model's graph). Power EP by `alpha` (Minka 2004).
 *
 * @throws OptionError  when an option is outside its range, or a site depends on more than three projections: names the term
 * @throws DataError    when a value is missing
 */
export async function ep<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: EpOptions = {},
): Promise<EpResult> {
  return epOf((await problemOf(model, data)) as unknown as Problem, options);
}

/** The same for a problem that was read before. */
export async function epOf(problem: Problem, options: EpOptions = {}): Promise<EpResult> {
  const started = performance.now();
  const settings = settingsOf(options);
  refuseMissing(problem);
  const { dim } = problem;
  const [base, blocks, density] = await Promise.all([
    baseOf(problem),
    sitesOf(problem),
    options.density ?? compileLogDensity(problem),
  ]);
  const found = new Propagation(base, blocks, settings).run(options.signal);
  const { state, states, logZ, converged, reason, sweeps, residual } = found;
  const mean = state.mean.map((m, i) => m + base.origin[i]!);
  const covariance = state.covariance.slice();
  const factor = choleskyOf(covariance, dim);
  const gaussian = hostGaussian(mean, factor ?? new Float64Array(dim).fill(1));
  const draws = gaussian.draw(settings.evaluationDraws, settings.seed);
  const gradient = new Float64Array(dim);
  const logP = Float64Array.from({ length: settings.evaluationDraws }, (_, s) => {
    const value = density.evaluate(draws.slice(s * dim, (s + 1) * dim), gradient);
    return Number.isNaN(value) ? -Infinity : value;
  });
  const approximation: EpApproximation = {
    family: "ep",
    dim,
    params: Float64Array.from([...mean, ...(factor ?? [])]),
    ...gaussian,
    ...negElboOf(gaussian.logDensityOf(draws), logP),
    converged: converged && factor !== null,
    reason,
    evaluations: settings.evaluationDraws,
    seconds: (performance.now() - started) / 1000,
    logZ,
    sweeps,
  };
  const sites = states.flatMap(({ block, tau, nu }) => {
    const { k, term, count, elements, directions } = block;
    return Array.from({ length: count }, (_, site): EpSite => {
      const own = directions.slice(site * k * dim, (site + 1) * k * dim);
      const precision = tau.slice(site * k * k, (site + 1) * k * k);
      const linear = nu.slice(site * k, (site + 1) * k);
      // From z − origin to z.
      const at = Array.from({ length: k }, (_, j) => base.origin.reduce((sum, o, i) => sum + o * own[j * dim + i]!, 0));
      for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) linear[i]! += precision[i * k + j]! * at[j]!;
      return { term, element: elements[site]!, directions: own, precision, linear };
    });
  });
  const { skipped, failures } = found;
  return { logZ, mean, covariance, names: problem.names, sweeps, converged, reason, residual, skipped, failures, sites, approximation }; // biome-ignore format: one line
}
