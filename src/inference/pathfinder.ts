import { NonFiniteError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import { psis } from "../diagnostics/psis.ts";
import { type Approximation, hostGaussian, negElboOf } from "./approximation.ts";
import { type CompiledTarget, compileTarget, negLogDensity, startingPoint } from "./compiled-target.ts";
import { logDensities, slicedLogDensities } from "./density-batch.ts";
import { drawWith, type InverseHessian, inverseHessian, timesCovariance, updatedDiagonal } from "./inverse-hessian.ts";
import { type LbfgsOptions, lbfgsSliced } from "./lbfgs.ts";
import { slicer } from "./slicer.ts";
import { choleskyOf, symmetrised } from "./symmetric-solve.ts";
import type { Target } from "./target.ts";

export interface PathfinderOptions {
  /** Where the path begins, unconstrained. Default a random point on (−2, 2) in each coordinate, as the path is what is used. */
  readonly start?: ArrayLike<number>;
  /** Default 0. */
  readonly seed?: number;
  /** Pairs of the inverse Hessian. Default 6. */
  readonly memory?: number;
  /** Draws that each iterate's ELBO is estimated from. Default the compiled batch's size. */
  readonly elboDraws?: number;
  readonly maxIterations?: number;
  /** Fresh draws for the ELBO of the result. Default 256. */
  readonly evaluationDraws?: number;
  readonly compiled?: CompiledTarget;
  readonly signal?: AbortSignal;
}

export interface PathfinderFit extends Approximation {
  /** Which iterate of how many had the best ELBO. */
  readonly iterate: number;
  readonly iterates: number;
}

export interface MultiPathfinderOptions extends Omit<PathfinderOptions, "start"> {
  /** Default 8. */
  readonly paths?: number;
  /** One start for each path, unconstrained. Default random. */
  readonly starts?: readonly ArrayLike<number>[];
  /** Draws from each path that are weighed. Default 250. */
  readonly drawsPerPath?: number;
}

export interface MultiPathfinderFit {
  readonly fits: readonly PathfinderFit[];
  /** Tail index of the weights of all paths' draws: above 0.7 the draws are not to be trusted. */
  readonly khat: number;
  /** n draws from the weighed ones, with replacement, [n, dim]. */
  draw(n: number, seed: number): Float64Array;
  readonly converged: boolean;
  readonly reason: string;
  readonly evaluations: number;
  readonly seconds: number;
}

/**
 * Pathfinder (Zhang, Carpenter, Gelman and Vehtari 2022): on the way of L-BFGS to the mode each iterate gives a Gaussian with the
 * inverse Hessian that L-BFGS has there; the one with the greatest ELBO is taken. Where the mode is sharper than the mass around it, the
 * path has met the mass before.
 *
 * @throws NonFiniteError when there is nowhere to start, or no iterate has a finite ELBO
 */
export async function pathfinder(target: Target, options: PathfinderOptions = {}): Promise<PathfinderFit> {
  const started = performance.now();
  const { seed = 0, memory = 6, maxIterations = 1000, evaluationDraws = 256, signal } = options;
  const slice = slicer(signal);
  const compiled = options.compiled ?? (await compileTarget(target));
  const { dim } = target;
  const elboDraws = options.elboDraws ?? compiled.batch.points;
  const generator = new Generator(seed, "pathfinder");
  const random = Float64Array.from({ length: dim }, () => 2 * (2 * generator.uniform() - 1));
  const start = options.start ? startingPoint(compiled, options.start, seed) : finiteFrom(compiled, random, seed);

  let alpha: Float64Array = new Float64Array(dim).fill(1);
  let pairs: { step: Float64Array; change: Float64Array }[] = [];
  let before: { x: Float64Array; gradient: Float64Array } | null = null;
  let best: { negElbo: number; mean: Float64Array; shape: InverseHessian; iterate: number } | null = null;
  let iterates = 0;
  const consider = (x: Float64Array, gradient: Float64Array) => {
    const shape = inverseHessian(alpha, pairs);
    if (!shape) return;
    // One Newton step from the iterate: its Gaussian's mean.
    const step = timesCovariance(shape, gradient);
    const mean = x.map((v, i) => v - step[i]!);
    const { x: draws, logQ } = drawWith(shape, mean, elboDraws, generator);
    const { negElbo } = negElboOf(logQ, logDensities(compiled.batch, draws));
    if (Number.isFinite(negElbo) && (!best || negElbo < best.negElbo))
      best = { negElbo, mean, shape, iterate: iterates };
  };
  const search: LbfgsOptions = {
    memory,
    maxIterations,
    gradientTolerance: 1e-8,
    valueTolerance: 1e-13,
    onIterate(x, gradient) {
      if (before) {
        const step = x.map((v, i) => v - before!.x[i]!);
        const change = gradient.map((g, i) => g - before!.gradient[i]!);
        const updated = updatedDiagonal(alpha, step, change);
        if (updated?.every((a) => a > 0 && a < Infinity)) {
          alpha = updated;
          pairs = [...pairs, { step, change }].slice(-memory);
        }
        iterates++;
        consider(x, gradient);
      }
      before = { x: x.slice(), gradient: gradient.slice() };
    },
  };
  const path = await lbfgsSliced(negLogDensity(compiled), start, search, slice);
  // A closure assigns `best`, which the compiler does not follow.
  const found = best as { negElbo: number; mean: Float64Array; shape: InverseHessian; iterate: number } | null;
  if (!found)
    throw new NonFiniteError(
      `no point of the path has a Gaussian with a finite ELBO (L-BFGS stopped because ${path.reason}). Give another start or seed.`,
    );
  const covariance = new Float64Array(dim * dim);
  const unit = new Float64Array(dim);
  for (let j = 0; j < dim; j++) {
    unit.fill(0);
    unit[j] = 1;
    covariance.set(timesCovariance(found.shape, unit), j * dim);
  }
  await slice();
  const factor = choleskyOf(symmetrised(covariance, dim), dim);
  if (!factor)
    throw new NonFiniteError("the inverse Hessian of the path is not positive definite. Give another start or seed.");
  await slice();
  const gaussian = hostGaussian(found.mean, factor);
  await slice();
  const fresh = gaussian.draw(evaluationDraws, seed);
  return {
    family: "pathfinder",
    dim,
    params: Float64Array.from([...found.mean, ...factor]),
    ...gaussian,
    ...negElboOf(gaussian.logDensityOf(fresh), await slicedLogDensities(compiled.batch, fresh, slice)),
    converged: path.converged,
    reason: path.reason,
    iterate: found.iterate,
    iterates,
    evaluations: path.evaluations + iterates * elboDraws + evaluationDraws,
    seconds: (performance.now() - started) / 1000,
  };
}

/** The point itself where the density is finite there, else one that `startingPoint` finds. */
function finiteFrom(compiled: CompiledTarget, x: Float64Array, seed: number): Float64Array {
  try {
    return startingPoint(compiled, x, seed);
  } catch (error) {
    if (error instanceof NonFiniteError) return startingPoint(compiled, undefined, seed);
    throw error;
  }
}

/**
 * Pathfinder from several starts; the draws of all paths together are weighed by log p − log q and resampled, the weights smoothed as in
 * PSIS (Zhang et al. 2022, algorithm 5). Paths that fail are left out; `khat` says whether the weights can be trusted.
 *
 * @throws NonFiniteError when every path failed
 */
export async function multiPathfinder(
  target: Target,
  options: MultiPathfinderOptions = {},
): Promise<MultiPathfinderFit> {
  const started = performance.now();
  const { seed = 0, drawsPerPath = 250, signal } = options;
  const slice = slicer(signal);
  const compiled = options.compiled ?? (await compileTarget(target));
  const paths = options.starts?.length ?? options.paths ?? 8;
  const fits: PathfinderFit[] = [];
  const failures: string[] = [];
  for (let path = 0; path < paths; path++) {
    try {
      // Seeds of 53 bits, so that paths of neighbouring seeds share nothing.
      const own = new Generator(seed, "path", path);
      fits.push(await pathfinder(target, { ...options, start: options.starts?.[path], seed: own.word(), compiled }));
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error;
      failures.push(error.message);
    }
  }
  if (!fits.length) throw new NonFiniteError(`none of ${paths} paths gave an approximation; the first: ${failures[0]}`);
  const { dim } = target;
  const draws = new Float64Array(fits.length * drawsPerPath * dim);
  const logQ = new Float64Array(fits.length * drawsPerPath);
  for (const [i, fit] of fits.entries()) {
    await slice();
    const own = fit.draw(drawsPerPath, seed + i);
    draws.set(own, i * drawsPerPath * dim);
    logQ.set(fit.logDensityOf(own), i * drawsPerPath);
  }
  const logP = await slicedLogDensities(compiled.batch, draws, slice);
  // A draw outside of the support, or where the density overflows, has no weight.
  const weights = psis(logP.map((l, i) => (Number.isNaN(l) ? -Infinity : l - logQ[i]!)));
  const cumulative = new Float64Array(logQ.length);
  let total = 0;
  for (let i = 0; i < logQ.length; i++) cumulative[i] = total += Math.exp(weights.logWeights[i]!);
  const good = fits.filter((fit) => fit.converged).length;
  return {
    fits,
    khat: weights.khat,
    converged: good > 0,
    reason: `${good} of ${paths} paths reached a mode${failures.length ? `, ${failures.length} failed` : ""}`,
    evaluations: fits.reduce((sum, fit) => sum + fit.evaluations, 0) + logQ.length,
    seconds: (performance.now() - started) / 1000,
    draw(n, from) {
      const generator = new Generator(from, "resample");
      const out = new Float64Array(n * dim);
      for (let s = 0; s < n; s++) {
        const u = generator.uniform() * total;
        let [low, high] = [0, cumulative.length - 1];
        while (low < high) {
          const middle = (low + high) >> 1;
          if (cumulative[middle]! < u) low = middle + 1;
          else high = middle;
        }
        out.set(draws.subarray(low * dim, (low + 1) * dim), s * dim);
      }
      return out;
    },
  };
}
