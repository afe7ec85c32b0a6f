import { denseMetric, diagonalMetric, type Metric } from "./metric.ts";
import { centredCovariance, centredVariances, geometricMean, inverse, largestEigenvalue } from "./symmetric.ts";

/** A draw and the gradient of the log density there, both [dim]. */
export interface GradientDraw {
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
export function estimateMetric(draws: readonly GradientDraw[], dim: number, choice: MetricChoice): Metric | null {
  if (draws.length < 3) return null;
  const places = draws.map(({ u }) => u);
  const gradients = draws.map(({ gradient }) => gradient);
  const variances = fisherVariances(places, gradients, dim);
  if (!variances.every((v) => v > 1e-200 && v < 1e200)) return null;
  const diagonal = () => diagonalMetric(variances);
  // A covariance of n draws has rank n − 1; what they do not span would be the ridge's guess.
  const train = choice === "auto" ? Math.floor(0.75 * draws.length) : draws.length;
  if (choice === "diagonal" || train < 1.25 * dim + 2 || (choice === "auto" && dim > LARGEST_DENSE)) return diagonal();

  const scale = variances.map(Math.sqrt);
  const inverseScale = scale.map((s) => 1 / s);
  const estimate = (from: number, to: number): Float64Array | null => {
    const ofPlaces = centredCovariance(places.slice(from, to), inverseScale);
    const ofGradients = centredCovariance(gradients.slice(from, to), scale);
    for (let i = 0; i < dim; i++) {
      ofPlaces[i * dim + i]! += RIDGE;
      ofGradients[i * dim + i]! += RIDGE;
    }
    return geometricMean(ofPlaces, ofGradients, dim);
  };
  if (choice === "auto") {
    const scaled = estimate(0, train);
    const precision = scaled && inverse(scaled, dim);
    if (!scaled || !precision) return diagonal();
    if (largestEigenvalue(scaled, dim) * largestEigenvalue(precision, dim) < CONDITION) return diagonal();
    const ofPlaces = centredCovariance(places.slice(train), inverseScale);
    const ofGradients = centredCovariance(gradients.slice(train), scale);
    const alone = fisherVariances(places.slice(0, train), gradients.slice(0, train), dim).map(
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
  const covariance = estimate(0, draws.length);
  if (!covariance) return diagonal();
  for (let i = 0; i < dim; i++) for (let j = 0; j < dim; j++) covariance[i * dim + j]! *= scale[i]! * scale[j]!;
  return denseMetric(covariance, dim) ?? diagonal();
}

function fisherVariances(
  places: readonly Float64Array[],
  gradients: readonly Float64Array[],
  dim: number,
): Float64Array {
  const ofPlaces = centredVariances(places, dim);
  const ofGradients = centredVariances(gradients, dim);
  return ofPlaces.map((v, i) => Math.sqrt(v) / Math.sqrt(ofGradients[i]!));
}

const innerProduct = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
