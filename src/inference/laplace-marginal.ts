import { type ConditionalMode, conditionalMode, expectedRest, type Held } from "./conditional-modes.ts";
import type { TwiceSmooth } from "./newton.ts";
import type { Slice } from "./slicer.ts";
import { choleskyOf, inverseFromCholesky } from "./symmetric-solve.ts";

/** More points than that no lattice has. */
const MOST_POINTS = 800;
/** Nats below its greatest at which the marginal density ends. */
const RANGE = 8;
/** Looks for mass on the way to where the density is higher: so many, each further by this factor, the first half a unit away. */
const LOOKS = 24;
const FURTHER = 1.25;

/** The marginal density of the held coordinates, with the rest integrated out by Laplace's method. */
export class LaplaceMarginal {
  private readonly division: Held;
  private readonly fn: TwiceSmooth;
  private readonly slice: Slice;
  /** Of the joint density, so far. */
  evaluations = 0;

  constructor(fn: TwiceSmooth, division: Held, slice: Slice) {
    this.fn = fn;
    this.division = division;
    this.slice = slice;
  }

  /** @param near  where the search for the rest's mode begins */
  async at(values: Float64Array, near: Float64Array): Promise<ConditionalMode | null> {
    await this.slice();
    const { found, evaluations } = await conditionalMode(this.fn, this.division, values, near, this.slice);
    this.evaluations += evaluations;
    return found;
  }

  /** From a place where it is known. */
  from(known: ConditionalMode, values: Float64Array): Promise<ConditionalMode | null> {
    return this.at(values, expectedRest(known, values));
  }

  /** Its mode, as near as the lattice needs it: steps along each coordinate, halved where none leads up. */
  async climb(start: ConditionalMode, unit: Float64Array): Promise<ConditionalMode> {
    let best = start;
    for (let step = 1, tries = 0; step > 0.2 && tries < 100; ) {
      let better: ConditionalMode | null = null;
      for (let k = 0; k < unit.length && !better; k++) {
        for (const side of [step, -step]) {
          tries++;
          const next = await this.from(best, best.values.map((v, i) => (i === k ? v + side * unit[k]! : v))); // biome-ignore format: one line
          if (next && next.logMass > best.logMass + 1e-3) {
            better = next;
            break;
          }
        }
      }
      if (better) best = better;
      else step /= 2;
    }
    return best;
  }

  /** The Cholesky factor of the covariance that its curvature at the mode says; null where it does not curve down. */
  async axes(mode: ConditionalMode, unit: Float64Array): Promise<Float64Array | null> {
    const m = unit.length;
    const step = 0.5; // units: far enough that what a search leaves over does not count
    const moved = async (...by: readonly (readonly [number, number])[]): Promise<number> => {
      const values = mode.values.slice();
      for (const [k, side] of by) values[k]! += side * step * unit[k]!;
      return (await this.from(mode, values))?.logMass ?? Number.NaN;
    };
    const precision = new Float64Array(m * m);
    for (let k = 0; k < m; k++) {
      const ends = (await moved([k, 1])) + (await moved([k, -1]));
      precision[k * m + k] = (2 * mode.logMass - ends) / (step * unit[k]!) ** 2;
      for (let l = 0; l < k; l++) {
        const alike = (await moved([k, 1], [l, 1])) + (await moved([k, -1], [l, -1]));
        const unlike = (await moved([k, 1], [l, -1])) + (await moved([k, -1], [l, 1]));
        precision[k * m + l] = precision[l * m + k] = (unlike - alike) / (4 * step ** 2 * unit[k]! * unit[l]!);
      }
    }
    const factor = choleskyOf(precision, m);
    return factor && choleskyOf(inverseFromCholesky(factor, m), m);
  }

  /** Points of a lattice about the mode that have mass, from the middle outwards; null where they are too many. */
  async lattice(mode: ConditionalMode, axes: Float64Array): Promise<ConditionalMode[] | null> {
    const m = mode.values.length;
    const there = (at: readonly number[]) =>
      mode.values.map((v, i) => at.reduce((sum, a, k) => (k <= i ? sum + a * axes[i * m + k]! : sum), v));
    const points: ConditionalMode[] = [];
    let best = mode.logMass;
    const origin = Array.from(mode.values, () => 0);
    const seen = new Set([String(origin)]);
    const front = [{ at: origin, point: mode }];
    for (let next = front.shift(); next; next = front.shift()) {
      const { at, point } = next;
      points.push(point);
      if (points.length > MOST_POINTS) return null;
      best = Math.max(best, point.logMass);
      if (point.logMass < best - RANGE) continue;
      for (let k = 0; k < m; k++) {
        for (const side of [1, -1]) {
          const beside = at.map((a, i) => (i === k ? a + side : a));
          if (seen.has(String(beside))) continue;
          seen.add(String(beside));
          const found = await this.from(point, there(beside));
          if (found) front.push({ at: beside, point: found });
        }
      }
    }
    return points;
  }

  /** Whether a place lies beyond the points that have mass, and there is none on the way there either. */
  async endsBefore(there: Float64Array, points: readonly ConditionalMode[]): Promise<boolean> {
    const beyond = there.some((v, k) => points.every(({ values }) => v < values[k]!) || points.every(({ values }) => v > values[k]!)); // biome-ignore format: one line
    if (!beyond) return false;
    const best = points.reduce((a, b) => (b.logMass > a.logMass ? b : a));
    const distance = ({ values }: ConditionalMode) => Math.hypot(...values.map((v, k) => v - there[k]!));
    let last = points.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    const { values: from } = last;
    const whole = distance(last);
    for (let look = 0, gone = 0.5; look < LOOKS && gone < whole; look++, gone *= FURTHER) {
      const found = await this.from(last, from.map((v, k) => v + (gone / whole) * (there[k]! - v))); // biome-ignore format: one line
      if (!found) continue;
      if (found.logMass > best.logMass - RANGE) return false;
      last = found;
    }
    return true;
  }
}
