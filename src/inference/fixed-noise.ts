import { Generator } from "../base/generator.ts";
import { erfinv } from "../base/special.ts";
import { choleskyOf, solveLower } from "./symmetric-solve.ts";

/**
 * Standard normal draws [draws, dim] for sums that are to be accurate with few of them. They come in pairs z, −z, so that odd
 * moments vanish; each coordinate takes the quantiles of the normal distribution at the midpoints of `draws` equal shares, in
 * random order (a Latin hypercube: McKay, Beckman and Conover 1979); and where there are pairs enough the coordinates are
 * uncorrelated with variance 1, which makes averages of quadratics exact.
 *
 * @param draws  an even number
 */
export function fixedNoise(draws: number, dim: number, seed: number): Float64Array {
  const pairs = draws / 2;
  const generator = new Generator(seed, "fixed noise");
  const quantiles = Float64Array.from({ length: pairs }, (_, i) => Math.SQRT2 * erfinv((i + 0.5) / pairs));
  const power = Math.sqrt(quantiles.reduce((sum, q) => sum + q * q, 0) / pairs);
  const z = new Float64Array(draws * dim);
  for (let j = 0; j < dim; j++) {
    const order = Uint32Array.from({ length: pairs }, (_, i) => i);
    for (let i = pairs - 1; i > 0; i--) {
      const k = generator.integer(i + 1);
      [order[i], order[k]] = [order[k]!, order[i]!];
    }
    for (let i = 0; i < pairs; i++) {
      const sign = generator.integer(2) ? 1 : -1;
      z[i * dim + j] = (sign * quantiles[order[i]!]!) / power;
    }
  }
  if (dim < pairs) decorrelate(z, pairs, dim);
  for (let i = 0; i < pairs * dim; i++) z[pairs * dim + i] = -z[i]!;
  return z;
}

/** Rows z ← L⁻¹ z with L Lᵀ the second moments over the first `rows` rows, which become the identity. */
function decorrelate(z: Float64Array, rows: number, dim: number): void {
  const moments = new Float64Array(dim * dim);
  for (let s = 0; s < rows; s++) {
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j < dim; j++) moments[i * dim + j]! += (z[s * dim + i]! * z[s * dim + j]!) / rows;
    }
  }
  const lower = choleskyOf(moments, dim);
  if (!lower) return;
  for (let s = 0; s < rows; s++) solveLower(lower, z.subarray(s * dim, (s + 1) * dim));
}
