/** Symmetric matrices on the host, [n, n] row-major. */

/** The lower Cholesky factor in place of its matrix; the upper triangle is set to 0. False where a pivot is not positive. */
export function choleskyInPlace(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const row = i * n;
    let first = 0;
    for (; first + 4 < i; first += 4) reduceFour(a, n, row, first);
    for (let j = first; j <= i; j++) {
      let sum = a[row + j]!;
      for (let k = 0; k < j; k++) sum -= a[row + k]! * a[j * n + k]!;
      if (i > j) a[row + j] = sum / a[j * n + j]!;
      else if (sum > 0 && sum < Infinity) a[row + i] = Math.sqrt(sum);
      else return false;
    }
    for (let j = i + 1; j < n; j++) a[row + j] = 0;
  }
  return true;
}

/** Four neighbours of a row of the factor at once: a processor adds four sums in the time of one. */
function reduceFour(a: Float64Array, n: number, row: number, j: number): void {
  const [r0, r1, r2, r3] = [j * n, (j + 1) * n, (j + 2) * n, (j + 3) * n];
  let [s0, s1, s2, s3] = [a[row + j]!, a[row + j + 1]!, a[row + j + 2]!, a[row + j + 3]!];
  for (let k = 0; k < j; k++) {
    const v = a[row + k]!;
    s0 -= v * a[r0 + k]!;
    s1 -= v * a[r1 + k]!;
    s2 -= v * a[r2 + k]!;
    s3 -= v * a[r3 + k]!;
  }
  s0 /= a[r0 + j]!;
  s1 = (s1 - s0 * a[r1 + j]!) / a[r1 + j + 1]!;
  s2 = (s2 - s0 * a[r2 + j]! - s1 * a[r2 + j + 1]!) / a[r2 + j + 2]!;
  s3 = (s3 - s0 * a[r3 + j]! - s1 * a[r3 + j + 1]! - s2 * a[r3 + j + 2]!) / a[r3 + j + 3]!;
  a[row + j] = s0;
  a[row + j + 1] = s1;
  a[row + j + 2] = s2;
  a[row + j + 3] = s3;
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

/** L⁻¹ x of each row x of [count, n], in place: four rows at once, so that L is read a quarter as often. */
export function solveLowerRows(lower: Float64Array, rows: Float64Array, n: number): Float64Array {
  const end = rows.length;
  let at = 0;
  for (; at + 4 * n <= end; at += 4 * n) {
    const [x0, x1, x2, x3] = [at, at + n, at + 2 * n, at + 3 * n];
    for (let i = 0; i < n; i++) {
      let [s0, s1, s2, s3] = [rows[x0 + i]!, rows[x1 + i]!, rows[x2 + i]!, rows[x3 + i]!];
      for (let k = 0, l = i * n; k < i; k++, l++) {
        const factor = lower[l]!;
        s0 -= factor * rows[x0 + k]!;
        s1 -= factor * rows[x1 + k]!;
        s2 -= factor * rows[x2 + k]!;
        s3 -= factor * rows[x3 + k]!;
      }
      const pivot = lower[i * n + i]!;
      rows[x0 + i] = s0 / pivot;
      rows[x1 + i] = s1 / pivot;
      rows[x2 + i] = s2 / pivot;
      rows[x3 + i] = s3 / pivot;
    }
  }
  for (; at < end; at += n) solveLower(lower, rows.subarray(at, at + n));
  return rows;
}

/** L x of each row x of [count, n], in place: four rows at once. */
export function multiplyLowerRows(lower: Float64Array, rows: Float64Array, n: number): Float64Array {
  const end = rows.length;
  let at = 0;
  for (; at + 4 * n <= end; at += 4 * n) {
    const [x0, x1, x2, x3] = [at, at + n, at + 2 * n, at + 3 * n];
    // The last element first: each needs those before it.
    for (let i = n - 1; i >= 0; i--) {
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let k = 0, l = i * n; k <= i; k++, l++) {
        const factor = lower[l]!;
        s0 += factor * rows[x0 + k]!;
        s1 += factor * rows[x1 + k]!;
        s2 += factor * rows[x2 + k]!;
        s3 += factor * rows[x3 + k]!;
      }
      rows[x0 + i] = s0;
      rows[x1 + i] = s1;
      rows[x2 + i] = s2;
      rows[x3 + i] = s3;
    }
  }
  for (; at < end; at += n)
    for (let i = n - 1; i >= 0; i--) {
      let sum = 0;
      for (let k = 0; k <= i; k++) sum += lower[i * n + k]! * rows[at + k]!;
      rows[at + i] = sum;
    }
  return rows;
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
