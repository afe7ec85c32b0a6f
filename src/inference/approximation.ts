import { Generator } from "../base/generator.ts";
import { multiplyLowerRows, solveLowerRows } from "./symmetric-solve.ts";

/** q of one site with its fitted parameters, each of the shape [...plates, ...its own]. */
export interface FittedSite {
  readonly family: string;
  readonly params: Readonly<Record<string, { readonly shape: readonly number[]; readonly values: Float64Array }>>;
}

/** A density q on R^dim fitted to a target: what every variational method returns. Unconstrained coordinates throughout. */
export interface Approximation {
  /** Name of the family q is from. */
  readonly family: string;
  readonly dim: number;
  /** Parameters of q in the family's layout. */
  readonly params: Float64Array;
  readonly mean: Float64Array;
  readonly sd: Float64Array;
  /** [dim, dim], or null where it is not known in closed form. */
  readonly covariance: Float64Array | null;
  /** q is the Gaussian of this mean and covariance. */
  readonly isGaussian?: true;
  /** E_q[log q − log p] in nats, from fresh draws, and its standard error. */
  readonly negElbo: number;
  readonly negElboSe: number;
  readonly converged: boolean;
  /** Why the fit stopped, in words. */
  readonly reason: string;
  /** Of a q by site: the family and the fitted parameters of each. */
  readonly sites?: Readonly<Record<string, FittedSite>>;
  /** Points at which the log density was evaluated. */
  readonly evaluations: number;
  readonly seconds: number;
  /** n draws from q, [n, dim]; the same seed gives the same draws. */
  draw(n: number, seed: number): Float64Array;
  /** log q at the rows of x [n, dim]. */
  logDensityOf(x: Float64Array): Float64Array;
}

const LOG_2PI = Math.log(2 * Math.PI);

/** q = N(mean, L Lᵀ) on the host; `factor` is L [dim, dim], or its diagonal [dim]. */
export interface HostGaussian {
  readonly mean: Float64Array;
  readonly sd: Float64Array;
  readonly covariance: Float64Array;
  readonly isGaussian: true;
  draw(n: number, seed: number): Float64Array;
  logDensityOf(x: Float64Array): Float64Array;
}

export function hostGaussian(mean: Float64Array, factor: Float64Array): HostGaussian {
  const dim = mean.length;
  // In one dimension both forms are the same number.
  const diagonal = factor.length === dim;
  const entry = (i: number, j: number) => (diagonal ? (i === j ? factor[i]! : 0) : factor[i * dim + j]!);
  const covariance = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = diagonal ? j : 0; k <= j; k++) sum += entry(i, k) * entry(j, k);
      covariance[i * dim + j] = sum;
      covariance[j * dim + i] = sum;
    }
  }
  let logDeterminant = 0;
  for (let i = 0; i < dim; i++) logDeterminant += Math.log(entry(i, i));
  return {
    mean,
    covariance,
    isGaussian: true,
    sd: Float64Array.from({ length: dim }, (_, i) => Math.sqrt(covariance[i * dim + i]!)),
    draw: (n, seed) =>
      drawGaussian(mean, factor, new Generator(seed, "approximation").normals(new Float64Array(n * dim))),
    logDensityOf: (x) => gaussianLogDensity(x, mean, factor, logDeterminant),
  };
}

/** mean + L z for each row of the noise z [n, dim], in place of it. */
function drawGaussian(mean: Float64Array, factor: Float64Array, noise: Float64Array): Float64Array {
  const dim = mean.length;
  const diagonal = factor.length === dim;
  if (!diagonal) multiplyLowerRows(factor, noise, dim);
  for (let first = 0; first < noise.length; first += dim) {
    for (let i = 0; i < dim; i++) {
      const moved = diagonal ? factor[i]! * noise[first + i]! : noise[first + i]!;
      noise[first + i] = mean[i]! + moved;
    }
  }
  return noise;
}

function gaussianLogDensity(
  x: Float64Array,
  mean: Float64Array,
  factor: Float64Array,
  logDeterminant: number,
): Float64Array {
  const dim = mean.length;
  const out = squaredLengths(x, mean, factor);
  for (let s = 0; s < out.length; s++) out[s] = -0.5 * out[s]! - logDeterminant - 0.5 * dim * LOG_2PI;
  return out;
}

/** Rows that are solved for at a time, so that their copies stay small. */
const ROWS_AT_ONCE = 64;

/** |L⁻¹ (x − mean)|² of each row of x [n, dim]; `factor` is L [dim, dim], or its diagonal [dim]. */
export function squaredLengths(x: Float64Array, mean: Float64Array, factor: Float64Array): Float64Array {
  const dim = mean.length;
  const diagonal = factor.length === dim;
  const out = new Float64Array(x.length / dim);
  for (let first = 0; first < out.length; first += ROWS_AT_ONCE) {
    const rest = x.slice(first * dim, (first + ROWS_AT_ONCE) * dim);
    for (let at = 0; at < rest.length; at += dim) for (let i = 0; i < dim; i++) rest[at + i] = rest[at + i]! - mean[i]!;
    if (!diagonal) solveLowerRows(factor, rest, dim);
    for (let at = 0, s = first; at < rest.length; at += dim, s++) {
      let square = 0;
      for (let i = 0; i < dim; i++) square += (diagonal ? rest[at + i]! / factor[i]! : rest[at + i]!) ** 2;
      out[s] = square;
    }
  }
  return out;
}

/** Mean and standard error of log q − log p over draws. */
export function negElboOf(logQ: Float64Array, logP: Float64Array): { negElbo: number; negElboSe: number } {
  const n = logQ.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += (logQ[i]! - logP[i]!) / n;
  let square = 0;
  for (let i = 0; i < n; i++) square += (logQ[i]! - logP[i]! - mean) ** 2;
  return { negElbo: mean, negElboSe: Math.sqrt(square / (n - 1) / n) };
}
