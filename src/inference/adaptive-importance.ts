import { psis } from "../diagnostics/psis.ts";
import type { Approximation } from "./approximation.ts";
import { rawLogWeights } from "./certificate.ts";
import type { LogDensity } from "./log-density.ts";
import type { Slice } from "./slicer.ts";
import { DEGREES, studentT } from "./student-t.ts";
import { choleskyOf } from "./symmetric-solve.ts";

const ROUNDS = 4;
const DRAWS = 4000;
/** A tail index at which the proposal fits: the moments of its draws are the last. */
const FITS = 0.3;

/** Mean [dim] of the rows of x under weights of sum 1. */
function weightedMean(x: Float64Array, weights: Float64Array, dim: number): Float64Array {
  const mean = new Float64Array(dim);
  for (let s = 0; s < weights.length; s++) for (let i = 0; i < dim; i++) mean[i]! += weights[s]! * x[s * dim + i]!;
  return mean;
}

/** Their covariance [dim, dim] about that mean. */
function weightedCovariance(x: Float64Array, weights: Float64Array, mean: Float64Array): Float64Array {
  const dim = mean.length;
  const covariance = new Float64Array(dim * dim);
  const rest = new Float64Array(dim);
  for (let s = 0; s < weights.length; s++) {
    for (let i = 0; i < dim; i++) rest[i] = x[s * dim + i]! - mean[i]!;
    for (let i = 0; i < dim; i++) {
      const a = weights[s]! * rest[i]!;
      for (let j = 0; j <= i; j++) covariance[i * dim + j]! += a * rest[j]!;
    }
  }
  for (let i = 0; i < dim; i++) for (let j = 0; j < i; j++) covariance[j * dim + i] = covariance[i * dim + j]!;
  return covariance;
}

/**
 * A Student t fitted to the posterior's own moments by repeated importance sampling (adaptive importance sampling: Cappé, Douc,
 * Guillin, Marin and Robert 2008; moments from Pareto smoothed weights): inclusive KL, where a variational fit minimises the
 * exclusive one. It starts from an approximation that has the posterior's place and rough shape.
 */
export async function adaptiveImportance(
  start: Approximation,
  density: LogDensity,
  seed: number,
  slice: Slice,
): Promise<Approximation> {
  const since = performance.now();
  const { dim } = start;
  let mean: Float64Array = start.mean.slice();
  let covariance: Float64Array = start.covariance?.slice() ?? new Float64Array(dim * dim);
  if (!start.covariance) for (let i = 0; i < dim; i++) covariance[i * dim + i] = start.sd[i]! ** 2;
  const gradient = new Float64Array(dim);
  // A t's covariance is its scale times ν / (ν − 2).
  const scaled = (c: Float64Array) => c.map((v) => (v * (DEGREES - 2)) / DEGREES);
  let factor = choleskyOf(scaled(covariance), dim);
  let evaluations = 0;
  let reason = "the moments settled";
  let converged = factor !== null;
  for (let round = 0; round < ROUNDS && factor; round++) {
    const q = studentT(mean, factor);
    await slice();
    const x = q.draw(DRAWS, seed + 101 * (round + 1));
    evaluations += DRAWS;
    await slice();
    const logQ = q.logDensityOf(x);
    const { logWeights, khat } = psis(await rawLogWeights(density, x, logQ, slice));
    await slice();
    const weights = logWeights.map(Math.exp);
    const next = weightedMean(x, weights, dim);
    const spread = weightedCovariance(x, weights, next);
    await slice();
    const better = next.every(Number.isFinite) ? choleskyOf(scaled(spread), dim) : null;
    if (!better) {
      converged = false;
      reason = "too few draws carry weight: the approximation it starts from lies beside the posterior";
      break;
    }
    [mean, covariance, factor] = [next, spread, better];
    if (khat <= FITS) break;
  }
  const q = studentT(mean, factor ?? Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : 0)));
  const fresh = q.draw(256, seed);
  const difference = q.logDensityOf(fresh).map((value, s) => value - density.evaluate(fresh.subarray(s * dim, (s + 1) * dim), gradient)); // biome-ignore format: one line
  const negElbo = difference.reduce((a, b) => a + b, 0) / difference.length;
  const square = difference.reduce((a, b) => a + (b - negElbo) ** 2, 0);
  return {
    family: "student-t",
    dim,
    params: Float64Array.from([...mean, ...(factor ?? [])]),
    mean,
    sd: Float64Array.from({ length: dim }, (_, i) => Math.sqrt(covariance[i * dim + i]!)),
    covariance,
    negElbo,
    negElboSe: Math.sqrt(square / (difference.length - 1) / difference.length),
    converged,
    reason,
    evaluations: evaluations + 256,
    seconds: (performance.now() - since) / 1000,
    ...q,
  };
}
