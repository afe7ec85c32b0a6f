import { logSumExp } from "../diagnostics/moments.ts";
import type { Proposal } from "./student-t.ts";

/** The golden ratio's multiples visit the parts of an interval in the shares of their lengths, in any stretch of them. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Draws from several proposals in shares of sum 1, and the density of their mixture. */
export function mixtureOf(parts: readonly Proposal[], shares: ArrayLike<number>, dim: number): Proposal {
  const logShares = Float64Array.from(shares, Math.log);
  return {
    draw(n, seed) {
      const of = new Uint16Array(n);
      const counts = new Uint32Array(parts.length);
      for (let s = 0; s < n; s++) {
        let left = (s * GOLDEN) % 1;
        let k = 0;
        while (k < parts.length - 1 && left >= shares[k]!) left -= shares[k++]!;
        of[s] = k;
        counts[k]!++;
      }
      const drawn = parts.map((part, k) => part.draw(counts[k]!, seed + 7919 * (k + 1)));
      const out = new Float64Array(n * dim);
      counts.fill(0);
      for (let s = 0; s < n; s++) {
        const k = of[s]!;
        const from = counts[k]!++ * dim;
        for (let j = 0; j < dim; j++) out[s * dim + j] = drawn[k]![from + j]!;
      }
      return out;
    },
    logDensityOf(x) {
      const each = parts.map((part) => part.logDensityOf(x));
      const out = new Float64Array(x.length / dim);
      const terms = new Float64Array(parts.length);
      for (let s = 0; s < out.length; s++) {
        for (let k = 0; k < terms.length; k++) terms[k] = logShares[k]! + each[k]![s]!;
        out[s] = logSumExp(terms);
      }
      return out;
    },
  };
}

/** Mean and covariance of a mixture whose parts have these, in shares of sum 1. */
export function mixtureMoments(
  parts: readonly { readonly mean: Float64Array; readonly covariance: Float64Array }[],
  shares: ArrayLike<number>,
): { readonly mean: Float64Array; readonly covariance: Float64Array } {
  const dim = parts[0]!.mean.length;
  const mean = new Float64Array(dim);
  for (const [k, part] of parts.entries()) for (let i = 0; i < dim; i++) mean[i]! += shares[k]! * part.mean[i]!;
  const covariance = new Float64Array(dim * dim);
  for (const [k, part] of parts.entries()) {
    for (let i = 0; i < dim; i++) {
      const apart = part.mean[i]! - mean[i]!;
      for (let j = 0; j < dim; j++) {
        covariance[i * dim + j]! += shares[k]! * (part.covariance[i * dim + j]! + apart * (part.mean[j]! - mean[j]!));
      }
    }
  }
  return { mean, covariance };
}
