import type { Point } from "./line-chart.ts";

/** A density estimate at evenly spaced points, or the shares of the values of a discrete quantity. */
export interface Density {
  readonly points: readonly Point[];
  readonly isDiscrete: boolean;
}

const mostDistinct = 40;

/** The finite values in order. */
export const sortedFinite = (values: ArrayLike<number>): Float64Array =>
  Float64Array.from(values).filter(Number.isFinite).sort();

/** The value below which a share of the sorted numbers lies, between neighbours in proportion. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] ?? Number.NaN;
  return low + (at - below) * ((sorted[Math.min(below + 1, sorted.length - 1)] ?? low) - low);
}

/** Width of the shortest interval that holds a quarter of the sorted numbers. */
function shortestQuarter(sorted: Float64Array): number {
  const quarter = Math.ceil(sorted.length / 4);
  let width = Number.POSITIVE_INFINITY;
  for (let i = 0; i + quarter < sorted.length; i++) width = Math.min(width, sorted[i + quarter]! - sorted[i]!);
  return width;
}

/**
 * The normal distribution's bandwidth 1.06 · scale · n^(−1/5) (Silverman 1986, eq. 3.28), where the scale is the smallest of sd, interquartile range /
 * 1.349 and shortest quarter / 0.637: the last one keeps modes apart that lie far from each other.
 */
export function bandwidthOf(sorted: Float64Array): number {
  const n = sorted.length;
  const mean = sorted.reduce((a, b) => a + b, 0) / n;
  const sd = Math.sqrt(sorted.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, n - 1));
  const scales = [sd, (quantileOf(sorted, 0.75) - quantileOf(sorted, 0.25)) / 1.349, shortestQuarter(sorted) / 0.637];
  const scale = Math.min(...scales.filter((s) => s > 0 && Number.isFinite(s)));
  return 1.06 * (Number.isFinite(scale) ? scale : 0) * n ** -0.2;
}

/** The distinct values in order where they are few whole numbers; null for a continuous quantity. */
function wholeValues(sorted: Float64Array): number[] | null {
  const distinct: number[] = [];
  for (const value of sorted) {
    if (!Number.isInteger(value)) return null;
    if (value !== distinct.at(-1)) distinct.push(value);
    if (distinct.length > mostDistinct) return null;
  }
  return distinct;
}

/** An end with so large a share of the values within a bandwidth of it is a bound and no tail. */
const CROWDED = 0.01;

/**
 * Gaussian kernel density estimate, from counts in a fine grid. Where the values crowd at an end, as at the zero of a scale
 * parameter, they are reflected there, so that the density does not leak out.
 *
 * @param values  not all equal; those that are not finite are passed over
 * @param open    whether the ends are tails even so: of few values that cannot be told
 * @returns       null where there is no density to draw: no values, or one value only
 */
export function densityOf(values: ArrayLike<number>, count = 128, bandwidth?: number, open = false): Density | null {
  const sorted = sortedFinite(values);
  const n = sorted.length;
  const [least = 0, greatest = 0] = [sorted[0], sorted[n - 1]];
  if (n < 2 || !(greatest > least)) return null;
  const whole = wholeValues(sorted);
  if (whole) return { points: shares(sorted, whole), isDiscrete: true };
  const h = bandwidth ?? bandwidthOf(sorted);
  if (!(h > 0)) return null;
  const crowd = Math.floor(CROWDED * n);
  const isBelow = !open && sorted[crowd]! - least < h;
  const isAbove = !open && greatest - sorted[n - 1 - crowd]! < h;
  const low = isBelow ? least : least - 3 * h;
  const high = isAbove ? greatest : greatest + 3 * h;
  // A grid fine enough for the bandwidth, within reason; heavy tails make it coarse, and then the bandwidth follows.
  const cells = Math.min(4096, Math.max(512, Math.ceil((4 * (high - low)) / h)));
  const step = (high - low) / (cells - 1);
  const counts = new Float64Array(cells);
  for (const value of sorted) {
    const at = (value - low) / step;
    const cell = Math.min(cells - 2, Math.floor(at));
    counts[cell]! += 1 - (at - cell);
    counts[cell + 1]! += at - cell;
  }
  const width = Math.max(h / step, 0.6);
  const reach = Math.ceil(4 * width);
  const kernel = Float64Array.from({ length: reach + 1 }, (_, i) => Math.exp(-0.5 * (i / width) ** 2));
  const total = kernel.reduce((a, b) => a + 2 * b, -kernel[0]!) * n * step;
  const counted = (cell: number): number => {
    if (cell < 0) return isBelow ? counts[Math.min(cells - 1, -cell - 1)]! : 0;
    if (cell >= cells) return isAbove ? counts[Math.max(0, 2 * cells - 1 - cell)]! : 0;
    return counts[cell]!;
  };
  const points = Array.from({ length: count }, (_, i): Point => {
    const cell = Math.round((i * (cells - 1)) / (count - 1));
    let sum = 0;
    for (let k = -reach; k <= reach; k++) sum += kernel[Math.abs(k)]! * counted(cell + k);
    return { x: low + cell * step, y: sum / total };
  });
  return { points, isDiscrete: false };
}

/** The share of each of the distinct values. */
function shares(sorted: Float64Array, distinct: readonly number[]): Point[] {
  const counts = distinct.map(() => 0);
  let at = 0;
  for (const value of sorted) {
    if (value !== distinct[at]) at++;
    counts[at]!++;
  }
  return distinct.map((x, i) => ({ x, y: counts[i]! / sorted.length }));
}
