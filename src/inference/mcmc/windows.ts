/** Iterations after which the metric is estimated anew, of a warm-up of `length` iterations. */
export interface WarmUpPlan {
  readonly length: number;
  /** Draws from here on count: before, the chain still looks for the typical set. */
  readonly start: number;
  /** Ends of the windows, exclusive, ascending: at each the metric is set from the draws since the last end. */
  readonly ends: readonly number[];
}

/**
 * Stan's three phases (Stan reference manual, "Automatic parameter tuning"): 75 iterations for the step size alone, windows of
 * 25, 50, 100, … for the metric, 50 for the step size again; the last window is stretched to the end of its phase. A warm-up
 * shorter than 150 gives 15, 75 and 10 percent to the phases, one shorter than 20 adapts the step size only.
 */
export function warmUpPlan(length: number): WarmUpPlan {
  if (length < 20) return { length, start: length, ends: [] };
  const short = length < 150;
  const start = short ? Math.floor(0.15 * length) : 75;
  const stop = length - (short ? Math.floor(0.1 * length) : 50);
  const ends: number[] = [];
  let size = short ? stop - start : 25;
  for (let end = start + size; end <= stop; end += size) {
    // The next window, of double the size, must fit whole; else this one takes what is left.
    const last = end + 2 * size > stop;
    ends.push(last ? stop : end);
    if (last) break;
    size *= 2;
  }
  return { length, start, ends };
}
