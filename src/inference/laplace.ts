import { type Approximation, hostGaussian, negElboOf } from "./approximation.ts";
import { type CompiledTarget, compileTarget, negLogDensity, startingPoint } from "./compiled-target.ts";
import { slicedLogDensities } from "./density-batch.ts";
import { minimise } from "./newton.ts";
import { slicer } from "./slicer.ts";
import { choleskyOf, diagonalOf, inverseFromCholesky, symmetrised } from "./symmetric-solve.ts";
import type { Target } from "./target.ts";

export interface LaplaceOptions {
  /** Where the search for the mode begins, unconstrained. Default 0, or a random point where that is not finite. */
  readonly start?: ArrayLike<number>;
  /** Default 0. */
  readonly seed?: number;
  /** Fresh draws that the ELBO is estimated from. Default 256. */
  readonly evaluationDraws?: number;
  /** The target compiled before. */
  readonly compiled?: CompiledTarget;
  /** The mode, where it is known already. */
  readonly mode?: Mode;
  readonly signal?: AbortSignal;
}

export interface LaplaceFit extends Approximation {
  /** Log density at the mode. */
  readonly logDensityAtMode: number;
  /** log p(data) as the Gaussian integral has it: log p(mode) + d/2 log 2π − ½ log det H. NaN where there is no Gaussian. */
  readonly logEvidence: number;
}

/** The mode, as far as it was found, with the Cholesky factor of the precision where there is one. */
export interface Mode {
  readonly x: Float64Array;
  readonly logDensity: number;
  readonly cholesky: Float64Array | null;
  readonly converged: boolean;
  readonly reason: string;
  readonly evaluations: number;
}

/** Coordinates up to which the Hessian is made and factored once. */
const MOST_COORDINATES = 2000;

/** Searches a mode of the density: L-BFGS, then Newton's method, between whose steps the host has its turn. */
export async function findMode(
  compiled: CompiledTarget,
  start: Float64Array,
  slice = slicer(undefined),
): Promise<Mode> {
  const fn = negLogDensity(compiled);
  const curvature = diagonalOf(await fn.hessian(start, slice), fn.dim);
  const scale = curvature.map((h) => (Math.abs(h) > 1e-16 && Number.isFinite(h) ? 1 / Math.sqrt(Math.abs(h)) : 1));
  const found = await minimise(fn, start, { scale, slice });
  const { evaluations, x, converged, reason } = found;
  const end = { evaluations, x, logDensity: -found.value, converged, reason };
  if (found.hessian) return { ...end, cholesky: found.cholesky };
  if (fn.dim > MOST_COORDINATES)
    return { ...end, cholesky: null, reason: `${reason}; the Hessian of ${fn.dim} coordinates was not made` };
  const cholesky = choleskyOf(symmetrised(await fn.hessian(x, slice), fn.dim), fn.dim);
  if (cholesky) return { ...end, cholesky };
  // Beside a spike of the density L-BFGS stands still where there is no mode.
  return { ...end, cholesky, converged: false, reason: `${reason}, but the Hessian is not positive definite there` };
}

/**
 * Laplace's approximation: a Gaussian at the mode of the unconstrained density, with the inverse of the Hessian of −log p as
 * covariance (MacKay 2003, chapter 27). `converged` is false, and says why, where no mode was found or the Hessian there is not
 * positive definite; q is then a unit Gaussian at the last point, for reports only.
 *
 * @throws NonFiniteError  when there is nowhere to start
 */
export async function laplace(target: Target, options: LaplaceOptions = {}): Promise<LaplaceFit> {
  const started = performance.now();
  const { seed = 0, evaluationDraws = 256, signal } = options;
  const slice = slicer(signal);
  const compiled = options.compiled ?? (await compileTarget(target));
  const mode = options.mode ?? (await findMode(compiled, startingPoint(compiled, options.start, seed), slice));
  const { dim } = target;
  const identity = Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : 0));
  await slice();
  const factor = mode.cholesky && choleskyOf(inverseFromCholesky(mode.cholesky, dim), dim);
  await slice();
  const gaussian = hostGaussian(mode.x, factor ?? identity);
  const draws = gaussian.draw(evaluationDraws, seed);
  await slice();
  const bound = negElboOf(gaussian.logDensityOf(draws), await slicedLogDensities(compiled.batch, draws, slice));
  let halfLogDeterminant = mode.cholesky ? 0 : Number.NaN;
  if (mode.cholesky) for (const pivot of diagonalOf(mode.cholesky, dim)) halfLogDeterminant += Math.log(pivot);
  return {
    family: "laplace",
    dim,
    params: Float64Array.from([...mode.x, ...(factor ?? identity)]),
    ...gaussian,
    ...bound,
    converged: mode.converged && factor !== null,
    reason: factor ? mode.reason : `the Hessian of −log p gave no covariance at the last point (${mode.reason})`,
    evaluations: mode.evaluations + evaluationDraws,
    seconds: (performance.now() - started) / 1000,
    logDensityAtMode: mode.logDensity,
    logEvidence: mode.logDensity + 0.5 * dim * Math.log(2 * Math.PI) - halfLogDeterminant,
  };
}
