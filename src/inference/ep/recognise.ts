import { normalQuantile } from "../../diagnostics/normal-quantile.ts";
import { normalTail } from "./normal-tail.ts";
import type { Landmarks } from "./quadrature.ts";
import type { SiteBlock } from "./sites.ts";
import type { ClosedForm } from "./tilted-form.ts";

/** What is known of each site of a block with one projection. */
export interface Character {
  readonly form: ClosedForm | null;
  readonly landmarks: Landmarks;
}

const MOST_POINTS = 6;
const different = (list: readonly number[]): number[] =>
  [...new Set(list.filter(Number.isFinite))].sort((a, b) => a - b);

/** Where sites may jump or bend, where what they read is 0, and which are probits or steps: found by evaluating them. */
export function characterise(block: Sites): Character[] {
  const { count, width, slopes, offsets, criticals } = block;
  const sites = Int32Array.from({ length: count }, (_, i) => i);
  const [atZero, atOne] = [0, 1].map((t) => {
    const out = new Float64Array(count * criticals);
    if (criticals) block.criticalAt(sites, new Float64Array(count).fill(t), count, out);
    return out;
  }) as [Float64Array, Float64Array];
  const landmarks = Array.from(sites, (site): Landmarks => {
    const reads = Array.from({ length: width }, (_, w) => site * width + w).filter((i) => slopes[i] !== 0);
    const points = different(reads.map((i) => -offsets[i]! / slopes[i]!)).slice(0, MOST_POINTS);
    const unit = 1 / Math.max(...reads.map((i) => Math.abs(slopes[i]!)));
    const breaks = different(
      Array.from({ length: criticals }, (_, c) => {
        const [from, to] = [atZero[site * criticals + c]!, atOne[site * criticals + c]!];
        return to === from ? Number.NaN : from / (from - to);
      }),
    );
    return { breaks, points: different([...points, ...breaks.slice(0, MOST_POINTS)]), unit };
  });
  const tests = landmarks.map((l) => [...stepPoints(l), ...probitPoints(l)]);
  const values = valuesAt(block, tests);
  return landmarks.map((l, site) => {
    const steps = stepPoints(l).length;
    const found = values[site]!;
    const form = stepOf(l, found.subarray(0, steps)) ?? probitOf(tests[site]!.slice(steps), found.subarray(steps));
    return { form, landmarks: l };
  });
}

/** Sites as functions, before anything is known of them. */
type Sites = Pick<SiteBlock, "count" | "width" | "slopes" | "offsets" | "criticals" | "criticalAt" | "logDensity">;

/** Values of each site at points of its own, all together. */
function valuesAt(block: Sites, points: readonly (readonly number[])[]): Float64Array[] {
  const t = Float64Array.from(points.flat());
  const sites = Int32Array.from(points.flatMap((list, site) => list.map(() => site)));
  const out = new Float64Array(t.length);
  block.logDensity(sites, t, t.length, out);
  let from = 0;
  return points.map((list) => {
    from += list.length;
    return out.subarray(from - list.length, from);
  });
}

const STEPS = [1e-6, 1e-3, 0.1, 1, 7, 100, 1e4];

/** Points left and right of a single break. */
function stepPoints({ breaks, unit }: Landmarks): number[] {
  const [threshold] = breaks;
  if (breaks.length !== 1) return [];
  return [...STEPS.map((s) => threshold! - s * unit), ...STEPS.map((s) => threshold! + s * unit)];
}

const same = (values: Float64Array): boolean =>
  values.every((x) => x === values[0] || Math.abs(x - values[0]!) < 1e-13);

/** One jump between two constants. */
function stepOf({ breaks }: Landmarks, values: Float64Array): ClosedForm | null {
  if (!values.length) return null;
  const [left, right] = [values.subarray(0, STEPS.length), values.subarray(STEPS.length)];
  return same(left) && same(right) ? { kind: "step", threshold: breaks[0]!, left: left[0]!, right: right[0]! } : null;
}

/** The first two decide the line, the others lie on it. */
const probitPoints = ({ points: [origin], unit }: Landmarks): number[] =>
  origin === undefined ? [] : [-0.7, 0.6, -4, -1.5, -0.2, 1.1, 3].map((s) => origin + s * unit);

const tail = { logCdf: 0, hazard: 0 };

/** Φ(slope · t + offset), however it was written: Φ⁻¹ of it lies on a line, in its middle and in its tails. */
function probitOf([a, b, ...tests]: readonly number[], values: Float64Array): ClosedForm | null {
  if (a === undefined || b === undefined) return null;
  const [za, zb] = [normalQuantile(Math.exp(values[0]!)), normalQuantile(Math.exp(values[1]!))];
  const slope = (zb - za) / (b - a);
  const offset = za - slope * a;
  // From a to b are 1.3 units.
  if (!(Math.abs(zb - za) > 1.3e-3) || !Number.isFinite(offset)) return null;
  const fits = tests.every((t, i) => {
    normalTail(slope * t + offset, tail);
    return Math.abs(values[i + 2]! - tail.logCdf) < 1e-10 * (1 + Math.abs(tail.logCdf));
  });
  return fits ? { kind: "probit", slope, offset } : null;
}
