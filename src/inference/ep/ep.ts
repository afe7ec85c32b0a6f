import type { DataFor } from "../../model/data.ts";
import type { Model, Returned } from "../../model/model.ts";
import { f64, program } from "../../program/program.ts";
import { type Approximation, hostGaussian, negElboOf } from "../approximation.ts";
import { logDensityOfRows } from "../density-batch.ts";
import type { LogDensity } from "../log-density.ts";
import { refuseMissing } from "../missing.ts";
import { type Problem, problemOf } from "../problem.ts";
import { type Slice, slicer } from "../slicer.ts";
import { choleskyOf } from "../symmetric-solve.ts";
import { baseOf } from "./base.ts";
import { type EpOptions, settingsOf } from "./options.ts";
import { type OtherPeak, otherPeak } from "./other-peaks.ts";
import { type Failure, Propagation } from "./propagation.ts";
import { readAffine } from "./read-affine.ts";
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

/** What `ep` returns: a Gaussian over the unconstrained latent vector, and how it came about. */
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
  /** A place that q has no mass at, though the density is high there: then q is one of several peaks. Null where none was met with. */
  readonly otherPeak: OtherPeak | null;
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

/** Draws whose log densities are computed together. */
const TOGETHER = 64;

type RowDensities = (x: Float64Array, slice: Slice) => Promise<Float64Array>;

/** The log densities of the rows of x [count, dim]: by the one that is there already, or by a program for many rows. */
async function densitiesOf(problem: Problem, known?: LogDensity): Promise<RowDensities> {
  const { dim, runtime, deterministic } = problem;
  if (known) {
    const gradient = new Float64Array(dim);
    return async (x, slice) => {
      const found = new Float64Array(x.length / dim);
      for (let s = 0; s < found.length; s++) {
        if (s % TOGETHER === 0) await slice();
        found[s] = known.evaluate(x.slice(s * dim, (s + 1) * dim), gradient);
      }
      return found;
    };
  }
  const made = await program({
    runtime,
    deterministic,
    inputs: { ...problem.inputs, "batch.x": f64([TOGETHER, dim]) },
    body: ({ inputs }) => ({ outputs: { values: logDensityOfRows(problem, inputs["batch.x"]!, inputs) } }),
  });
  const place = runtime.buffer("f64", [TOGETHER, dim]);
  made.prepare({ ...problem.data, "batch.x": place } as never);
  return async (x, slice) => {
    const found = new Float64Array(x.length / dim);
    for (let first = 0; first < found.length; first += TOGETHER) {
      await slice();
      const rows = x.subarray(first * dim, (first + TOGETHER) * dim);
      (place.view() as Float64Array).set(rows);
      made.step();
      found.set((made.outputs.values.view() as Float64Array).subarray(0, rows.length / dim), first);
    }
    return found;
  };
}

/** The same for a problem that was read before. */
export async function epOf(problem: Problem, options: EpOptions = {}): Promise<EpResult> {
  const started = performance.now();
  const settings = settingsOf(options);
  refuseMissing(problem);
  const { dim } = problem;
  const slice = slicer(options.signal);
  const [base, read, logDensities] = await Promise.all([
    baseOf(problem, slice),
    readAffine(problem, slice),
    densitiesOf(problem, options.density),
  ]);
  const blocks = await sitesOf(problem, { read, origin: base.origin, alpha: settings.alpha, slice });
  const found = await new Propagation(base, blocks, settings, slice).run();
  const { state, states, logZ, converged, sweeps, residual } = found;
  const mean = state.mean.map((m, i) => m + base.origin[i]!);
  const covariance = state.covariance.slice();
  const factor = choleskyOf(covariance, dim);
  await slice();
  const gaussian = hostGaussian(mean, factor ?? new Float64Array(dim).fill(1));
  const draws = gaussian.draw(settings.evaluationDraws, settings.seed);
  await slice();
  const logP = (await logDensities(draws, slice)).map((value) => (Number.isNaN(value) ? -Infinity : value));
  const peak = converged ? await otherPeak(state, states, base.origin, logDensities, slice) : null;
  const reason = peak
    ? `${found.reason}; but where element ${peak.element + 1} of ${peak.term} has its peak, ${peak.distance.toFixed(1)} sd from the mean, ` +
      `the density is ${Math.exp(peak.logRatio).toPrecision(2)} of that at the mean, and it is lower in between: q holds one of several peaks`
    : found.reason;
  const approximation: EpApproximation = {
    family: "ep",
    dim,
    params: Float64Array.from([...mean, ...(factor ?? [])]),
    ...gaussian,
    ...negElboOf(gaussian.logDensityOf(draws), logP),
    converged: converged && factor !== null && !peak,
    reason,
    evaluations: settings.evaluationDraws,
    seconds: (performance.now() - started) / 1000,
    logZ,
    sweeps,
  };
  await slice();
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
  return { logZ, mean, covariance, names: problem.names, sweeps, converged, reason, residual, skipped, failures, otherPeak: peak, sites, approximation }; // biome-ignore format: one line
}
