import { OptionError } from "../base/errors.ts";
import type { Bijector } from "./bijection.ts";
import { choleskyFactor, correlationFactor, covariance } from "./matrix-bijectors.ts";
import { circle, exponential, halfLine, identity, scaledSigmoid, sigmoid } from "./scalar-bijectors.ts";
import type { Support } from "./support.ts";
import { increasing, increasingPositive, softmax } from "./vector-bijectors.ts";

export type { Bijector } from "./bijection.ts";

/**
 * The map onto a support:
 *
 *  - `real` u; `positive` e^u; `above` low + e^u; `below` high − e^u
 *  - `unitInterval`, `interval` low + (high − low) σ(u)
 *  - `circle` −π + 2π σ(u): a line cannot be wrapped onto a circle one to one, and a periodic density on the line
 *    cannot be normalised. The cut lies at ±π; a density with its mass there is better shifted by π.
 *  - `simplex` softmax of the isometric log-ratio coordinates (Egozcue et al. 2003): symmetric in the elements, where
 *    stick breaking is not, and u = 0 is the centre
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
