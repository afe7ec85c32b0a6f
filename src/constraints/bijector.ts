import { OptionError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { choleskyFactor, correlationFactor, covariance } from "./matrix-bijectors.ts";
import { circle, exponential, halfLine, identity, scaledSigmoid, sigmoid } from "./scalar-bijectors.ts";
import type { Support } from "./support.ts";
import { increasing, increasingPositive, softmax } from "./vector-bijectors.ts";

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

/**
 * The map onto a support:
 *
 *  - `real` u; `positive` e^u; `above` low + e^u; `below` high − e^u
 *  - `unitInterval`, `interval` low + (high − low) σ(u)
 *  - `circle` −π + 2π σ(u): a line cannot be wrapped onto a circle one to one, and a periodic density on the line is
 * not
 *    normalisable. The cut lies at ±π; a density with its mass there is better shifted by π.
 *  - `simplex` softmax of the isometric log-ratio coordinates (Egozcue et al. 2003): symmetric in the elements, where
 * stick
 *    breaking is not, and u = 0 is the centre
 *  - `ordered` u₁, then increments e^u; `positiveOrdered` increments e^u from 0
 *  - `cholesky` the lower triangle by rows, diagonal e^u
 *  - `correlationCholesky` partial correlations tanh u (Lewandowski, Kurowicka and Joe 2009)
 *  - `positiveDefinite` L Lᵀ with L as in `cholesky`
 *
 * Up to |u| = 700 all stay inside the support, also where rounding would reach its edge.
 *
 * @throws OptionError for a discrete support
 */
export function bijectorTo(support: Support): Bijector {
  switch (support.kind) {
    case "real":
      return identity;
    case "positive":
      return exponential;
    case "unitInterval":
      return sigmoid;
    case "interval":
      return scaledSigmoid(support.low, support.high);
    case "above":
      return halfLine(support.low, 1);
    case "below":
      return halfLine(support.high, -1);
    case "circle":
      return circle;
    case "simplex":
      return softmax;
    case "ordered":
      return increasing;
    case "positiveOrdered":
      return increasingPositive;
    case "cholesky":
      return choleskyFactor;
    case "correlationCholesky":
      return correlationFactor;
    case "positiveDefinite":
      return covariance;
    case "binary":
    case "categories":
    case "counts":
    case "countVector":
      throw new OptionError(
        `values of the support "${support.kind}" are whole numbers, which no smooth map makes of real ones: sum the variable ` +
          "out, observe it, or use a method that does not differentiate by it",
      );
  }
}
