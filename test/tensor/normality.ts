/** Tests of distribution: each returns how many standard errors a sample lies off, so that 4 is suspicious and 10 is wrong. */

/** Φ(x) by its power series (Abramowitz and Stegun 26.2.11); 0 or 1 to double precision beyond 9. */
export function normalCdf(x: number): number {
  if (Math.abs(x) > 9) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && k < 400; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

export const uniformCdf = (x: number): number => Math.min(1, Math.max(0, x));

/** Kolmogorov's and Smirnov's √n sup |F_n − F|: 1.95 has probability 0.001. */
export function kolmogorovSmirnov(sample: ArrayLike<number>, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(sample).sort();
  const n = sorted.length;
  let worst = 0;
  for (const [i, x] of sorted.entries()) {
    const p = cdf(x);
    worst = Math.max(worst, p - i / n, (i + 1) / n - p);
  }
  return worst * Math.sqrt(n);
}

/** Raw moments 1 to 4, each in standard errors: of N(0, 1) they are 0, 1, 0, 3 with variances 1, 2, 15, 96. */
export function momentErrors(sample: ArrayLike<number>): number[] {
  const n = sample.length;
  const sums = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) for (let k = 0; k < 4; k++) sums[k]! += sample[i]! ** (k + 1);
  return [
    [0, 1],
    [1, 2],
    [0, 15],
    [3, 96],
  ].map(([mean, variance], k) => (sums[k]! / n - mean!) / Math.sqrt(variance! / n));
}

/** A count of successes against n trials of probability p, in standard errors. */
export const countError = (count: number, n: number, p: number): number => (count - n * p) / Math.sqrt(n * p * (1 - p));

/** Draws beyond ±2, ±3 and ±4; published two-sided tail probabilities of the normal. */
export function tailErrors(sample: ArrayLike<number>): number[] {
  const tails = [
    [2, 0.0455002638963584],
    [3, 0.0026997960632602],
    [4, 6.334248366624e-5],
  ] as const;
  return tails.map(([at, p]) =>
    countError(Array.from(sample).filter((x) => Math.abs(x) > at).length, sample.length, p),
  );
}

/** χ² of counts against equal expectations, in standard errors above its mean (k − 1, variance 2 (k − 1)). */
export function chiSquareError(counts: ArrayLike<number>): number {
  const list = Array.from(counts);
  const expected = list.reduce((p, q) => p + q, 0) / list.length;
  const chi2 = list.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
  return (chi2 - (list.length - 1)) / Math.sqrt(2 * (list.length - 1));
}

/** The correlation of two samples of mean 0 and variance 1, in standard errors. */
export function correlationError(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum / Math.sqrt(x.length);
}
