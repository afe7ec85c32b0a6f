import type { TypedArray } from "../base/dtype.ts";
import type { Matrix } from "./rows.ts";

/** q(z given x) of each row. */
export interface Encoding {
  readonly mean: Matrix;
  /** Standard deviation of each latent dimension. */
  readonly sd: Matrix;
  /** Lower Cholesky factors of the covariances, [rows, latent · latent]; null for a diagonal posterior. */
  readonly cholesky: Matrix | null;
}

/** An encoding from the outputs of the encoder for `rows` rows of `d` latent dimensions. */
export function encodingOf(rows: number, d: number, outputs: Readonly<Record<string, TypedArray>>): Encoding {
  const matrix = (values: TypedArray): Matrix => ({ rows, columns: d, values: values as Float32Array });
  const { mean, sd, logDiagonal, lower } = outputs;
  const cholesky = logDiagonal && lower ? denseFactors(rows, d, logDiagonal, lower) : null;
  return { mean: matrix(mean!), sd: matrix(sd!), cholesky };
}

/** Lower triangular factors from log diagonals and what stands below, packed by rows. */
function denseFactors(rows: number, d: number, logDiagonal: TypedArray, lower: TypedArray): Matrix {
  const values = new Float64Array(rows * d * d);
  const packed = (d * (d - 1)) / 2;
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < d; i++) {
      values[(row * d + i) * d + i] = Math.exp(logDiagonal[row * d + i]!);
      for (let j = 0; j < i; j++) values[(row * d + i) * d + j] = lower[row * packed + (i * (i - 1)) / 2 + j]!;
    }
  }
  return { rows, columns: d * d, values };
}
