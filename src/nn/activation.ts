import { erf, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Elementwise non-linearities between layers. */
export const activations = {
  tanh: (x: Tensor): Tensor => x.tanh(),
  relu: (x: Tensor): Tensor => x.maximum(0),
  softplus: (x: Tensor): Tensor => x.softplus(),
  sigmoid: (x: Tensor): Tensor => x.sigmoid(),
  // x above 0, e^x − 1 below (Clevert, Unterthiner and Hochreiter 2016); the minimum keeps the unused branch finite.
  elu: (x: Tensor): Tensor => where(x.gt(0), x, x.minimum(0).expm1()),
  "leaky-relu": (x: Tensor): Tensor => x.maximum(x.mul(0.01)),
  // x Φ(x), Φ the standard normal distribution function (Hendrycks and Gimpel 2016)
  gelu: (x: Tensor): Tensor => x.mul(erf(x.mul(Math.SQRT1_2)).add(1)).mul(0.5),
  linear: (x: Tensor): Tensor => x,
} as const;

/** The name of an activation function. */
export type Activation = keyof typeof activations;
