import type { DiagonalGaussian, GaussianVector } from "../families/gaussian-vector.ts";
import type { Params } from "../nn/outputs/distribution.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Log joint of a latent-variable model, log p(z) + log p(x given z), at draws z of shape [draws · batch, latent], draw-major. */
export interface LatentModel {
  /** [draws · batch]. */
  logPrior(z: Tensor): Tensor;
  /** [draws · batch], for the observations that z belongs to. */
  logLikelihood(z: Tensor): Tensor;
  /** p(z) where it is Gaussian: "standard", or its mean and sd. null where KL has no closed form. */
  readonly gaussianPrior: "standard" | DiagonalGaussian | null;
}

export interface BoundTerms {
  /** KL(q(z given x) ‖ p(z)), or its estimate, [batch]. */
  readonly rate: Tensor;
  /** −E log p(x given z), [batch]. */
  readonly distortion: Tensor;
}

/** The two estimators of Kingma and Welling 2014: `generic` is their eq. 6, `analytic` their eq. 7. */
export type Estimator = "generic" | "analytic";

/** Copies [batch, …] to [draws · batch, …], draw-major. */
export function repeatRows(x: Tensor, draws: number): Tensor {
  if (draws === 1) return x;
  const [batch, ...rest] = x.shape as [number, ...number[]];
  return x.broadcastTo([draws, batch, ...rest]).reshape([draws * batch, ...rest]);
}

/** Mean over draws of [draws · batch]. */
const meanOverDraws = (x: Tensor, draws: number): Tensor =>
  draws === 1 ? x : x.reshape([draws, x.shape[0]! / draws]).mean(0);

/**
 * Negative evidence lower bound of each observation as rate + distortion, by the SGVB estimators (Kingma and Welling 2014):
 * `generic` averages log q(z given x) − log p(z) over the draws, `analytic` takes KL in closed form.
 *
 * @param posterior  parameters of q, shape [batch, …]
 * @param noise      standard normal draws, shape [draws · batch, latent], draw-major
 */
export function sgvb<P extends string>(
  estimator: Estimator,
  draws: number,
  family: GaussianVector<P>,
  posterior: Params<P>,
  noise: Tensor,
  model: LatentModel,
): BoundTerms {
  const repeated = Object.fromEntries(
    Object.entries<Tensor>(posterior).map(([name, x]) => [name, repeatRows(x, draws)]),
  ) as Params<P>;
  const z = family.draw(repeated, noise);
  const distortion = meanOverDraws(model.logLikelihood(z).neg(), draws);
  const { gaussianPrior } = model;
  if (estimator === "analytic" && gaussianPrior) {
    return { rate: family.kl(posterior, gaussianPrior === "standard" ? null : gaussianPrior), distortion };
  }
  const rate = family.logProbOfDraw(repeated, noise).sub(model.logPrior(z));
  return { rate: meanOverDraws(rate, draws), distortion };
}

/**
 * log w_s = log p(x, z_s) − log q(z_s given x) for each draw, shape [draws · batch]: the weights whose mean estimates p(x).
 */
export function logWeights<P extends string>(
  family: GaussianVector<P>,
  posterior: Params<P>,
  noise: Tensor,
  model: LatentModel,
): Tensor {
  const z = family.draw(posterior, noise);
  return model.logLikelihood(z).add(model.logPrior(z)).sub(family.logProbOfDraw(posterior, noise));
}
