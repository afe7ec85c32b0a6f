import type { Generator } from "../../base/generator.ts";
import { choleskyInPlace } from "../symmetric-solve.ts";

/**
 * The Euclidean metric of a Hamiltonian sampler, by the inverse of its mass matrix: an estimate of the target's covariance. Shared,
 * never changed: adaptation makes a new one.
 */
export interface Metric {
  readonly kind: "diagonal" | "dense";
  readonly dim: number;
  /** M⁻¹: variances [dim], or a covariance [dim, dim], row-major. */
  readonly inverseMass: Float64Array;
  /** What momenta are drawn with: 1/sd [dim], or the Cholesky factor of M⁻¹ [dim, dim], row-major. */
  readonly scale: Float64Array;
  /** v = M⁻¹ p, into `velocity`. */
  multiply(momentum: Float64Array, velocity: Float64Array): void;
  /** p ~ N(0, M), into `momentum`. */
  draw(generator: Generator, momentum: Float64Array): void;
}

/** M⁻¹ = diag(variances). */
export function diagonalMetric(variances: Float64Array): Metric {
  const dim = variances.length;
  const scale = variances.map((v) => 1 / Math.sqrt(v));
  return {
    kind: "diagonal",
    dim,
    inverseMass: variances,
    scale,
    multiply: (momentum, velocity) => {
      for (let i = 0; i < dim; i++) velocity[i] = variances[i]! * momentum[i]!;
    },
    draw: (generator, momentum) => {
      generator.normals(momentum);
      for (let i = 0; i < dim; i++) momentum[i] = scale[i]! * momentum[i]!;
    },
  };
}

/** A metric as data, without its functions: for another thread, or a chain that goes on later. */
export type StoredMetric = Pick<Metric, "kind" | "inverseMass">;

export const metricFrom = ({ kind, inverseMass }: StoredMetric, dim: number): Metric =>
  kind === "dense" ? denseMetric(inverseMass, dim)! : diagonalMetric(inverseMass);

export const unitMetric = (dim: number): Metric => diagonalMetric(new Float64Array(dim).fill(1));

/** M⁻¹ = covariance [dim, dim]; null where it is not positive definite in f64. */
export function denseMetric(covariance: Float64Array, dim: number): Metric | null {
  const factor = covariance.slice();
  if (!choleskyInPlace(factor, dim)) return null;
  return {
    kind: "dense",
    dim,
    inverseMass: covariance,
    scale: factor,
    multiply: (momentum, velocity) => {
      for (let i = 0; i < dim; i++) {
        const row = i * dim;
        let sum = 0;
        for (let j = 0; j < dim; j++) sum += covariance[row + j]! * momentum[j]!;
        velocity[i] = sum;
      }
    },
    // M = L⁻ᵀ L⁻¹ where M⁻¹ = L Lᵀ, so p = L⁻ᵀ n, n ~ N(0, I): back substitution.
    draw: (generator, momentum) => {
      generator.normals(momentum);
      for (let i = dim - 1; i >= 0; i--) {
        const value = momentum[i]! / factor[i * dim + i]!;
        momentum[i] = value;
        for (let j = 0; j < i; j++) momentum[j] = momentum[j]! - factor[i * dim + j]! * value;
      }
    },
  };
}
