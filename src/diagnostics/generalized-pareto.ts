import { mean } from "./moments.ts";

/** Generalised Pareto distribution of exceedances x ≥ 0: density (1/σ) (1 + k x/σ)^(−1/k − 1). */
export interface GeneralizedPareto {
  /** Tail index: moments of order below 1/k are finite. */
  readonly k: number;
  readonly sigma: number;
}

/**
 * Fits a generalised Pareto distribution by Zhang and Stephens's nearly Bayesian estimate (2009, Technometrics 51): the
 * posterior mean of b = −k/σ on a grid under a data-dependent prior. Then k is drawn towards 1/2 as if 10 more values had
 * been seen, which steadies it in small tails (Vehtari et al. 2024, appendix C); σ is that of the unshrunk k.
 *
 * @param sorted  exceedances in rising order, positive but perhaps for the first
 * @returns       k and σ; k = NaN where the values are degenerate
 */
export function fitGeneralizedPareto(sorted: ArrayLike<number>): GeneralizedPareto {
  const n = sorted.length;
  const greatest = sorted[n - 1] ?? Number.NaN;
  const quartile = sorted[Math.max(0, Math.floor(n / 4 + 0.5) - 1)] ?? Number.NaN;
  if (!(quartile > 0) || !Number.isFinite(greatest)) return { k: Number.NaN, sigma: Number.NaN };
  const points = 30 + Math.floor(Math.sqrt(n));
  const grid = Array.from(
    { length: points },
    (_, j) => 1 / greatest + (1 - Math.sqrt(points / (j + 0.5))) / (3 * quartile),
  );
  // Profile log-likelihood at each b, where k(b) = mean log(1 − b x) and σ = −k/b.
  const profile = grid.map((b) => {
    const k = meanLog1p(sorted, b);
    return n * (Math.log(-b / k) - k - 1);
  });
  const top = Math.max(...profile);
  let total = 0;
  let weighted = 0;
  for (let j = 0; j < points; j++) {
    const weight = Math.exp(profile[j]! - top);
    total += weight;
    weighted += weight * grid[j]!;
  }
  const b = weighted / total;
  const k = meanLog1p(sorted, b);
  return { k: (n * k + 5) / (n + 10), sigma: -k / b };
}

/** The mean of log(1 − b x). Factors are multiplied as far as a double goes: most of a fit's time would be their logarithms. */
function meanLog1p(values: ArrayLike<number>, b: number): number {
  let sum = 0;
  let product = 1;
  for (let i = 0; i < values.length; i++) {
    const factor = 1 - b * values[i]!;
    const next = product * factor;
    if (next > 1e-150 && next < 1e150) product = next;
    else {
      sum += Math.log(product);
      product = factor;
    }
  }
  return (sum + Math.log(product)) / values.length;
}

/** The quantile σ ((1 − p)^(−k) − 1) / k, exponential at k = 0. */
export const generalizedParetoQuantile = ({ k, sigma }: GeneralizedPareto, p: number): number =>
  k === 0 ? -sigma * Math.log1p(-p) : (sigma * Math.expm1(-k * Math.log1p(-p))) / k;

/** The tail that is fitted: min(S/5, 3 √(S/r)) of S draws, rounded up (Vehtari et al. 2024, section 3.2). */
export const tailSize = (draws: number, relativeEfficiency = 1): number =>
  Math.ceil(Math.min(draws / 5, 3 * Math.sqrt(draws / relativeEfficiency)));

/** Below this many exceedances no tail is fitted. */
export const LEAST_TAIL = 5;

/**
 * The tail index of draws, from their greatest values: k-hat of the distribution that they come from (Vehtari et al. 2024,
 * section 3). −∞ where the tail does not vary, and so is bounded; ∞ where there are too few draws to know.
 */
export const tailIndex = (values: ArrayLike<number>, relativeEfficiency = 1): number =>
  indexOfTail(values, 1, relativeEfficiency);

/**
 * The greater of the tail indices of draws and of their negatives. Draws that are all on one side of 0 have one tail: 0 bounds the other.
 */
export function greaterTailIndex(values: ArrayLike<number>, relativeEfficiency = 1): number {
  let hasPositive = false;
  let hasNegative = false;
  for (let i = 0; i < values.length; i++) {
    if (!(values[i]! <= 0)) hasPositive = true;
    if (!(values[i]! >= 0)) hasNegative = true;
  }
  return Math.max(
    hasPositive ? indexOfTail(values, 1, relativeEfficiency) : -Infinity,
    hasNegative ? indexOfTail(values, -1, relativeEfficiency) : -Infinity,
  );
}

function indexOfTail(values: ArrayLike<number>, sign: 1 | -1, relativeEfficiency: number): number {
  const size = tailSize(values.length, relativeEfficiency);
  if (size < LEAST_TAIL || values.length <= size) return Infinity;
  const sorted = greatest(values, sign, size + 1);
  const cutoff = sorted[0]!;
  const exceedances = sorted.subarray(1).map((value) => value - cutoff);
  if (!Number.isFinite(mean(exceedances))) return Infinity;
  if (exceedances[0] === exceedances[size - 1]) return -Infinity;
  const { k } = fitGeneralizedPareto(exceedances.filter((exceedance) => exceedance > 0));
  return Number.isNaN(k) ? Infinity : k;
}

/** The `count` greatest of the values times the sign, in rising order, NaN where one is: a heap with the least on top. */
export function greatest(values: ArrayLike<number>, sign: 1 | -1, count: number): Float64Array {
  const heap = new Float64Array(count);
  for (let i = 0; i < count; i++) heap[i] = sign * values[i]!;
  heap.sort();
  for (let i = count; i < values.length; i++) {
    const value = sign * values[i]!;
    if (Number.isNaN(value)) return heap.fill(value);
    if (value <= heap[0]!) continue;
    let at = 0;
    for (let child = 1; child < count; child = 2 * at + 1) {
      if (child + 1 < count && !(heap[child + 1]! >= heap[child]!)) child++;
      if (!(heap[child]! < value)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = value;
  }
  return heap.sort();
}
