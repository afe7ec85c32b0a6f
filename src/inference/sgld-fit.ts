import { NonFiniteError, OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import { hostTurn } from "../base/host-turn.ts";
import type { LogDensity } from "./log-density.ts";
import { type SgldOptions, type StochasticLogDensity, sgld } from "./mcmc/sgld.ts";
import { type Slice, slicer } from "./slicer.ts";
import { compileStochasticLogDensity } from "./stochastic-density.ts";
import type { Target } from "./target.ts";

export interface SgldFitOptions {
  /** First step size ε, in units in which the posterior has about unit covariance. Default from the minibatches' noise. */
  readonly scale?: number;
  /** Of the step sizes ε_t = scale (1 + t / offset)^−decay. Default: such that they fall to a quarter. */
  readonly offset?: number;
  /** Above ½, at most 1. Default 0.55. */
  readonly decay?: number;
  /** Whether minibatch gradients are corrected by those at the centre, which takes most of their noise. Default true. */
  readonly controlVariates?: boolean;
  /** Default 4. */
  readonly chains?: number;
  /** Of each chain. Default 500. */
  readonly draws?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: SgldProgress) => void;
}

export interface SgldProgress {
  readonly kind: "chain";
  readonly chain: number;
  readonly done: number;
  readonly total: number;
  readonly warmingUp: boolean;
  readonly divergences: number;
}

/** Draws of several chains of stochastic gradient Langevin dynamics, and the steps that made them. */
export interface SgldFit {
  /** Unconstrained, [chains, draws, dim]: at equal distances in Langevin time Σ ε, so that they need no weights. */
  readonly points: Float64Array;
  readonly chains: number;
  readonly draws: number;
  /** Of each chain. */
  readonly steps: number;
  /** The first and the last step size. */
  readonly stepSizes: readonly [number, number];
  /** Variance of the gradient's estimate in units of its information: what the steps must be short beside. */
  readonly gradientVariance: number;
}

/** Where the chains begin, and the units in which they move: x = mean + factor · y. */
export interface SgldPlace {
  readonly mean: Float64Array;
  /** Lower triangular, [dim, dim]. */
  readonly factor: Float64Array;
}

/** What is asked of the step size: that it should widen variances by this share. */
const WIDENING = 0.02;
/** Langevin time between draws (of a standard normal: 1.6 draws for an effective one), and before the first. */
const BETWEEN = 3;
const BEFORE = 20;
/** Step sizes fall by this factor in all. */
const FALL = 4;
const PROBES = 64;
const SLICE_MS = 50;

/** The density of y with x = mean + factor · y: its gradient is factorᵀ that of x. */
function inUnits(inner: StochasticLogDensity, { mean, factor }: SgldPlace): StochasticLogDensity {
  const { dim } = inner;
  const x = new Float64Array(dim);
  const slope = new Float64Array(dim);
  return {
    dim,
    estimate(y, into, generator) {
      toPoint(y, { mean, factor }, x);
      inner.estimate(x, slope, generator);
      for (let j = 0; j < dim; j++) {
        let sum = 0;
        for (let i = j; i < dim; i++) sum += factor[i * dim + j]! * slope[i]!;
        into[j] = sum;
      }
    },
  };
}

function toPoint(y: Float64Array, { mean, factor }: SgldPlace, x: Float64Array): void {
  const dim = mean.length;
  for (let i = 0; i < dim; i++) {
    let sum = mean[i]!;
    for (let j = 0; j <= i; j++) sum += factor[i * dim + j]! * y[j]!;
    x[i] = sum;
  }
}

/** The largest variance, over coordinates, of estimates at points drawn from N(0, I), [dim]. */
async function noiseOf(density: StochasticLogDensity, generator: Generator, slice: Slice): Promise<number> {
  const { dim } = density;
  const [a, b] = [new Float64Array(dim), new Float64Array(dim)];
  const sums = new Float64Array(dim);
  let count = 0;
  for (let k = 0; k < PROBES; k++) {
    await slice();
    const y = generator.normals(new Float64Array(dim));
    density.estimate(y, a, generator);
    density.estimate(y, b, generator);
    // A chain that meets such a place says so.
    if (!a.every(Number.isFinite) || !b.every(Number.isFinite)) continue;
    count++;
    for (let j = 0; j < dim; j++) sums[j]! += (a[j]! - b[j]!) ** 2 / 2;
  }
  return sums.reduce((most, s) => Math.max(most, s), 0) / Math.max(1, count);
}

/**
 * Several chains of stochastic gradient Langevin dynamics (Welling and Teh 2011) on a target whose plates are subsampled.
 *
 * For a standard normal steps of size ε with gradients of variance V have the stationary variance (1 + ε V / 4) / (1 − ε / 4): by
 * default ε is such that this is about 1.02, V being measured.
 *
 * @param exact    the density with all data, for the gradient at the centre
 * @param explain  says what is not finite at a point
 * @throws OptionError for step sizes that are not positive or do not fall as the theory asks
 * @throws NonFiniteError when a chain meets a gradient that is not finite: names chain, step and term
 */
export async function sgldFit(
  target: Target,
  exact: LogDensity,
  place: SgldPlace,
  options: SgldFitOptions = {},
  explain?: (unconstrained: Float64Array) => Promise<Error>,
): Promise<SgldFit> {
  const { chains = 4, draws = 500, seed = 0, decay = 0.55, controlVariates = true, signal, onProgress } = options;
  for (const [name, value] of Object.entries({ chains, draws })) {
    if (!Number.isInteger(value) || value < 1)
      throw new OptionError(`${name} is a whole number, 1 or more, not ${value}`);
  }
  const { dim } = target;
  const at = place.mean;
  const gradient = new Float64Array(dim);
  exact.evaluate(at, gradient);
  const inner = await compileStochasticLogDensity(target, controlVariates ? { at, gradient } : null);
  const density = inUnits(inner, place);
  const gradientVariance = await noiseOf(density, new Generator(seed, "sgld noise"), slicer(signal));
  const typical = (4 * WIDENING) / (1 + gradientVariance);
  const scale = options.scale ?? 2 * typical;
  const time = BEFORE + BETWEEN * draws;
  const expected = time / (options.scale === undefined ? typical : options.scale / 2);
  const offset = options.offset ?? expected / (FALL ** (1 / decay) - 1);
  const schedule: SgldOptions = { scale: scale * offset ** decay, offset, decay };
  const points = new Float64Array(chains * draws * dim);
  let steps = 0;
  let last = scale;
  for (let chain = 0; chain < chains; chain++) {
    const kernel = sgld(density, schedule);
    const generator = new Generator(seed, "sgld", chain);
    // Wider than the posterior, so that chains that agree have found it.
    let state = kernel.init(generator.normals(new Float64Array(dim)).map((z) => 2 * z));
    let passed = 0;
    let kept = 0;
    let deadline = performance.now() + SLICE_MS;
    while (kept < draws) {
      const [next, { stepSize }] = kernel.step(state, generator);
      if (!next.u.every(Number.isFinite)) throw await unbounded(state.u, chain, state.count, place, explain);
      state = next;
      passed += stepSize;
      last = stepSize;
      if (passed >= BEFORE + BETWEEN * (kept + 1)) {
        toPoint(state.u, place, points.subarray((chain * draws + kept) * dim, (chain * draws + kept + 1) * dim));
        kept++;
      }
      if (performance.now() < deadline) continue;
      onProgress?.({ kind: "chain", chain, done: Math.floor(passed), total: time, warmingUp: kept === 0, divergences: 0 }); // biome-ignore format: one line
      signal?.throwIfAborted();
      await hostTurn();
      deadline = performance.now() + SLICE_MS;
    }
    steps = state.count;
    onProgress?.({ kind: "chain", chain, done: time, total: time, warmingUp: false, divergences: 0 });
  }
  return { points, chains, draws, steps, stepSizes: [scale, last], gradientVariance };
}

async function unbounded(
  y: Float64Array,
  chain: number,
  step: number,
  place: SgldPlace,
  explain?: (unconstrained: Float64Array) => Promise<Error>,
): Promise<NonFiniteError> {
  const x = new Float64Array(y.length);
  toPoint(y, place, x);
  const where = `chain ${chain + 1} of sgld met a gradient that is not finite at step ${step + 1}`;
  const why = explain ? (await explain(x)).message : "give a smaller scale";
  return new NonFiniteError(`${where}: ${why}`);
}
