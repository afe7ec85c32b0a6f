import type { Dataset, LatentPlane } from "../src/node.ts";

/** Posterior means, row-major, shape [rows, dimensions]. */
export interface LatentMeans {
  readonly rows: number;
  readonly dimensions: number;
  readonly means: Float32Array | Float64Array;
}

/**
 * Posterior means in the plane. Two dimensions are shown as they are; of more, the two principal components of the means,
 * which keep as much of their variance as a plane can; of one, the means against their order.
 */
export function latentPlane({ rows, dimensions, means }: LatentMeans, data: Dataset): LatentPlane {
  const labels = data.labels ? [...data.labels.subarray(0, rows)] : null;
  const about = { labels, labelNames: data.labelNames };
  const column = (j: number) => Array.from({ length: rows }, (_, i) => means[i * dimensions + j]!);
  if (dimensions === 1) {
    return { ...about, x: column(0), y: Array.from({ length: rows }, (_, i) => i), xName: "z1", yName: "example" };
  }
  if (dimensions === 2) return { ...about, x: column(0), y: column(1), xName: "z1", yName: "z2" };
  const { axes, shares } = principalAxes(means, rows, dimensions);
  const onto = (axis: Float64Array) =>
    Array.from({ length: rows }, (_, i) => axis.reduce((sum, a, j) => sum + a * means[i * dimensions + j]!, 0));
  const name = (k: number) => `principal component ${k + 1} (${Math.round(100 * shares[k]!)} % of the variance)`;
  return { ...about, x: onto(axes[0]!), y: onto(axes[1]!), xName: name(0), yName: name(1) };
}

/**
 * The two leading eigenvectors of the covariance, by power iteration; the second in the complement of the first. A few
 * hundred products settle a picture; the sign is fixed so that the largest component is positive and equal runs look alike.
 */
function principalAxes(means: ArrayLike<number>, rows: number, d: number) {
  const centre = Array.from({ length: d }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += means[i * d + j]!;
    return sum / rows;
  });
  const covariance = new Float64Array(d * d);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < d; j++) {
      const a = means[i * d + j]! - centre[j]!;
      for (let k = 0; k <= j; k++) covariance[j * d + k]! += (a * (means[i * d + k]! - centre[k]!)) / rows;
    }
  }
  for (let j = 0; j < d; j++) for (let k = j + 1; k < d; k++) covariance[j * d + k] = covariance[k * d + j]!;
  const total = Array.from({ length: d }, (_, j) => covariance[j * (d + 1)]!).reduce((a, b) => a + b, 0);
  const axes: Float64Array[] = [];
  const shares: number[] = [];
  for (let which = 0; which < 2; which++) {
    let axis = normalise(
      Float64Array.from({ length: d }, (_, j) => 1 + ((j * 0.618) % 1)),
      axes,
    );
    let length = 0;
    for (let iteration = 0; iteration < 300; iteration++) {
      const next = Float64Array.from({ length: d }, (_, j) => dot(covariance.subarray(j * d, (j + 1) * d), axis));
      length = Math.sqrt(dot(next, next));
      if (!(length > 0)) break;
      axis = normalise(next, axes);
    }
    const largest = axis.reduce((best, a) => (Math.abs(a) > Math.abs(best) ? a : best), 0);
    axes.push(largest < 0 ? axis.map((a) => -a) : axis);
    shares.push(total > 0 ? length / total : 0);
  }
  return { axes, shares };
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Unit length, orthogonal to the axes found before. */
function normalise(vector: Float64Array, against: readonly Float64Array[]): Float64Array {
  let result = vector;
  for (const axis of against) {
    const along = dot(result, axis);
    result = result.map((value, i) => value - along * axis[i]!);
  }
  const length = Math.sqrt(dot(result, result)) || 1;
  return result.map((value) => value / length);
}
