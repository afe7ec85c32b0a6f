import { choleskyGaussian } from "./cholesky-gaussian.ts";
import { diagonalGaussian } from "./diagonal-gaussian.ts";
import type { GaussianVector } from "./gaussian-vector.ts";

/**
 * Amortized Gaussian families q(z given x): a network maps x to the parameters named in `sizes`. A full covariance costs
 * d (d − 1) / 2 more outputs.
 */
export const amortizedFamilies = {
  diagonal: (latent: number): GaussianVector<string> => diagonalGaussian(latent),
  full: (latent: number): GaussianVector<string> => (latent === 1 ? diagonalGaussian(1) : choleskyGaussian(latent)),
} as const;

export type PosteriorName = keyof typeof amortizedFamilies;
