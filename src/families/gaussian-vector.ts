import type { Params } from "../nn/outputs/distribution.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Mean and log sd of a diagonal Gaussian to compare with, shape [d] each. */
export interface DiagonalGaussian {
  readonly mean: Tensor;
  readonly logSd: Tensor;
}

/**
 * A Gaussian in d dimensions, one for each row of its parameters. A draw is a smooth function of the parameters and of standard
 * normal noise (reparameterisation).
 */
export interface GaussianVector<P extends string> {
  /** How many numbers each parameter has for one row. */
  readonly sizes: Readonly<Record<P, number>>;
  /** z from standard normal noise, both [rows, d]. */
  draw(params: Params<P>, noise: Tensor): Tensor;
  /** log q(z) at z = draw(params, noise), shape [rows]: exact, and without solving for the noise again. */
  logProbOfDraw(params: Params<P>, noise: Tensor): Tensor;
  /** log q(z) anywhere, shape [rows]. */
  logProb(z: Tensor, params: Params<P>): Tensor;
  /** KL(q ‖ p) in nats, shape [rows], with p = N(0, I) where none is given. */
  kl(params: Params<P>, prior: DiagonalGaussian | null): Tensor;
  entropy(params: Params<P>): Tensor;
  /** Standard deviation of each dimension alone, [rows, d]. */
  sd(params: Params<P>): Tensor;
}
