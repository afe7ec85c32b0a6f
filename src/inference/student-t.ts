import { Generator } from "../base/generator.ts";
import { lgamma } from "../base/special.ts";
import type { Approximation } from "./approximation.ts";
import { choleskyOf, solveLower } from "./symmetric-solve.ts";

/** Degrees of freedom: tails heavier than those of a posterior, bulk close to a Gaussian's. */
export const DEGREES = 8;

/** What can be drawn from, and its log density. */
export type Proposal = Pick<Approximation, "draw" | "logDensityOf">;

/** A multivariate Student t with location `mean` and scale matrix L Lᵀ ([dim, dim], by its factor), on the host. */
export function studentT(mean: Float64Array, factor: Float64Array): Proposal {
  const dim = mean.length;
  let logDeterminant = 0;
  for (let i = 0; i < dim; i++) logDeterminant += Math.log(factor[i * dim + i]!);
  const constant =
    lgamma((DEGREES + dim) / 2) - lgamma(DEGREES / 2) - (dim / 2) * Math.log(DEGREES * Math.PI) - logDeterminant;
  return {
    draw(n, seed) {
      const generator = new Generator(seed, "student t");
      const z = generator.normals(new Float64Array(n * dim));
      const others = generator.normals(new Float64Array(n * DEGREES));
      const out = new Float64Array(n * dim);
      for (let s = 0; s < n; s++) {
        let chi = 0;
        for (let k = 0; k < DEGREES; k++) chi += others[s * DEGREES + k]! ** 2;
        const stretch = Math.sqrt(DEGREES / chi);
        for (let i = 0; i < dim; i++) {
          let sum = 0;
          for (let j = 0; j <= i; j++) sum += factor[i * dim + j]! * z[s * dim + j]!;
          out[s * dim + i] = mean[i]! + stretch * sum;
        }
      }
      return out;
    },
    logDensityOf(x) {
      const rest = new Float64Array(dim);
      const out = new Float64Array(x.length / dim);
      for (let s = 0; s < out.length; s++) {
        for (let i = 0; i < dim; i++) rest[i] = x[s * dim + i]! - mean[i]!;
        solveLower(factor, rest);
        let square = 0;
        for (let i = 0; i < dim; i++) square += rest[i]! * rest[i]!;
        out[s] = constant - ((DEGREES + dim) / 2) * Math.log1p(square / DEGREES);
      }
      return out;
    },
  };
}

/** Factor of q's covariance; of its diagonal where q's family gives no more. */
export function factorOf({ dim, covariance, sd }: Approximation): Float64Array | null {
  if (covariance) return choleskyOf(covariance, dim);
  const diagonal = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++) diagonal[i * dim + i] = sd[i]!;
  return sd.every((s) => s > 0) ? diagonal : null;
}

/**
 * Draws by turns from q and from a Student t of its mean and covariance: with the weights p over the mixture of both, no draw weighs
 * more than twice what it would under the t, so that a q with too light a tail does not go unnoticed and is corrected (defensive
 * importance sampling: Hesterberg 1995).
 */
export function defended(q: Approximation): Proposal {
  const factor = factorOf(q);
  if (!factor) return q;
  const { dim } = q;
  const wide = studentT(q.mean, factor);
  return {
    draw(n, seed) {
      const out = new Float64Array(n * dim);
      const half = Math.ceil(n / 2);
      const parts = [q.draw(half, seed), wide.draw(half, seed + 7)] as const;
      for (let s = 0; s < n; s++) {
        const from = parts[s % 2 === 0 ? 0 : 1];
        const at = (s >> 1) * dim;
        for (let j = 0; j < dim; j++) out[s * dim + j] = from[at + j]!;
      }
      return out;
    },
    logDensityOf(x) {
      const other = wide.logDensityOf(x);
      const both = q.logDensityOf(x);
      for (let s = 0; s < both.length; s++) {
        const [a, b] = [both[s]!, other[s]!];
        both[s] = Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))) - Math.LN2;
      }
      return both;
    },
  };
}
