import { full } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Bounds a gradient, elementwise or as a whole. */
export type Clip = (gradient: Tensor) => Tensor;

/** Shrinks the gradient to Euclidean length `limit` where it is longer (Pascanu, Mikolov and Bengio 2013). */
export const clipByNorm =
  (limit: number): Clip =>
  (gradient) => {
    const norm = gradient.square().cast("f64").sum().sqrt();
    const scale = full(norm, [], limit).div(norm.maximum(limit));
    return gradient.mul(scale.cast(gradient.dtype));
  };

/** Cuts each element to [−limit, limit]. */
export const clipByValue =
  (limit: number): Clip =>
  (gradient) =>
    gradient.minimum(limit).maximum(-limit);
