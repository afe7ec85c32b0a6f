/** An interval of values. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * The quantile by linear interpolation between order statistics at (n − 1) p (Hyndman and Fan 1996, type 7: the default of R
 * and NumPy).
 *
 * @param sorted       in rising order
 * @param probability  in [0, 1]
 * @returns            NaN of nothing
 */
export function quantile(sorted: ArrayLike<number>, probability: number): number {
  const at = (sorted.length - 1) * probability;
  const below = Math.floor(at);
  const low = sorted[below];
  const high = sorted[Math.ceil(at)];
  if (low === undefined || high === undefined) return Number.NaN;
  return low === high ? low : low + (high - low) * (at - below);
}

/** Several quantiles of values in any order. */
export function quantiles(values: ArrayLike<number>, probabilities: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return probabilities.map((probability) => quantile(sorted, probability));
}

/** The interval which leaves (1 − probability) / 2 of the values on each side. */
export function centralInterval(values: ArrayLike<number>, probability: number): Interval {
  const [low, high] = quantiles(values, [(1 - probability) / 2, (1 + probability) / 2]);
  return { low: low!, high: high! };
}

/**
 * The shortest interval between two of the values that are ⌊probability · n⌋ places apart (Chen and Shao 1999). Of a density
 * with several modes it is one interval over them, not the highest-density set.
 */
export function highestDensityInterval(values: ArrayLike<number>, probability: number): Interval {
  const sorted = Float64Array.from(values).sort();
  const span = Math.min(Math.floor(probability * sorted.length), sorted.length - 1);
  let best = 0;
  for (let i = 1; i + span < sorted.length; i++) {
    if (sorted[i + span]! - sorted[i]! < sorted[best + span]! - sorted[best]!) best = i;
  }
  return { low: sorted[best] ?? Number.NaN, high: sorted[best + span] ?? Number.NaN };
}
