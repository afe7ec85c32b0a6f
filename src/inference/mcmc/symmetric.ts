/** Small symmetric matrices on the host, [n, n] row-major. */

/** The lower Cholesky factor in place of its matrix; the upper triangle is set to 0. False where a pivot is not positive. */
export function choleskyInPlace(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      if (i > j) a[i * n + j] = sum / a[j * n + j]!;
      else if (sum > 0 && sum < Infinity) a[i * n + i] = Math.sqrt(sum);
      else return false;
    }
    for (let j = i + 1; j < n; j++) a[i * n + j] = 0;
  }
  return true;
}

/** The inverse of a positive definite matrix, by L⁻¹; null where it is not positive definite in f64. */
export function inverse(a: Float64Array, n: number): Float64Array | null {
  const l = a.slice();
  if (!choleskyInPlace(l, n)) return null;
  // L⁻¹ in rows: row i of it is (eᵢ − Σ_{k<i} L_ik row k) / L_ii.
  const r = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const factor = l[i * n + k]!;
      for (let j = 0; j <= k; j++) r[i * n + j] = r[i * n + j]! - factor * r[k * n + j]!;
    }
    const pivot = 1 / l[i * n + i]!;
    for (let j = 0; j < i; j++) r[i * n + j] = r[i * n + j]! * pivot;
    r[i * n + i] = pivot;
  }
  const out = new Float64Array(n * n);
  for (let k = 0; k < n; k++)
    for (let i = 0; i <= k; i++) {
      const factor = r[k * n + i]!;
      for (let j = 0; j <= i; j++) out[i * n + j] = out[i * n + j]! + factor * r[k * n + j]!;
    }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) out[j * n + i] = out[i * n + j]!;
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
    let apart = 0;
    for (let i = 0; i < n; i++) apart = Math.max(apart, x[i * n + i]! / y[i * n + i]! - 1);
    x = x.map((value, i) => 0.5 * (value + y[i]!));
    if (apart < 1e-5) return x; // Half of its square remains.
    yInverse = yInverse.map((value, i) => 0.5 * (value + xInverse[i]!));
  }
  return null;
}
