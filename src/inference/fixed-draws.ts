import { OptionError } from "../base/errors.ts";
import { type Approximation, hostGaussian, negElboOf } from "./approximation.ts";
import { type CompiledTarget, compileTarget, negLogDensity, startingPoint } from "./compiled-target.ts";
import { type DensityBatch, slicedLogDensities } from "./density-batch.ts";
import { fixedNoise } from "./fixed-noise.ts";
import { findMode, type Mode } from "./laplace.ts";
import { minimise, type TwiceSmooth } from "./newton.ts";
import { type Slice, slicer } from "./slicer.ts";
import { diagonalOf, inverseFromCholesky, solveCholesky } from "./symmetric-solve.ts";
import type { Target } from "./target.ts";

export interface FixedDrawOptions {
  /** Where the search begins, unconstrained. Default 0, or a random point where that is not finite. */
  readonly start?: ArrayLike<number>;
  /**
   * How many draws the expectation is replaced by: an even multiple of what the compiled target takes at once. Default 64, or more than
   * two for each coordinate, so that the coordinates of the draws are uncorrelated; at most 256.
   */
  readonly draws?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Stops when the negative ELBO can be lowered by no more than this many nats. Default 1e-10. */
  readonly tolerance?: number;
  /** Fresh draws that the ELBO is estimated from. Default 256. */
  readonly evaluationDraws?: number;
  readonly compiled?: CompiledTarget;
  /** The mode, where it is known already: it gives the scales and the start. */
  readonly mode?: Mode;
  readonly signal?: AbortSignal;
}

/** Below this linear response has some per cent of error where the posterior is skewed; above the other the cost outgrows the gain. */
const LEAST_DRAWS = 64;
const MOST_DRAWS = 256;

export interface FixedDrawFit extends Approximation {
  /** Means, then log standard deviations, [2 · dim]. */
  readonly params: Float64Array;
  /** Standard error of each mean from the draws being few: the sandwich H⁻¹ V H⁻¹ / S (Giordano et al. 2024, section 4). */
  readonly meanSe: Float64Array;
  /** Cholesky factor of the objective's Hessian in (mean, log sd), [2 · dim, 2 · dim]; null where it is not positive definite. */
  readonly hessianCholesky: Float64Array | null;
  readonly compiled: CompiledTarget;
}

/**
 * −mean_s log p(mean + sd ∘ z_s) − Σ log sd in θ = (mean, log sd), both relative to a location and a scale. A class, so that all fits run the
 * same compiled methods.
 */
export class FixedDrawObjective implements TwiceSmooth {
  readonly dim: number;
  private readonly batch: DensityBatch;
  private readonly noise: Float64Array;
  private readonly location: Float64Array;
  private readonly scale: Float64Array;
  private readonly draws: number;
  private readonly x: Float64Array;
  private readonly values: Float64Array;
  private readonly gradients: Float64Array;
  /** The derivative of each x in its log sd. */
  private readonly stretch: Float64Array;

  /** @param noise  z [draws, dim], the draws a multiple of the batch's points */
  constructor(batch: DensityBatch, noise: Float64Array, location: Float64Array, scale: Float64Array) {
    this.dim = 2 * batch.dim;
    this.batch = batch;
    this.noise = noise;
    this.location = location;
    this.scale = scale;
    this.draws = noise.length / batch.dim;
    this.x = new Float64Array(noise.length);
    this.values = new Float64Array(this.draws);
    this.gradients = new Float64Array(noise.length);
    this.stretch = new Float64Array(noise.length);
  }

  evaluate(theta: Float64Array, gradient: Float64Array): number {
    this.evaluateAt(theta);
    const { draws, values, gradients, scale, stretch } = this;
    const { dim } = this.batch;
    gradient.fill(0);
    let sum = 0;
    for (let s = 0; s < draws; s++) {
      sum -= values[s]! / draws;
      for (let j = 0; j < dim; j++) {
        const g = gradients[s * dim + j]! / draws;
        gradient[j] = gradient[j]! - scale[j]! * g;
        gradient[dim + j] = gradient[dim + j]! - stretch[s * dim + j]! * g;
      }
    }
    for (let j = 0; j < dim; j++) {
      sum -= theta[dim + j]!;
      gradient[dim + j]! -= 1;
    }
    return sum;
  }

  /** With H_s the Hessian of −log p at x_s: blocks S H S, S H D_s, D_s H D_s − diag(D_s g_s), averaged; D_s = stretch. */
  async hessian(theta: Float64Array, slice: Slice): Promise<Float64Array> {
    this.evaluateAt(theta);
    const { batch, draws, x } = this;
    const { points, dim } = batch;
    const hessian = new Float64Array(4 * dim * dim);
    const direction = new Float64Array(points * dim);
    const products = new Float64Array(draws * dim);
    for (let j = 0; j < dim; j++) {
      direction.fill(0);
      for (let s = 0; s < points; s++) direction[s * dim + j] = 1;
      for (let from = 0; from < draws; from += points) {
        await slice();
        batch.hessianProduct!(this.rowsOf(x, from), direction, this.rowsOf(products, from));
      }
      this.addColumn(hessian, products, j);
    }
    return hessian;
  }

  /** Adds what the products with unit vector j say of columns j and dim + j. */
  private addColumn(hessian: Float64Array, products: Float64Array, j: number): void {
    const { draws, scale, stretch, gradients } = this;
    const { dim } = this.batch;
    const n = 2 * dim;
    for (let s = 0; s < draws; s++) {
      const dj = stretch[s * dim + j]!;
      for (let i = 0; i < dim; i++) {
        const h = -products[s * dim + i]! / draws;
        const di = stretch[s * dim + i]!;
        hessian[i * n + j]! += scale[i]! * scale[j]! * h;
        hessian[i * n + dim + j]! += scale[i]! * dj * h;
        hessian[(dim + i) * n + j]! += di * scale[j]! * h;
        hessian[(dim + i) * n + dim + j]! += di * dj * h;
      }
      hessian[(dim + j) * n + dim + j]! -= (dj * gradients[s * dim + j]!) / draws;
    }
  }

  /** Each draw's own gradient in θ, without the entropy's, [draws, 2 · dim]. */
  slopes(theta: Float64Array): Float64Array {
    this.evaluateAt(theta);
    const { draws, scale, stretch, gradients } = this;
    const { dim } = this.batch;
    const out = new Float64Array(draws * 2 * dim);
    for (let s = 0; s < draws; s++) {
      for (let j = 0; j < dim; j++) {
        out[s * 2 * dim + j] = -scale[j]! * gradients[s * dim + j]!;
        out[s * 2 * dim + dim + j] = -stretch[s * dim + j]! * gradients[s * dim + j]!;
      }
    }
    return out;
  }

  private evaluateAt(theta: Float64Array): void {
    const { batch, noise, location, scale, draws, x, values, gradients, stretch } = this;
    const { points, dim } = batch;
    for (let j = 0; j < dim; j++) {
      const mean = location[j]! + scale[j]! * theta[j]!;
      const sd = scale[j]! * Math.exp(theta[dim + j]!);
      for (let s = 0; s < draws; s++) {
        const at = s * dim + j;
        stretch[at] = sd * noise[at]!;
        x[at] = mean + stretch[at]!;
      }
    }
    for (let from = 0; from < draws; from += points)
      batch.evaluate(this.rowsOf(x, from), values.subarray(from, from + points), this.rowsOf(gradients, from));
  }

  private rowsOf(array: Float64Array, from: number): Float64Array {
    const { points, dim } = this.batch;
    return array.subarray(from * dim, (from + points) * dim);
  }
}

/** Mean variances of θ̂ from few draws: H⁻¹ V H⁻¹ over pairs z, −z, which are what is independent. Leading `dim` entries. */
function sandwich(slopes: Float64Array, cholesky: Float64Array, points: number, dim: number): Float64Array {
  const n = 2 * dim;
  const pairs = points / 2;
  const total = new Float64Array(dim);
  const middle = new Float64Array(n);
  for (let s = 0; s < points; s++) for (let i = 0; i < n; i++) middle[i]! += slopes[s * n + i]! / points;
  for (let s = 0; s < pairs; s++) {
    const pair = Float64Array.from(middle, (m, i) => (slopes[s * n + i]! + slopes[(s + pairs) * n + i]!) / 2 - m);
    solveCholesky(cholesky, pair);
    for (let i = 0; i < dim; i++) total[i]! += pair[i]! ** 2 / (pairs * Math.max(1, pairs - 1));
  }
  return total;
}

/**
 * Mean-field variational inference with fixed draws (Giordano, Ingram and Broderick 2024): the expectation in the negative ELBO is
 * replaced by an average over the same few draws throughout, so that it is a smooth function like any other and its minimisation
 * stops on the gradient. Coordinates are scaled, and the search preconditioned, by the Laplace approximation where there is one.
 *
 * @throws OptionError     when `draws` is odd or below 2, or does not fit the compiled target
 * @throws NonFiniteError  when there is nowhere to start
 */
export async function fixedDraws(target: Target, options: FixedDrawOptions = {}): Promise<FixedDrawFit> {
  const started = performance.now();
  const { seed = 0, evaluationDraws = 256, tolerance, signal } = options;
  const slice = slicer(signal);
  const { dim } = target;
  const { draws: given } = options;
  if (given !== undefined && !(Number.isInteger(given) && given >= 2 && given % 2 === 0))
    throw new OptionError(`fixedDraws takes an even number of draws, since they come in pairs, not ${given}`);
  const compiled = options.compiled ?? (await compileTarget(target, given ?? 32));
  const { points } = compiled.batch;
  const enough = Math.min(MOST_DRAWS, Math.max(LEAST_DRAWS, 2 * dim + 4));
  const draws = given ?? 2 * points * Math.ceil(enough / (2 * points));
  if (draws % points)
    throw new OptionError(
      `the target was compiled for ${points} points at once: take a multiple of that as draws, not ${draws}`,
    );
  const start = startingPoint(compiled, options.start, seed);
  const mode = options.mode ?? (await findMode(compiled, start, slice));

  const location = mode.converged ? mode.x : start;
  const curvature = diagonalOf(await negLogDensity(compiled).hessian(location, slice), dim);
  const scale = curvature.map((h) => (h > 1e-16 && h < Infinity ? 1 / Math.sqrt(h) : 1));
  const fn = new FixedDrawObjective(compiled.batch, fixedNoise(draws, dim, seed), location, scale);
  const factor = mode.converged ? mode.cholesky : null;
  const found = await minimise(fn, new Float64Array(2 * dim), {
    tolerance,
    slice,
    // For a Gaussian target the Hessian is that of the Laplace approximation in the means, and 2 in each log sd.
    precondition: factor
      ? (g) => {
          const means = g.subarray(0, dim);
          for (let j = 0; j < dim; j++) means[j]! /= scale[j]!;
          solveCholesky(factor, means);
          for (let j = 0; j < dim; j++) means[j]! /= scale[j]!;
          for (let j = 0; j < dim; j++) g[dim + j]! /= 2;
        }
      : undefined,
  });

  const mean = Float64Array.from({ length: dim }, (_, j) => location[j]! + scale[j]! * found.x[j]!);
  const sd = Float64Array.from({ length: dim }, (_, j) => scale[j]! * Math.exp(found.x[dim + j]!));
  await slice();
  const gaussian = hostGaussian(mean, sd);
  const fresh = gaussian.draw(evaluationDraws, seed);
  const bound = negElboOf(gaussian.logDensityOf(fresh), await slicedLogDensities(compiled.batch, fresh, slice));
  const unit = (j: number) => (j < dim ? scale[j]! : 1);
  await slice();
  const variances = found.cholesky && sandwich(fn.slopes(found.x), found.cholesky, draws, dim);
  return {
    family: "mean-field",
    dim,
    params: Float64Array.from([...mean, ...sd.map(Math.log)]),
    ...gaussian,
    ...bound,
    converged: found.converged,
    reason: found.reason,
    evaluations: found.evaluations * draws + mode.evaluations + evaluationDraws,
    seconds: (performance.now() - started) / 1000,
    meanSe: Float64Array.from({ length: dim }, (_, j) => scale[j]! * Math.sqrt(variances?.[j] ?? Number.NaN)),
    // L of the Hessian in standardised parameters becomes diag(1/unit) L in the parameters themselves.
    hessianCholesky: found.cholesky?.map((l, at) => l / unit(Math.floor(at / (2 * dim)))) ?? null,
    compiled,
  };
}

/** The block of H⁻¹ that belongs to the means, [dim, dim]. */
export const meanBlock = (cholesky: Float64Array, dim: number): Float64Array =>
  inverseFromCholesky(cholesky, 2 * dim, dim);
