import type { Shape } from "../base/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * A smooth one-to-one map from all of R^m onto a support. Tensors may have batch axes in front, which pass through.
 */
export interface Bijector {
  /** Axes of x that it works on jointly. A matrix (2) is made of a vector of free numbers. */
  readonly eventRank: 0 | 1 | 2;
  /** Shape of u for x of this shape. */
  unconstrainedShape(eventShape: Shape): Shape;
  /** x from u. */
  forward(u: Tensor): Tensor;
  /** u from x; not finite where x lies on the edge of the support. */
  inverse(x: Tensor): Tensor;
  /**
   * log |det dx/du| at x = forward(u), of x's shape without its last `eventRank` axes. For constrained events it is the
   * determinant in the free elements: all but the last of a simplex, the lower triangle of a matrix, the strictly
   * lower one of a correlation factor.
   */
  logJacobian(u: Tensor, x: Tensor): Tensor;
}
