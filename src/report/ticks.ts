import { formatFixed, formatSignificant } from "./format.ts";

/** An interval of an axis, `low` < `high`, both finite. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** The range of the finite numbers among `values`; null when there are none. */
export function extent(values: Iterable<number>): Range | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : null;
}

/** `range` widened on both sides by a share of its span; one that is a single number becomes an interval around it. */
export function padRange({ low, high }: Range, share = 0.06): Range {
  const span = high - low;
  // A span near rounding error would give ticks that cannot be told apart.
  if (!(span > 1e-9 * Math.max(Math.abs(low), Math.abs(high)))) {
    const half = Math.max(Math.abs(low) * 0.05, 0.5);
    return { low: low - half, high: high + half };
  }
  return { low: low - share * span, high: high + share * span };
}

/**
 * Ticks at the multiples of 1, 2 or 5 times a power of ten that lie in the range, about `count` of them, labelled with as
 * many decimals as the step needs.
 *
 * @param integers  never less than 1 from tick to tick, for counts such as epochs
 */
export function niceTicks({ low, high }: Range, count: number, integers = false): Tick[] {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0) || !Number.isFinite(raw)) return [];
  const power = Math.floor(Math.log10(raw));
  const fraction = raw / 10 ** power;
  // Geometric means of the neighbouring steps: the chosen step is the nearest one in ratio.
  const digit = fraction < Math.SQRT2 ? 1 : fraction < Math.sqrt(10) ? 2 : fraction < Math.sqrt(50) ? 5 : 10;
  const exponent = digit === 10 ? power + 1 : power;
  const isWhole = integers && exponent < 0;
  const mantissa = isWhole || digit === 10 ? 1 : digit;
  const scale = isWhole ? 0 : exponent;
  // Dividing by a whole power of ten, so that 3 · 0.1 is 0.3 and not 0.30000000000000004.
  const at = (index: number) => (scale < 0 ? (index * mantissa) / 10 ** -scale : index * mantissa * 10 ** scale);
  const step = at(1);
  const ticks: Tick[] = [];
  const tolerance = 1e-9;
  for (let index = Math.ceil(low / step - tolerance); index <= high / step + tolerance; index++) {
    const value = at(index === 0 ? 0 : index); // −0 from the ceiling of a small negative number
    ticks.push({ value, label: tickLabel(value, scale, high, low) });
  }
  return ticks;
}

function tickLabel(value: number, exponent: number, high: number, low: number): string {
  const largest = Math.max(Math.abs(high), Math.abs(low));
  const isPlain = largest < 1e6 && exponent >= -5;
  if (isPlain) return formatFixed(value, Math.max(0, -exponent));
  return formatSignificant(value, Math.max(1, Math.floor(Math.log10(largest)) - exponent + 1));
}

/** Ticks at powers of ten in a positive range, thinned evenly to at most `count`; labels 0.01, 1, 10⁻⁶. */
export function logTicks({ low, high }: Range, count: number): Tick[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const stride = Math.max(1, Math.ceil((last - first + 1) / Math.max(1, count)));
  const ticks: Tick[] = [];
  for (let power = first; power <= last; power += stride) {
    ticks.push({ value: power < 0 ? 1 / 10 ** -power : 10 ** power, label: powerOfTen(power) });
  }
  return ticks;
}

function powerOfTen(power: number): string {
  if (power >= -3 && power <= 3) return power < 0 ? (1 / 10 ** -power).toFixed(-power) : String(10 ** power);
  const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const digits = [...String(Math.abs(power))].map((digit) => superscripts[Number(digit)]).join("");
  return `10${power < 0 ? "⁻" : ""}${digits}`;
}

/** A curve's vertical range that early values may leave; `firstX` is where the values start that had a say in it. */
export interface LateRange {
  readonly range: Range;
  readonly isClipped: boolean;
  readonly firstX: number;
}

/**
 * A vertical range that the first epochs cannot squash. It holds every value after the first quarter of the points, plus that
 * span on both sides for the early ones. Where the full range is not much larger, or there are fewer than five
 * points, it is the full range. Late outliers are never cut off: a bound that jumps must be seen to jump.
 *
 * @param points  (x, y) in any order; those that are not finite are passed over
 * @returns       null when no point is finite
 */
export function lateRange(points: readonly { readonly x: number; readonly y: number }[]): LateRange | null {
  const finite = points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  const full = extent(finite.map((point) => point.y));
  if (full === null) return null;
  const xs = [...new Set(finite.map((point) => point.x))].sort((a, b) => a - b);
  const firstX = xs[Math.floor(xs.length / 4)] as number;
  const late = extent(finite.filter((point) => point.x >= firstX).map((point) => point.y)) as Range;
  const span = late.high - late.low;
  const wide = { low: Math.max(full.low, late.low - span), high: Math.min(full.high, late.high + span) };
  if (xs.length < 5 || span === 0 || full.high - full.low < 1.5 * (wide.high - wide.low)) {
    return { range: padRange(full), isClipped: false, firstX: xs[0] as number };
  }
  return { range: padRange(wide), isClipped: true, firstX };
}
