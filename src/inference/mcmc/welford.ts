/**
 * Running mean and covariance, or variances alone, of vectors [dim] (Welford, Technometrics 4, 1962): no difference of large sums
 * is ever taken.
 */
export interface Moments {
  readonly count: number;
  readonly mean: Float64Array;
  add(x: Float64Array): void;
  reset(): void;
  /** Variances [dim], with n − 1. */
  variances(): Float64Array;
  /** The covariance [dim, dim], row-major, with n − 1. */
  covariance(): Float64Array;
}

export function moments(dim: number, dense: boolean): Moments {
  const mean = new Float64Array(dim);
  const before = new Float64Array(dim);
  const sums = new Float64Array(dense ? dim * dim : dim);
  let count = 0;
  return {
    get count() {
      return count;
    },
    mean,
    add: (x) => {
      count++;
      for (let i = 0; i < dim; i++) {
        const delta = x[i]! - mean[i]!;
        before[i] = delta;
        mean[i] = mean[i]! + delta / count;
      }
      for (let i = 0; i < dim; i++) {
        const after = x[i]! - mean[i]!;
        if (!dense) sums[i] = sums[i]! + after * before[i]!;
        else for (let j = 0; j <= i; j++) sums[i * dim + j] = sums[i * dim + j]! + after * before[j]!;
      }
    },
    reset: () => {
      count = 0;
      mean.fill(0);
      sums.fill(0);
    },
    variances: () => Float64Array.from(mean, (_, i) => sums[dense ? i * dim + i : i]! / (count - 1)),
    covariance: () => {
      const out = new Float64Array(dim * dim);
      for (let i = 0; i < dim; i++)
        for (let j = 0; j <= i; j++) out[i * dim + j] = out[j * dim + i] = sums[i * dim + j]! / (count - 1);
      return out;
    },
  };
}
