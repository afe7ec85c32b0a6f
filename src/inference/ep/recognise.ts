import { normalQuantile } from "../../diagnostics/normal-quantile.ts";
import { normalTail } from "./normal-tail.ts";
import type { Character, Landmarks, SiteBlock } from "./site-block.ts";
import type { ClosedForm } from "./tilted-form.ts";

const MOST_POINTS = 6;
const different = (list: readonly number[]): number[] =>
  list.length === 1 && Number.isFinite(list[0])
    ? [list[0]!]
    : [...new Set(list.filter(Number.isFinite))].sort((a, b) => a - b);

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
    const zeros: number[] = [];
    let steepest = 0;
    for (let i = site * width; i < (site + 1) * width; i++) {
      if (slopes[i] === 0) continue;
      zeros.push(-offsets[i]! / slopes[i]!);
      steepest = Math.max(steepest, Math.abs(slopes[i]!));
    }
    const points = different(zeros).slice(0, MOST_POINTS);
    const unit = 1 / steepest;
    const bends: number[] = [];
    for (let c = site * criticals; c < (site + 1) * criticals; c++) {
      const [before, after] = [atZero[c]!, atOne[c]!];
      if (after !== before) bends.push(before / (before - after));
    }
    const breaks = different(bends);
    return { breaks, points: different([...points, ...breaks.slice(0, MOST_POINTS)]), unit };
  });
  const from = new Int32Array(count + 1);
  for (const [i, l] of landmarks.entries()) from[i + 1] = from[i]! + stepPoints(l) + probitPoints(l);
  const t = new Float64Array(from[count]!);
  const asked = new Int32Array(t.length);
  for (const [i, l] of landmarks.entries()) {
    asked.fill(i, from[i]!, from[i + 1]!);
    fillPoints(l, t, from[i]!);
  }
  const values = new Float64Array(t.length);
  block.logDensity(asked, t, t.length, values);
  return landmarks.map((l, i) => {
    const middle = from[i]! + stepPoints(l);
    const form =
      stepOf(l, values.subarray(from[i]!, middle)) ??
      probitOf(t.subarray(middle, from[i + 1]!), values.subarray(middle, from[i + 1]!));
    return { form, landmarks: l };
  });
}

/** Sites as functions, before anything is known of them. */
type Sites = Pick<SiteBlock, "count" | "width" | "slopes" | "offsets" | "criticals" | "criticalAt" | "logDensity">;

const STEPS = [1e-6, 1e-3, 0.1, 1, 7, 100, 1e4];
/** The first two decide the line, the others lie on it. */
const LINE = [-0.7, 0.6, -4, -1.5, -0.2, 1.1, 3];

/** How many points left and right of a single break; and about where what is read is 0. */
const stepPoints = ({ breaks }: Landmarks): number => (breaks.length === 1 ? 2 * STEPS.length : 0);
const probitPoints = ({ points }: Landmarks): number => (points.length ? LINE.length : 0);

function fillPoints({ breaks, points: [origin], unit }: Landmarks, t: Float64Array, from: number): void {
  let to = from;
  if (breaks.length === 1) {
    for (const s of STEPS) t[to++] = breaks[0]! - s * unit;
    for (const s of STEPS) t[to++] = breaks[0]! + s * unit;
  }
  if (origin !== undefined) for (const s of LINE) t[to++] = origin + s * unit;
}

const same = (values: Float64Array): boolean =>
  values.every((x) => x === values[0] || Math.abs(x - values[0]!) < 1e-13);

/** One jump between two constants. */
function stepOf({ breaks }: Landmarks, values: Float64Array): ClosedForm | null {
  if (!values.length) return null;
  const [left, right] = [values.subarray(0, STEPS.length), values.subarray(STEPS.length)];
  return same(left) && same(right) ? { kind: "step", threshold: breaks[0]!, left: left[0]!, right: right[0]! } : null;
}

const tail = { logCdf: 0, hazard: 0 };

/** Φ(slope · t + offset), however it was written: Φ⁻¹ of it lies on a line, in its middle and in its tails. */
function probitOf(t: Float64Array, values: Float64Array): ClosedForm | null {
  if (!t.length) return null;
  const [a, b] = [t[0]!, t[1]!];
  const [za, zb] = [normalQuantile(Math.exp(values[0]!)), normalQuantile(Math.exp(values[1]!))];
  const slope = (zb - za) / (b - a);
  const offset = za - slope * a;
  // From a to b are 1.3 units.
  if (!(Math.abs(zb - za) > 1.3e-3) || !Number.isFinite(offset)) return null;
  for (let i = 2; i < t.length; i++) {
    normalTail(slope * t[i]! + offset, tail);
    if (!(Math.abs(values[i]! - tail.logCdf) < 1e-10 * (1 + Math.abs(tail.logCdf)))) return null;
  }
  return { kind: "probit", slope, offset };
}
