import { NonFiniteError, OptionError } from "../../base/errors.ts";
import { Generator } from "../../base/generator.ts";
import { hostTurn } from "../../base/host-turn.ts";
import type { Kernel } from "./kernel.ts";

/** A log density whose gradient is estimated, from a minibatch or otherwise, without bias. */
export interface StochasticLogDensity {
  readonly dim: number;
  /** Writes an estimate of the gradient at `u` [dim] into `gradient` [dim]; what it draws, it draws from `generator`. */
  estimate(u: Float64Array, gradient: Float64Array, generator: Generator): void;
}

export interface SgldOptions {
  /** Step sizes ε_t = scale (offset + t)^−decay, t = 0, 1, … They must fall to 0, but not too fast: decay from above ½ to 1. */
  readonly scale: number;
  /** Default 1. */
  readonly offset?: number;
  /** Default 0.55. */
  readonly decay?: number;
  /** Variances [dim] that precondition gradient and noise alike. Default: all 1. */
  readonly variances?: ArrayLike<number>;
}

export interface SgldState {
  readonly u: Float64Array;
  /** Steps taken. */
  readonly count: number;
}

export interface SgldInfo {
  /** ε of this step: its draw's weight in an average. */
  readonly stepSize: number;
}

/**
 * Stochastic gradient Langevin dynamics (Welling and Teh, ICML 2011, eq. 4): u ← u + ½ ε ĝ + √ε n, n ~ N(0, I), without a
 * Metropolis correction. Exact only in the limit ε → 0, where the noise of the gradient vanishes beside the injected one.
 *
 * @throws OptionError for step sizes that are not positive or do not fall as the theory asks
 */
export function sgld(density: StochasticLogDensity, options: SgldOptions): Kernel<SgldState, SgldInfo> {
  const { scale, offset = 1, decay = 0.55, variances } = options;
  const { dim } = density;
  if (!(scale > 0 && scale < Infinity && offset > 0))
    throw new OptionError(`sgld takes a positive scale and offset, not ${scale} and ${offset}`);
  if (!(decay > 0.5 && decay <= 1))
    throw new OptionError(
      `sgld's step sizes must have an infinite sum and a finite sum of squares: decay lies above 0.5 and not above 1; it was ${decay}`,
    );
  if (variances && variances.length !== dim)
    throw new OptionError(`sgld was given ${variances.length} variances; the density has ${dim} coordinates`);
  const gradient = new Float64Array(dim);
  return {
    init: (u) => ({ u: u.slice(), count: 0 }),
    step: (state, generator) => {
      const stepSize = scale * (offset + state.count) ** -decay;
      density.estimate(state.u, gradient, generator);
      const u = state.u.slice();
      for (let i = 0; i < dim; i++) {
        const variance = stepSize * (variances?.[i] ?? 1);
        u[i] = u[i]! + 0.5 * variance * gradient[i]! + Math.sqrt(variance) * generator.normal();
      }
      return [{ u, count: state.count + 1 }, { stepSize }];
    },
  };
}

export interface SampleSgldOptions extends SgldOptions {
  readonly initial: ArrayLike<number>;
  readonly seed?: number;
  readonly chain?: number;
  /** Steps that are not kept. Default 1000. */
  readonly warmUp?: number;
  /** Draws that are kept. Default 1000. */
  readonly draws?: number;
  /** Steps for each draw. Default 10. */
  readonly thin?: number;
  readonly signal?: AbortSignal;
}

export interface SgldResult {
  /** [draws, dim]. */
  readonly draws: Float64Array;
  /** Weights [draws] with sum 1, in proportion to the step sizes: averages over draws are taken with them (eq. 11). */
  readonly weights: Float64Array;
}

const SLICE_MS = 50;

/**
 * One chain of stochastic gradient Langevin dynamics. Yields to the host about every 50 ms.
 *
 * @throws NonFiniteError when the chain leaves the finite numbers; the signal's reason when it is aborted
 */
export async function sampleSgld(density: StochasticLogDensity, options: SampleSgldOptions): Promise<SgldResult> {
  const { seed = 0, chain = 0, warmUp = 1000, draws: count = 1000, thin = 10, signal } = options;
  const { dim } = density;
  if (options.initial.length !== dim)
    throw new OptionError(`sgld was given ${options.initial.length} initial values; the density has ${dim}`);
  const kernel = sgld(density, options);
  const generator = new Generator(seed, "sgld", chain);
  let state = kernel.init(Float64Array.from(options.initial));
  const draws = new Float64Array(count * dim);
  const weights = new Float64Array(count);
  let deadline = performance.now() + SLICE_MS;
  const total = warmUp + count * thin;
  for (let t = 0; t < total; t++) {
    const [next, { stepSize }] = kernel.step(state, generator);
    state = next;
    const kept = t - warmUp;
    if (kept >= 0) weights[Math.floor(kept / thin)]! += stepSize;
    if (kept >= 0 && kept % thin === thin - 1) draws.set(state.u, ((kept - thin + 1) / thin) * dim);
    if (performance.now() < deadline) continue;
    const bad = state.u.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) throw diverged(bad, t);
    signal?.throwIfAborted();
    await hostTurn();
    deadline = performance.now() + SLICE_MS;
  }
  const bad = state.u.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) throw diverged(bad, total);
  const sum = weights.reduce((a, b) => a + b, 0);
  return { draws, weights: weights.map((w) => w / sum) };
}

const diverged = (coordinate: number, step: number): NonFiniteError =>
  new NonFiniteError(
    `stochastic gradient Langevin dynamics left the finite numbers in coordinate ${coordinate} by step ${step}: its steps are too ` +
      "long. Give a smaller scale, or variances that fit the coordinates' scales.",
  );
