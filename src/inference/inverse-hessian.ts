import type { Generator } from "../base/generator.ts";
import { dot } from "./lbfgs.ts";
import { choleskyOf } from "./symmetric-solve.ts";

/**
 * The inverse Hessian that L-BFGS works with, Σ = diag(α) + B G Bᵀ: a diagonal and low-rank correction from the last pairs of steps s
 * and gradient changes y (Byrd, Nocedal and Schnabel 1994; in the form of Zhang et al. 2022, algorithm 2).
 */
export interface InverseHessian {
  /** [dim]. */
  readonly alpha: Float64Array;
  /** Orthonormal columns [dim, rank], of the span of diag(α)^{−½} B. */
  readonly basis: Float64Array;
  /** Lower Cholesky factor of I + R G Rᵀ, [rank, rank], where diag(α)^{−½} B = basis · R. */
  readonly factor: Float64Array;
  readonly rank: number;
  readonly logDeterminant: number;
}

/**
 * The diagonal's update from a pair (Gilbert and Lemaréchal 1989; algorithm 3 of Zhang et al. 2022), or null where the curvature along
 * the step is not clearly positive.
 */
export function updatedDiagonal(alpha: Float64Array, step: Float64Array, change: Float64Array): Float64Array | null {
  const b = dot(change, step);
  if (!(b > 1e-12 * dot(change, change))) return null;
  let [a, c] = [0, 0];
  for (let i = 0; i < alpha.length; i++) {
    a += alpha[i]! * change[i]! ** 2;
    c += step[i]! ** 2 / alpha[i]!;
  }
  return alpha.map((d, i) => 1 / (a / (b * d) + change[i]! ** 2 / b - (a * step[i]! ** 2) / (b * c * d * d)));
}

/** Σ from the pairs, oldest first; null where rounding has left it without a Cholesky factor. */
export function inverseHessian(
  alpha: Float64Array,
  pairs: readonly { readonly step: Float64Array; readonly change: Float64Array }[],
): InverseHessian | null {
  const [dim, m] = [alpha.length, pairs.length];
  const count = 2 * m;
  const root = alpha.map(Math.sqrt);
  // B = [diag(α) Y, S]; its columns over √α.
  const columns = [
    ...pairs.map(({ change }) => change.map((y, i) => root[i]! * y)),
    ...pairs.map(({ step }) => step.map((s, i) => s / root[i]!)),
  ];
  // G = [[0, −E⁻¹], [−E⁻ᵀ, E⁻ᵀ (D + Yᵀ diag(α) Y) E⁻¹]] with E the upper triangle of Sᵀ Y and D its diagonal.
  const inverse = upperInverse(pairs, m);
  const middle = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++)
      middle[i * m + j] = dot(columns[i]!, columns[j]!) + (i === j ? dot(pairs[i]!.step, pairs[i]!.change) : 0);
  }
  const g = new Float64Array(count * count);
  const half = product(middle, inverse, m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) {
      g[i * count + m + j] = -inverse[i * m + j]!;
      g[(m + j) * count + i] = -inverse[i * m + j]!;
      let sum = 0;
      for (let k = 0; k < m; k++) sum += inverse[k * m + i]! * half[k * m + j]!;
      g[(m + i) * count + m + j] = sum;
    }
  }
  const { basis, r, rank } = orthonormal(columns, dim);
  // I + R G Rᵀ on the basis.
  const inner = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j < rank; j++) {
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < count; k++)
        for (let l = 0; l < count; l++) sum += r[i * count + k]! * g[k * count + l]! * r[j * count + l]!;
      inner[i * rank + j] = sum;
    }
  }
  const factor = choleskyOf(inner, rank);
  if (!factor) return null;
  let logDeterminant = 0;
  for (const a of alpha) logDeterminant += Math.log(a);
  for (let i = 0; i < rank; i++) logDeterminant += 2 * Math.log(factor[i * rank + i]!);
  return Number.isFinite(logDeterminant) ? { alpha, basis, factor, rank, logDeterminant } : null;
}

/** The inverse of the upper triangle of Sᵀ Y, [m, m]. */
function upperInverse(
  pairs: readonly { readonly step: Float64Array; readonly change: Float64Array }[],
  m: number,
): Float64Array {
  const upper = (i: number, j: number) => (i <= j ? dot(pairs[i]!.step, pairs[j]!.change) : 0);
  const inverse = new Float64Array(m * m);
  for (let j = 0; j < m; j++) {
    for (let i = j; i >= 0; i--) {
      let sum = i === j ? 1 : 0;
      for (let k = i + 1; k <= j; k++) sum -= upper(i, k) * inverse[k * m + j]!;
      inverse[i * m + j] = sum / upper(i, i);
    }
  }
  return inverse;
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) for (let j = 0; j < n; j++) out[i * n + j]! += a[i * n + k]! * b[k * n + j]!;
  return out;
}

/** Modified Gram and Schmidt, twice for accuracy: columns = basis · R. Columns that lie in the span of others add no basis vector. */
function orthonormal(
  columns: readonly Float64Array[],
  dim: number,
): { basis: Float64Array; r: Float64Array; rank: number } {
  const vectors: Float64Array[] = [];
  const coefficients: number[][] = [];
  for (const column of columns) {
    const rest = column.slice();
    const row = Array<number>(vectors.length).fill(0);
    for (let pass = 0; pass < 2; pass++) {
      for (const [k, v] of vectors.entries()) {
        const share = dot(v, rest);
        row[k]! += share;
        for (let i = 0; i < dim; i++) rest[i]! -= share * v[i]!;
      }
    }
    const length = Math.sqrt(dot(rest, rest));
    if (vectors.length < dim && length > 1e-10 * Math.sqrt(dot(column, column))) {
      vectors.push(rest.map((v) => v / length));
      row.push(length);
    }
    coefficients.push(row);
  }
  const rank = vectors.length;
  const basis = new Float64Array(dim * rank);
  for (const [k, v] of vectors.entries()) for (let i = 0; i < dim; i++) basis[i * rank + k] = v[i]!;
  const r = new Float64Array(rank * columns.length);
  for (const [j, row] of coefficients.entries())
    for (const [k, value] of row.entries()) r[k * columns.length + j] = value;
  return { basis, r, rank };
}

/** Draws from N(mean, Σ), [n, dim], and log q at each: Σ^{½} u = √α ∘ (u + Q (L − I) Qᵀ u). */
export function drawWith(
  { alpha, basis, factor, rank, logDeterminant }: InverseHessian,
  mean: Float64Array,
  n: number,
  generator: Generator,
): { x: Float64Array; logQ: Float64Array } {
  const dim = alpha.length;
  const x = new Float64Array(n * dim);
  const logQ = new Float64Array(n);
  const u = new Float64Array(dim);
  const inBasis = new Float64Array(rank);
  for (let s = 0; s < n; s++) {
    generator.normals(u);
    logQ[s] = -0.5 * (dot(u, u) + dim * Math.log(2 * Math.PI) + logDeterminant);
    for (let k = 0; k < rank; k++) {
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += basis[i * rank + k]! * u[i]!;
      inBasis[k] = sum;
    }
    for (let i = 0; i < dim; i++) {
      let moved = u[i]!;
      for (let k = 0; k < rank; k++) {
        let sum = -inBasis[k]!;
        for (let l = 0; l <= k; l++) sum += factor[k * rank + l]! * inBasis[l]!;
        moved += basis[i * rank + k]! * sum;
      }
      x[s * dim + i] = mean[i]! + Math.sqrt(alpha[i]!) * moved;
    }
  }
  return { x, logQ };
}

/** Σ v. */
export function timesCovariance({ alpha, basis, factor, rank }: InverseHessian, v: Float64Array): Float64Array {
  const scaled = v.map((value, i) => Math.sqrt(alpha[i]!) * value);
  const through = new Float64Array(rank);
  for (let k = 0; k < rank; k++)
    for (let i = 0; i < scaled.length; i++) through[k]! += basis[i * rank + k]! * scaled[i]!;
  // (L Lᵀ − I) on the basis.
  const half = new Float64Array(rank);
  for (let k = 0; k < rank; k++) for (let l = k; l < rank; l++) half[k]! += factor[l * rank + k]! * through[l]!;
  return scaled.map((value, i) => {
    let sum = value;
    for (let k = 0; k < rank; k++) {
      let full = -through[k]!;
      for (let l = 0; l <= k; l++) full += factor[k * rank + l]! * half[l]!;
      sum += basis[i * rank + k]! * full;
    }
    return Math.sqrt(alpha[i]!) * sum;
  });
}
