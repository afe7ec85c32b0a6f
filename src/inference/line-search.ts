/** A function on a line through a search direction: its value and slope at step `t`. */
export interface LinePoint {
  readonly step: number;
  readonly value: number;
  readonly slope: number;
}

export interface LineSearchOptions {
  /** Share of the decrease promised by the slope that a step must keep. */
  readonly sufficient: number;
  /** Share of the first slope that may be left. */
  readonly curvature: number;
  readonly evaluations: number;
}

/** The minimum of the cubic through two points with their slopes (Nocedal and Wright 2006, eq. 3.59). */
function cubicMinimum(a: LinePoint, b: LinePoint): number {
  const d1 = a.slope + b.slope - (3 * (a.value - b.value)) / (a.step - b.step);
  const d2 = Math.sign(b.step - a.step) * Math.sqrt(d1 * d1 - a.slope * b.slope);
  return b.step - (b.step - a.step) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
}

/** The cubic's minimum, kept a tenth of the interval away from its ends; the middle where there is none. */
function between(a: LinePoint, b: LinePoint): number {
  const middle = (a.step + b.step) / 2;
  const guess = Number.isFinite(b.value) && Number.isFinite(b.slope) ? cubicMinimum(a, b) : middle;
  const [low, high] = a.step < b.step ? [a.step, b.step] : [b.step, a.step];
  const margin = 0.1 * (high - low);
  return guess >= low + margin && guess <= high - margin ? guess : Number.isNaN(guess) ? middle : guess < middle ? low + margin : high - margin; // biome-ignore format: one choice
}

/**
 * A step that satisfies the strong Wolfe conditions, by bracketing and zooming (Nocedal and Wright 2006, algorithms 3.5 and
 * 3.6). A value that is not finite counts as a step too far: the search goes back from it.
 *
 * @param start  the point at step 0; its slope must be negative
 * @returns      the step found; where the evaluations run out, the best that decreased enough; null when none did
 */
export function wolfeStep(
  at: (step: number) => LinePoint,
  start: LinePoint,
  first: number,
  options: LineSearchOptions,
): LinePoint | null {
  const { sufficient, curvature } = options;
  // At the end of a fit values differ by their rounding errors alone; slopes are then what can still be trusted.
  const noise = 4 * Number.EPSILON * Math.abs(start.value);
  const enough = (p: LinePoint) => p.value <= start.value + sufficient * p.step * start.slope + noise;
  const flat = (p: LinePoint) => Math.abs(p.slope) <= -curvature * start.slope;
  const isFinite = (p: LinePoint) => Number.isFinite(p.value) && Number.isFinite(p.slope);
  let left = options.evaluations;
  let low: LinePoint = start;
  let high: LinePoint | null = null;
  let step = first;
  while (left > 0) {
    left--;
    const p = at(step);
    if (!isFinite(p) || !enough(p) || p.value > low.value + noise) high = p;
    else {
      if (flat(p)) return p;
      if (high ? p.slope * (high.step - low.step) >= 0 : p.slope >= 0) high = low;
      low = p;
    }
    if (!high) step = Math.min(4 * step, 1e20);
    else if (Math.abs(high.step - low.step) <= 1e-14 * Math.abs(low.step)) break;
    else step = isFinite(high) ? between(low, high) : low.step + 0.1 * (high.step - low.step);
  }
  return low.step > 0 ? low : null;
}
