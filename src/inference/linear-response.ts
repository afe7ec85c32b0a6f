import { AnsatzError } from "../base/errors.ts";
import { type Approximation, hostGaussian, negElboOf } from "./approximation.ts";
import { logDensities } from "./density-batch.ts";
import { type FixedDrawFit, meanBlock } from "./fixed-draws.ts";
import { choleskyOf } from "./symmetric-solve.ts";

export interface LinearResponseOptions {
  /** Fresh draws that the ELBO is estimated from. Default 256. */
  readonly evaluationDraws?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Linear-response covariance of a mean-field fit (Giordano, Broderick and Jordan 2018): how the fitted means move when the log
 * density is tilted by a linear function, which is what a covariance is. It is the means' block of the inverse Hessian of the
 * objective in all variational parameters, and exact where the target is Gaussian. The result is N(mean, that covariance) on
 * unconstrained coordinates.
 *
 * @throws AnsatzError when the fit has no positive definite Hessian, as a fit that converged has
 */
export function linearResponse(fit: FixedDrawFit, options: LinearResponseOptions = {}): Approximation {
  const started = performance.now();
  const { seed = 0, evaluationDraws = 256 } = options;
  const { dim, compiled } = fit;
  const covariance = fit.hessianCholesky && meanBlock(fit.hessianCholesky, dim);
  const factor = covariance && choleskyOf(covariance, dim);
  if (!factor)
    throw new AnsatzError(
      "linear response needs a fit at a minimum, where the Hessian is positive definite, in up to 500 coordinates; this " +
        `one has ${dim}, and stopped because ${fit.reason}`,
    );
  const gaussian = hostGaussian(fit.mean, factor);
  const draws = gaussian.draw(evaluationDraws, seed);
  return {
    family: "linear-response",
    dim,
    params: Float64Array.from([...fit.mean, ...factor]),
    ...gaussian,
    ...negElboOf(gaussian.logDensityOf(draws), logDensities(compiled.batch, draws)),
    converged: fit.converged,
    reason: fit.reason,
    evaluations: fit.evaluations + evaluationDraws,
    seconds: fit.seconds + (performance.now() - started) / 1000,
  };
}
