import { inverse } from "../symmetric-solve.ts";

/** Small symmetric matrices on the host, [n, n] row-major, and moments of rows [count, dim]. */

function meanOf(rows: Float64Array, dim: number): Float64Array {
  const mean = new Float64Array(dim);
  const count = rows.length / dim;
  for (let from = 0; from < rows.length; from += dim)
    for (let i = 0; i < dim; i++) mean[i] = mean[i]! + rows[from + i]! / count;
  return mean;
}

/** Variances [dim] of the rows, with n − 1. */
export function centredVariances(rows: Float64Array, dim: number): Float64Array {
  const mean = meanOf(rows, dim);
  const out = new Float64Array(dim);
  for (let from = 0; from < rows.length; from += dim)
    for (let i = 0; i < dim; i++) {
      const centred = rows[from + i]! - mean[i]!;
      out[i] = out[i]! + centred * centred;
    }
  for (let i = 0; i < dim; i++) out[i] = out[i]! / (rows.length / dim - 1);
  return out;
}

/** The covariance [dim, dim] of the rows, each coordinate multiplied by its scale [dim], with n − 1. */
export function centredCovariance(rows: Float64Array, scale: Float64Array): Float64Array {
  const dim = scale.length;
  const mean = meanOf(rows, dim);
  const out = new Float64Array(dim * dim);
  const centred = new Float64Array(dim);
  for (let from = 0; from < rows.length; from += dim) {
    for (let i = 0; i < dim; i++) centred[i] = (rows[from + i]! - mean[i]!) * scale[i]!;
    for (let i = 0; i < dim; i++) {
      const own = centred[i]!;
      const row = i * dim;
      for (let j = 0; j <= i; j++) out[row + j] = out[row + j]! + own * centred[j]!;
    }
  }
  for (let i = 0; i < dim; i++)
    for (let j = 0; j <= i; j++) out[j * dim + i] = out[i * dim + j] = out[i * dim + j]! / (rows.length / dim - 1);
  return out;
}

/** (a + b) / 2, by elements. */
function middle(a: Float64Array, b: Float64Array): Float64Array {
  const out = new Float64Array(a.length);
  for (let i = 0; i < out.length; i++) out[i] = 0.5 * (a[i]! + b[i]!);
  return out;
}

/**
 * The geometric mean A # B⁻¹: the one positive definite X with X B X = A. As the common limit of arithmetic and harmonic means,
 * X ← (X + Y)/2, Y⁻¹ ← (X⁻¹ + Y⁻¹)/2 from A and B⁻¹, which converge quadratically (Bhatia, "Positive Definite Matrices", 2007,
 * section 4.1). Null where A or B is not positive definite in f64.
 */
export function geometricMean(a: Float64Array, b: Float64Array, n: number): Float64Array | null {
  let x = a;
  let yInverse = b;
  for (let iteration = 0; iteration < 100; iteration++) {
    const xInverse = inverse(x, n);
    const y = inverse(yInverse, n);
    if (!xInverse || !y) return null;
    // From the second iteration on x ≥ y in the order of definiteness, so that equal diagonals mean equal matrices.
    let apart = iteration === 0 ? 1 : 0;
    for (let i = 0; i < n; i++) apart = Math.max(apart, x[i * n + i]! / y[i * n + i]! - 1);
    x = middle(x, y);
    if (apart < 1e-5) return x; // Half of its square remains.
    yInverse = middle(yInverse, xInverse);
  }
  return null;
}

/** The largest sum of a row's absolute values, which no eigenvalue exceeds. */
export function largestRowSum(a: Float64Array, n: number): number {
  let largest = 0;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += Math.abs(a[i * n + j]!);
    largest = Math.max(largest, sum);
  }
  return largest;
}

/** The largest eigenvalue of a positive definite matrix, by 30 steps of the power method: from below, to a few percent. */
export function largestEigenvalue(a: Float64Array, n: number): number {
  // A start that no symmetry of a model makes orthogonal to the eigenvector.
  const v = Float64Array.from({ length: n }, (_, i) => 1 + 0.5 * Math.sin(i + 1));
  const w = new Float64Array(n);
  let norm = 0;
  for (let iteration = 0; iteration < 30; iteration++) {
    let squares = 0;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += a[i * n + j]! * v[j]!;
      w[i] = sum;
      squares += sum * sum;
    }
    norm = Math.sqrt(squares);
    for (let i = 0; i < n; i++) v[i] = w[i]! / norm;
  }
  return norm;
}
