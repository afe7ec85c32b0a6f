/** Symmetric matrices on the host, [n, n] row-major. */

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

/** The lower Cholesky factor of a symmetric matrix [n, n], or null where it is not positive definite. */
export function choleskyOf(a: Float64Array, n: number): Float64Array | null {
  const lower = a.slice();
  return choleskyInPlace(lower, n) ? lower : null;
}

/** L⁻¹ x, in place of x. */
export function solveLower(lower: Float64Array, x: Float64Array): Float64Array {
  const n = x.length;
  for (let i = 0; i < n; i++) {
    let sum = x[i]!;
    for (let k = 0; k < i; k++) sum -= lower[i * n + k]! * x[k]!;
    x[i] = sum / lower[i * n + i]!;
  }
  return x;
}

/** L⁻ᵀ x, in place of x. */
export function solveLowerTransposed(lower: Float64Array, x: Float64Array): Float64Array {
  const n = x.length;
  for (let i = n - 1; i >= 0; i--) {
    const solved = x[i]! / lower[i * n + i]!;
    x[i] = solved;
    for (let k = 0; k < i; k++) x[k]! -= lower[i * n + k]! * solved;
  }
  return x;
}

/** (L Lᵀ)⁻¹ x, in place of x. */
export const solveCholesky = (lower: Float64Array, x: Float64Array): Float64Array =>
  solveLowerTransposed(lower, solveLower(lower, x));

/** L⁻¹ [n, n] of a lower triangular L. */
export function inverseOfLower(lower: Float64Array, n: number): Float64Array {
  // Row i is (eᵢ − Σ_{k<i} L_ik row k) / L_ii.
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const factor = lower[i * n + k]!;
      for (let j = 0; j <= k; j++) rows[i * n + j] = rows[i * n + j]! - factor * rows[k * n + j]!;
    }
    const pivot = 1 / lower[i * n + i]!;
    for (let j = 0; j < i; j++) rows[i * n + j] = rows[i * n + j]! * pivot;
    rows[i * n + i] = pivot;
  }
  return rows;
}

/** (L Lᵀ)⁻¹ = L⁻ᵀ L⁻¹, or its leading block of `size` rows and columns. */
export function inverseFromCholesky(lower: Float64Array, n: number, size = n): Float64Array {
  const rows = inverseOfLower(lower, n);
  const out = new Float64Array(size * size);
  for (let k = 0; k < n; k++)
    for (let i = 0; i <= k && i < size; i++) {
      const factor = rows[k * n + i]!;
      for (let j = 0; j <= i; j++) out[i * size + j] = out[i * size + j]! + factor * rows[k * n + j]!;
    }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) out[j * size + i] = out[i * size + j]!;
  return out;
}

/** The diagonal of (L Lᵀ)⁻¹. */
export function inverseDiagonal(lower: Float64Array, n: number): Float64Array {
  const rows = inverseOfLower(lower, n);
  const out = new Float64Array(n);
  for (let k = 0; k < n; k++) for (let j = 0; j <= k; j++) out[j] = out[j]! + rows[k * n + j]! * rows[k * n + j]!;
  return out;
}

/** The inverse of a positive definite matrix; null where it is not positive definite in f64. */
export function inverse(a: Float64Array, n: number): Float64Array | null {
  const lower = a.slice();
  return choleskyInPlace(lower, n) ? inverseFromCholesky(lower, n) : null;
}

/** (A + Aᵀ) / 2, in place. */
export function symmetrised(a: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const middle = 0.5 * (a[i * n + j]! + a[j * n + i]!);
      a[i * n + j] = middle;
      a[j * n + i] = middle;
    }
  }
  return a;
}

export const diagonalOf = (a: Float64Array, n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => a[i * n + i]!);
