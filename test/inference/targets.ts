import { Runtime } from "../../src/engine/runtime.ts";
import type { Target } from "../../src/inference/target.ts";
import { f64 } from "../../src/program/program.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** Arrays a target reads, with their shapes. */
export interface Data {
  readonly [name: string]: { readonly shape: readonly number[]; readonly values: ArrayLike<number> };
}

/** A target made of a formula, on memory of its own. */
export function targetOf(
  dim: number,
  logDensity: (u: Tensor, data: Readonly<Record<string, Tensor>>) => Tensor,
  data: Data = {},
): Target {
  const runtime = new Runtime({ blas: null });
  const entries = Object.entries(data);
  return {
    dim,
    names: Array.from({ length: dim }, (_, i) => `u[${i + 1}]`),
    runtime,
    deterministic: true,
    inputs: Object.fromEntries(entries.map(([name, { shape }]) => [name, f64([...shape])])),
    data: Object.fromEntries(entries.map(([n, { shape, values }]) => [n, runtime.buffer("f64", shape, values)])),
    logDensity,
  };
}

/** Σ_j a_ij x_j for a matrix [m, n] and a vector [n]. */
export const times = (a: Tensor, x: Tensor): Tensor => a.mul(x).sum(1);

/** log N(mean, precision⁻¹) up to a constant: −½ (u − mean)ᵀ Λ (u − mean). */
export function gaussianTarget(mean: readonly number[], precision: readonly (readonly number[])[]): Target {
  const dim = mean.length;
  return targetOf(
    dim,
    (u, { mean, precision }) => {
      const rest = u.sub(mean!);
      return times(precision!, rest).mul(rest).sum().mul(-0.5);
    },
    { mean: { shape: [dim], values: mean }, precision: { shape: [dim, dim], values: precision.flat() } },
  );
}

/** A correlated Gaussian whose answers are known in rational numbers: precision and its inverse. */
export const correlated = {
  mean: [1, -2, 30],
  precision: [
    [2, 1, 0],
    [1, 2, 0.5],
    [0, 0.5, 1],
  ],
  // By cofactors: the determinant is 2 · 1.75 − 1 = 2.5.
  covariance: [
    [1.75 / 2.5, -1 / 2.5, 0.5 / 2.5],
    [-1 / 2.5, 2 / 2.5, -1 / 2.5],
    [0.5 / 2.5, -1 / 2.5, 3 / 2.5],
  ],
} as const;

/** −log Z of that Gaussian without its constant: −½ (3 log 2π − log 2.5), which no q can be below. */
export const correlatedNegLogEvidence = -0.5 * (3 * Math.log(2 * Math.PI) - Math.log(2.5));

/** x ~ N(0, 1), y = 10 ~ N(x, sd 0.5): the posterior is N(8, sd √0.2). */
export const tenthTarget = (): Target => targetOf(1, (u) => u.square().add(u.sub(10).square().mul(4)).sum().mul(-0.5));
