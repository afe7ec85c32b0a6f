import { logSumExp } from "../diagnostics/moments.ts";
import type { Approximation } from "./approximation.ts";
import type { Mode } from "./laplace.ts";
import { type Proposal, studentT } from "./student-t.ts";
import { choleskyOf, diagonalOf, inverseFromCholesky } from "./symmetric-solve.ts";

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * A mixture of Student t's, one at each mode with the inverse Hessian there for its scale: what importance sampling corrects where a
 * posterior has several modes that a search has found.
 *
 * @param modes  that are maxima, with the Cholesky factors of their precisions
 */
export function severalModes(
  modes: readonly (Mode & { readonly cholesky: Float64Array })[],
  seed: number,
): Approximation {
  const since = performance.now();
  const dim = modes[0]!.x.length;
  const logMasses = modes.map(({ logDensity, cholesky }) => diagonalOf(cholesky, dim).reduce((sum, pivot) => sum - Math.log(pivot), logDensity)); // biome-ignore format: one line
  const most = logSumExp(logMasses);
  // Half by mass and half equal: what a Gaussian guess says of the mass may be far off, and weights should be greatest where draws are many.
  const shares = logMasses.map((m) => 0.5 * Math.exp(m - most) + 0.5 / modes.length);
  const covariances = modes.map(({ cholesky }) => inverseFromCholesky(cholesky, dim));
  const parts: Proposal[] = modes.map(({ x }, k) => studentT(x, choleskyOf(covariances[k]!, dim)!));
  const mean = new Float64Array(dim);
  for (const [k, { x }] of modes.entries()) for (let i = 0; i < dim; i++) mean[i]! += shares[k]! * x[i]!;
  const covariance = new Float64Array(dim * dim);
  for (const [k, { x }] of modes.entries()) {
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j < dim; j++) {
        covariance[i * dim + j]! += shares[k]! * (covariances[k]![i * dim + j]! + (x[i]! - mean[i]!) * (x[j]! - mean[j]!)); // biome-ignore format: the formula
      }
    }
  }
  return {
    family: "modes",
    dim,
    params: Float64Array.from(modes.flatMap(({ x, cholesky }, k) => [shares[k]!, ...x, ...cholesky])),
    mean,
    sd: diagonalOf(covariance, dim).map(Math.sqrt),
    covariance,
    negElbo: Number.NaN,
    negElboSe: Number.NaN,
    converged: true,
    reason: `a component at each of ${modes.length} modes`,
    evaluations: 0,
    seconds: (performance.now() - since) / 1000,
    draw(n, drawSeed) {
      const out = new Float64Array(n * dim);
      const drawn = parts.map((part, k) => part.draw(n, drawSeed + 7919 * (k + 1) + seed));
      for (let s = 0; s < n; s++) {
        // By the golden ratio's multiples, so that any stretch of draws has the components in their shares.
        let left = (s * GOLDEN) % 1;
        let k = 0;
        while (k < parts.length - 1 && left >= shares[k]!) left -= shares[k++]!;
        out.set(drawn[k]!.subarray(s * dim, (s + 1) * dim), s * dim);
      }
      return out;
    },
    logDensityOf(x) {
      const each = parts.map((part) => part.logDensityOf(x));
      return each[0]!.map((_, s) => logSumExp(each.map((values, k) => Math.log(shares[k]!) + values[s]!)));
    },
  };
}
