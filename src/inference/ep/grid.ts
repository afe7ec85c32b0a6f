import { choleskyOf, inverseFromCholesky, symmetrised } from "../symmetric-solve.ts";
import { hermiteRule } from "./hermite.ts";
import type { SiteBlock } from "./site-block.ts";

/** Moments in k projections: mean [k] and covariance [k, k]. */
export interface JointMoments {
  readonly logNormaliser: number;
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

/** Nodes along each projection, by the number of projections. */
const NODES = [0, 64, 32, 15];
const MOST_ROUNDS = 25;
const SETTLED = 1e-9;

/**
 * Normaliser, mean and covariance of cavity · site^power in a few projections: a product of Gauss–Hermite rules that is moved to the
 * mean and covariance that it finds, until it stays (Naylor and Smith 1982). Null where there is no finite answer.
 */
export function tiltedOnGrid(
  block: SiteBlock,
  site: number,
  cavity: { readonly mean: Float64Array; readonly covariance: Float64Array },
  power: number,
  guess: Pick<JointMoments, "mean" | "covariance"> | null,
): JointMoments | null {
  const { k } = block;
  const { nodes, logWeights } = hermiteRule(NODES[k]!);
  const n = nodes.length;
  const rows = n ** k;
  const lower = choleskyOf(cavity.covariance, k);
  if (!lower) return null;
  const precision = inverseFromCholesky(lower, k);
  const logPivots = (l: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < k; i++) sum += Math.log(l[i * k + i]!);
    return sum;
  };
  const t = new Float64Array(rows * k);
  const h = new Float64Array(rows);
  const sites = new Int32Array(rows).fill(site);
  const digits = (row: number, j: number): number => Math.floor(row / n ** j) % n;
  let at: Pick<JointMoments, "mean" | "covariance"> = guess ?? cavity;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const factor = choleskyOf(at.covariance, k);
    if (!factor) return null;
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < k; i++) {
        let value = at.mean[i]!;
        for (let j = 0; j <= i; j++) value += factor[i * k + j]! * nodes[digits(r, j)]!;
        t[r * k + i] = value;
      }
    }
    block.logDensity(sites, t, rows, h);
    // log of cavity · site^power over the Gaussian of the rule; the constants of both Gaussians differ by their determinants.
    let most = -Infinity;
    for (let r = 0; r < rows; r++) {
      let value = power * h[r]!;
      for (let j = 0; j < k; j++) {
        const x = nodes[digits(r, j)]!;
        value += 0.5 * x * x + logWeights[digits(r, j)]!;
      }
      for (let i = 0; i < k; i++) {
        for (let j = 0; j < k; j++) {
          value -= 0.5 * precision[i * k + j]! * (t[r * k + i]! - cavity.mean[i]!) * (t[r * k + j]! - cavity.mean[j]!);
        }
      }
      if (Number.isNaN(value) || value === Infinity) return null;
      h[r] = value;
      most = Math.max(most, value);
    }
    if (most === -Infinity) return null;
    let mass = 0;
    const mean = new Float64Array(k);
    for (let r = 0; r < rows; r++) {
      const weight = Math.exp(h[r]! - most);
      h[r] = weight;
      mass += weight;
      for (let i = 0; i < k; i++) mean[i]! += weight * t[r * k + i]!;
    }
    for (let i = 0; i < k; i++) mean[i]! /= mass;
    const covariance = new Float64Array(k * k);
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < k; i++) {
        for (let j = 0; j < k; j++) {
          covariance[i * k + j]! += (h[r]! / mass) * (t[r * k + i]! - mean[i]!) * (t[r * k + j]! - mean[j]!);
        }
      }
    }
    symmetrised(covariance, k);
    let moved = 0;
    for (let i = 0; i < k; i++) {
      const variance = at.covariance[i * k + i]!;
      moved = Math.max(moved, Math.abs(mean[i]! - at.mean[i]!) / Math.sqrt(variance));
      for (let j = 0; j < k; j++) {
        const change = covariance[i * k + j]! - at.covariance[i * k + j]!;
        moved = Math.max(moved, Math.abs(change) / Math.sqrt(variance * at.covariance[j * k + j]!));
      }
    }
    const logNormaliser = most + Math.log(mass) + logPivots(factor) - logPivots(lower);
    at = { mean, covariance };
    if (moved < SETTLED || round === MOST_ROUNDS - 1) return { logNormaliser, mean, covariance };
  }
  return null;
}
