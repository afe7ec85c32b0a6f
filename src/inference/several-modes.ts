import { logSumExp } from "../diagnostics/moments.ts";
import type { Approximation } from "./approximation.ts";
import type { Mode } from "./laplace.ts";
import { mixtureMoments, mixtureOf } from "./proposal-mixture.ts";
import { studentT } from "./student-t.ts";
import { choleskyOf, diagonalOf, inverseFromCholesky } from "./symmetric-solve.ts";

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
  const mixture = mixtureOf(
    modes.map(({ x }, k) => studentT(x, choleskyOf(covariances[k]!, dim)!)),
    shares,
    dim,
  );
  const parts = modes.map(({ x }, k) => ({ mean: x, covariance: covariances[k]! }));
  const { mean, covariance } = mixtureMoments(parts, shares);
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
    draw: (n, drawSeed) => mixture.draw(n, drawSeed + seed),
    logDensityOf: (x) => mixture.logDensityOf(x),
  };
}
