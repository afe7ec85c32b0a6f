import { choleskyInPlace } from "./mcmc/symmetric.ts";

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

/** (L Lᵀ)⁻¹ = L⁻ᵀ L⁻¹, or its leading block of `size` rows and columns. */
export function inverseFromCholesky(lower: Float64Array, n: number, size = n): Float64Array {
  const inverse = new Float64Array(size * size);
  const column = new Float64Array(n);
  for (let j = 0; j < size; j++) {
    column.fill(0);
    column[j] = 1;
    solveCholesky(lower, column);
    for (let i = 0; i < size; i++) inverse[i * size + j] = column[i]!;
  }
  return symmetrised(inverse, size);
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
