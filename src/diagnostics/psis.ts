import {
  fitGeneralizedPareto,
  generalizedParetoQuantile,
  greaterTailIndex,
  greatest,
  LEAST_TAIL,
  tailIndex,
  tailSize,
} from "./generalized-pareto.ts";
import { logSumExp } from "./moments.ts";

export interface SmoothedWeights {
  /** Log weights with their tail smoothed, normalised so that the weights sum to 1. */
  readonly logWeights: Float64Array;
  /** Tail index of the raw weights: below 0.7 importance sampling can be trusted (see `khatThreshold`). */
  readonly khat: number;
}

export interface PsisOptions {
  /** Effective draws per draw, below 1 for a correlated chain: the tail is then longer. Default 1. */
  readonly relativeEfficiency?: number;
}

/**
 * Pareto smoothed importance sampling (Vehtari, Simpson, Gelman, Yao, Gabry 2024, JMLR 25): the M = ⌈min(S/5, 3 √(S/r))⌉
 * greatest weights are replaced by the expected order statistics of the generalised Pareto distribution fitted to them, and
 * none may exceed the greatest raw weight.
 *
 * @param logWeights  log p − log q of each draw, up to a constant; −∞ where the draw has no mass
 * @returns           khat = ∞ where there are too few draws for a fit, or weights that are not finite; −∞ where the weights are equal
 */
export function psis(logWeights: ArrayLike<number>, { relativeEfficiency = 1 }: PsisOptions = {}): SmoothedWeights {
  const size = logWeights.length;
  const most = greatestOf(logWeights);
  const shifted = new Float64Array(size);
  for (let i = 0; i < size; i++) shifted[i] = logWeights[i]! - most;
  if (!Number.isFinite(most)) return { logWeights: shifted, khat: Infinity };

  const tail = tailSize(size, relativeEfficiency);
  // Weights below the smallest normal number would be equal to 0 and give exceedances of 0.
  const cutoff = Math.max(greatest(shifted, 1, Math.min(size, tail + 1))[0]!, Math.log(2 ** -1022));
  const smoothed = shifted.slice();
  /** Where the weights beyond the cutoff are, in rising order. */
  const order: number[] = [];
  for (let i = 0; i < size; i++) if (shifted[i]! > cutoff) order.push(i);
  order.sort((i, j) => shifted[i]! - shifted[j]!);
  const above = order.length;

  let khat: number;
  if (above === 0) khat = -Infinity;
  else if (above < LEAST_TAIL) khat = Infinity;
  else {
    const base = Math.exp(cutoff);
    const exceedances = Float64Array.from(order, (at) => Math.exp(shifted[at]!) - base);
    const fit = fitGeneralizedPareto(exceedances);
    khat = Number.isNaN(fit.k) ? Infinity : fit.k;
    if (Number.isFinite(khat)) {
      for (let i = 0; i < above; i++) {
        const expected = Math.log(generalizedParetoQuantile(fit, (i + 0.5) / above) + base);
        smoothed[order[i]!] = Math.min(expected, 0);
      }
    }
  }
  const total = logSumExp(smoothed);
  for (let i = 0; i < size; i++) smoothed[i]! -= total;
  return { logWeights: smoothed, khat };
}

/** The greatest value; NaN when one is NaN, which no comparison would show. */
function greatestOf(values: ArrayLike<number>): number {
  let greatest = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!)) return Number.NaN;
    if (values[i]! > greatest) greatest = values[i]!;
  }
  return greatest;
}

/** Above this k-hat the S draws at hand do not suffice: min(1 − 1/log10 S, 0.7) (Vehtari et al. 2024, section 3.2.4). */
export const khatThreshold = (draws: number): number => Math.min(1 - 1 / Math.log10(draws), 0.7);

/** Effective draws of importance weights for a flat function, (Σ w)² / Σ w² (Kong 1992). Weights need not be normalised. */
export function importanceEss(logWeights: ArrayLike<number>): number {
  const doubled = new Float64Array(logWeights.length);
  for (let i = 0; i < doubled.length; i++) doubled[i] = 2 * logWeights[i]!;
  return Math.exp(2 * logSumExp(logWeights) - logSumExp(doubled));
}

/** How many times the mean the greatest weight may be, and what share of the draws effective, for weights to count as nearly equal. */
const GREATEST = 4;
const NEARLY_ALL = 0.9;

/**
 * k-hat of weights; at most 0 where they are nearly equal. A tail fitted to those says nothing of them (a k of 5 has been seen), and
 * weights with a bound have none, k ≤ 0.
 */
export function khatUnlessEqual({ logWeights, khat }: SmoothedWeights): number {
  const count = logWeights.length;
  const isBounded = count * Math.exp(greatestOf(logWeights)) <= GREATEST && importanceEss(logWeights) >= NEARLY_ALL * count; // biome-ignore format: one line
  return isBounded ? Math.min(khat, 0) : khat;
}

/**
 * k-hat for the expectation of h under importance weights: the greatest of the tail indices of w and of both tails of h w,
 * since a mean needs the product to have a variance (Vehtari et al. 2024, section 3.1). Take h = θ_j, or its square for a
 * variance.
 */
export function khatOfExpectation(
  logWeights: ArrayLike<number>,
  values: ArrayLike<number>,
  options: PsisOptions = {},
): number {
  return khatUnder(logWeights, options)(values);
}

/** `khatOfExpectation` for many functions under the same weights. */
export function khatUnder(
  logWeights: ArrayLike<number>,
  { relativeEfficiency = 1 }: PsisOptions = {},
): (values: ArrayLike<number>) => number {
  const most = greatestOf(logWeights);
  const weights = new Float64Array(logWeights.length);
  for (let i = 0; i < weights.length; i++) weights[i] = Math.exp(logWeights[i]! - most);
  const ofWeights = tailIndex(weights, relativeEfficiency);
  const products = new Float64Array(weights.length);
  return (values) =>
    multiply(weights, values, products)
      ? Math.max(ofWeights, greaterTailIndex(products, relativeEfficiency))
      : ofWeights;
}

/** Products with the weights into `products`; whether the values vary. */
function multiply(weights: Float64Array, values: ArrayLike<number>, products: Float64Array): boolean {
  let varies = false;
  for (let i = 0; i < products.length; i++) {
    if (values[i] !== values[0]) varies = true;
    products[i] = weights[i]! * values[i]!;
  }
  return varies;
}

export interface ImportanceMoments {
  readonly mean: number;
  readonly sd: number;
  /** Monte Carlo standard error of the mean, by the delta method of a ratio (Owen 2013, eq. 9.8). */
  readonly mcseMean: number;
  /** That of the standard deviation. */
  readonly mcseSd: number;
}

/** Moments under normalised importance weights (`psis(…).logWeights`), with their Monte Carlo errors. */
export const importanceMoments = (logWeights: ArrayLike<number>, values: ArrayLike<number>): ImportanceMoments =>
  momentsUnder(normalised(logWeights), values);

/** Weights of sum 1, from their logarithms. */
export function normalised(logWeights: ArrayLike<number>): Float64Array {
  const total = logSumExp(logWeights);
  const weights = new Float64Array(logWeights.length);
  for (let i = 0; i < weights.length; i++) weights[i] = Math.exp(logWeights[i]! - total);
  return weights;
}

/** Moments under weights of sum 1, with their Monte Carlo errors. */
export function momentsUnder(weights: Float64Array, values: ArrayLike<number>): ImportanceMoments {
  let mean = 0;
  for (let i = 0; i < weights.length; i++) mean += weights[i]! * values[i]!;
  let variance = 0;
  for (let i = 0; i < weights.length; i++) variance += weights[i]! * (values[i]! - mean) ** 2;
  let errorOfMean = 0;
  let errorOfVariance = 0;
  for (let i = 0; i < weights.length; i++) {
    const square = (values[i]! - mean) ** 2;
    errorOfMean += weights[i]! ** 2 * square;
    errorOfVariance += weights[i]! ** 2 * (square - variance) ** 2;
  }
  const sd = Math.sqrt(variance);
  return { mean, sd, mcseMean: Math.sqrt(errorOfMean), mcseSd: Math.sqrt(errorOfVariance) / (2 * sd) };
}
