import { inverse } from "../symmetric-solve.ts";
import { denseMetric, diagonalMetric, type Metric } from "./metric.ts";
import { centredCovariance, centredVariances, geometricMean, largestEigenvalue, largestRowSum } from "./symmetric.ts";

/** Draws and the gradients of the log density there, both [count, dim]. */
export interface GradientDraws {
  readonly u: Float64Array;
  readonly gradient: Float64Array;
}

export type MetricChoice = "auto" | "diagonal" | "dense";

/** Added to both covariances where draws and gradients have been scaled to equal variances. */
const RIDGE = 1e-5;
/** Beyond so many coordinates "auto" stays diagonal: the products with M⁻¹ would cost more than most gradients do. */
const LARGEST_DENSE = 128;
/** The condition number that a diagonal metric may leave: a trajectory needs about its square root of steps. */
const CONDITION = 4;

/**
 * M⁻¹ from draws and their gradients: the Gaussian with the least Fisher divergence from the target. Diagonal:
 * sd(uᵢ) / sd(gᵢ); dense: the X with X cov(g) X = cov(u), the geometric mean of cov(u) and cov(g)⁻¹ (Seyboldt, Carlson and
 * Carpenter, "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence", arXiv:2603.18845). For a Gaussian target
 * g = −Σ⁻¹(u − μ), so that the dense estimate is Σ itself as soon as there are more draws than coordinates, wherever they lie:
 * it holds from the first windows, before the chain is anywhere near the typical set.
 *
 * "auto" takes the dense estimate where the diagonal one leaves a condition number above 4, provided that the estimate from
 * the first three quarters of the draws explains the last quarter better, by the divergence, than the diagonal one does.
 *
 * @returns null when the draws do not tell (fewer than 3, or one coordinate that never moved)
 */
export function estimateMetric(
  { u: places, gradient: gradients }: GradientDraws,
  dim: number,
  choice: MetricChoice,
): Metric | null {
  const count = places.length / dim;
  if (count < 3) return null;
  const variances = fisherVariances(places, gradients, dim);
  if (!variances.every((v) => v > 1e-200 && v < 1e200)) return null;
  const diagonal = () => diagonalMetric(variances);
  // A covariance of n draws has rank n − 1; what they do not span would be the ridge's guess.
  const train = choice === "auto" ? Math.floor(0.75 * count) : count;
  if (choice === "diagonal" || train < 1.25 * dim + 2 || (choice === "auto" && dim > LARGEST_DENSE)) return diagonal();

  const scale = variances.map(Math.sqrt);
  const inverseScale = scale.map((s) => 1 / s);
  /** From the first so many. */
  const estimate = (first: number): Float64Array | null => {
    const ofPlaces = centredCovariance(places.subarray(0, first * dim), inverseScale);
    const ofGradients = centredCovariance(gradients.subarray(0, first * dim), scale);
    for (let i = 0; i < dim; i++) {
      ofPlaces[i * dim + i]! += RIDGE;
      ofGradients[i * dim + i]! += RIDGE;
    }
    return geometricMean(ofPlaces, ofGradients, dim);
  };
  if (choice === "auto") {
    const scaled = estimate(train);
    const precision = scaled && inverse(scaled, dim);
    if (!scaled || !precision) return diagonal();
    // The bound by sums of rows is cheap, and often enough.
    if (largestRowSum(scaled, dim) * largestRowSum(precision, dim) < CONDITION) return diagonal();
    if (largestEigenvalue(scaled, dim) * largestEigenvalue(precision, dim) < CONDITION) return diagonal();
    const ofPlaces = centredCovariance(places.subarray(train * dim), inverseScale);
    const ofGradients = centredCovariance(gradients.subarray(train * dim), scale);
    const alone = fisherVariances(places.subarray(0, train * dim), gradients.subarray(0, train * dim), dim).map(
      (v, i) => v / variances[i]!,
    );
    // tr(X cov(g)) + tr(X⁻¹ cov(u)): the divergence up to a constant, in the metric X itself.
    const divergence = innerProduct(scaled, ofGradients) + innerProduct(precision, ofPlaces);
    const diagonalDivergence = alone.reduce(
      (sum, v, i) => sum + v * ofGradients[i * dim + i]! + ofPlaces[i * dim + i]! / v,
      0,
    );
    if (!(divergence < diagonalDivergence)) return diagonal();
  }
  const covariance = estimate(count);
  if (!covariance) return diagonal();
  for (let i = 0; i < dim; i++) for (let j = 0; j < dim; j++) covariance[i * dim + j]! *= scale[i]! * scale[j]!;
  return denseMetric(covariance, dim) ?? diagonal();
}

function fisherVariances(places: Float64Array, gradients: Float64Array, dim: number): Float64Array {
  const ofPlaces = centredVariances(places, dim);
  const ofGradients = centredVariances(gradients, dim);
  return ofPlaces.map((v, i) => Math.sqrt(v) / Math.sqrt(ofGradients[i]!));
}

const innerProduct = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
