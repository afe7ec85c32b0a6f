import { choleskyOf, diagonalOf, inverseFromCholesky, solveCholesky } from "../symmetric-solve.ts";

/** exp(h·z − ½ zᵀ Λ z), with covariance and mean kept beside it: N(mean, covariance) without its constant. */
export class GaussianState {
  readonly dim: number;
  readonly covariance: Float64Array;
  readonly mean: Float64Array;
  private logDeterminant = 0;
  private readonly column: Float64Array;

  constructor(dim: number) {
    this.dim = dim;
    this.covariance = new Float64Array(dim * dim);
    this.mean = new Float64Array(dim);
    this.column = new Float64Array(dim);
  }

  /** From natural parameters, anew; false (and nothing changes) where the precision is not positive definite. */
  set(precision: Float64Array, linear: Float64Array): boolean {
    const { dim } = this;
    const lower = choleskyOf(precision, dim);
    if (!lower) return false;
    this.covariance.set(inverseFromCholesky(lower, dim));
    this.mean.set(solveCholesky(lower, linear.slice()));
    this.logDeterminant = 2 * diagonalOf(lower, dim).reduce((sum, pivot) => sum + Math.log(pivot), 0);
    return true;
  }

  /** log ∫ exp(h·z − ½ zᵀ Λ z) dz, as of the last `set`. */
  logIntegral(linear: Float64Array): number {
    let product = 0;
    for (let i = 0; i < this.dim; i++) product += linear[i]! * this.mean[i]!;
    return 0.5 * (product - this.logDeterminant + this.dim * Math.log(2 * Math.PI));
  }

  /** Covariance · a into `into`, a given by its entries that are not 0; returns aᵀ Covariance a. */
  project(a: Sparse, row: number, into = this.column): number {
    const { dim, covariance } = this;
    const [from, to] = [a.starts[row]!, a.starts[row + 1]!];
    let variance = 0;
    if (to - from === dim) {
      const { values } = a;
      for (let i = 0, at = 0; i < dim; i++, at += dim) {
        let sum = 0;
        for (let j = 0; j < dim; j++) sum += covariance[at + j]! * values[from + j]!;
        into[i] = sum;
        variance += sum * values[from + i]!;
      }
      return variance;
    }
    into.fill(0);
    for (let e = from; e < to; e++) {
      const [value, at] = [a.values[e]!, a.columns[e]! * dim];
      for (let i = 0; i < dim; i++) into[i]! += value * covariance[at + i]!;
    }
    for (let e = from; e < to; e++) variance += a.values[e]! * into[a.columns[e]!]!;
    return variance;
  }

  /** a · mean */
  meanAlong(a: Sparse, row: number): number {
    const { columns, values } = a;
    const to = a.starts[row + 1]!;
    let sum = 0;
    for (let e = a.starts[row]!; e < to; e++) sum += values[e]! * this.mean[columns[e]!]!;
    return sum;
  }

  /**
   * Multiplies by exp(b t − ½ τ t²), t = a·z, in O(dim²): Sherman and Morrison's formula. `column` is covariance · a, `variance` and
   * `mean` those of t before.
   */
  multiply(tau: number, b: number, variance: number, mean: number, column = this.column): void {
    const { dim, covariance } = this;
    const shrink = tau / (1 + tau * variance);
    const move = (b - tau * mean) / (1 + tau * variance);
    for (let i = 0, at = 0; i < dim; i++, at += dim) {
      this.mean[i]! += move * column[i]!;
      const factor = shrink * column[i]!;
      if (factor !== 0) for (let j = 0; j < dim; j++) covariance[at + j]! -= factor * column[j]!;
    }
  }
}

/** Rows of a matrix by their entries that are not 0. */
export interface Sparse {
  readonly starts: Int32Array;
  readonly columns: Int32Array;
  readonly values: Float64Array;
}

/** Rows [count, dim]; all of a row that is at least half full is kept, in order. */
export function sparseRows(dense: Float64Array, dim: number): Sparse {
  const count = dense.length / dim;
  const starts = new Int32Array(count + 1);
  const columns: number[] = [];
  const values: number[] = [];
  for (let r = 0; r < count; r++) {
    let filled = 0;
    for (let j = 0; j < dim; j++) if (dense[r * dim + j] !== 0) filled++;
    const all = 2 * filled >= dim;
    for (let j = 0; j < dim; j++) {
      const value = dense[r * dim + j]!;
      if (value === 0 && !all) continue;
      columns.push(j);
      values.push(value);
    }
    starts[r + 1] = columns.length;
  }
  return { starts, columns: Int32Array.from(columns), values: Float64Array.from(values) };
}

/** into += factor · a, a row of `rows`. */
export function addRow({ starts, columns, values }: Sparse, row: number, factor: number, into: Float64Array): void {
  const to = starts[row + 1]!;
  for (let e = starts[row]!; e < to; e++) into[columns[e]!]! += factor * values[e]!;
}

/** into += factor · a bᵀ, two rows of `rows`, on and below the diagonal of `into`, [dim, dim]. */
export function addProduct(rows: Sparse, a: number, b: number, factor: number, into: Float64Array, dim: number): void {
  const { starts, columns, values } = rows;
  const [first, from, to] = [starts[a]!, starts[b]!, starts[b + 1]!];
  if (starts[a + 1]! - first === dim && to - from === dim) {
    for (let i = 0, at = 0; i < dim; i++, at += dim) {
      const x = factor * values[first + i]!;
      for (let j = 0; j <= i; j++) into[at + j]! += x * values[from + j]!;
    }
    return;
  }
  for (let e = first; e < starts[a + 1]!; e++) {
    const i = columns[e]!;
    const x = factor * values[e]!;
    for (let f = from; f < to && columns[f]! <= i; f++) into[i * dim + columns[f]!]! += x * values[f]!;
  }
}
