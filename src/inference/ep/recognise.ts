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

/** Values of a site at some points. */
const valuesAt = (block: SiteBlock, site: number, t: readonly number[]): Float64Array => {
  const out = new Float64Array(t.length);
  block.logDensity(new Int32Array(t.length).fill(site), Float64Array.from(t), t.length, out);
  return out;
};

const MOST_POINTS = 6;
const different = (list: readonly number[]): number[] =>
  [...new Set(list.filter(Number.isFinite))].sort((a, b) => a - b);

/** Where a site may jump or bend, where what it reads is 0, and whether it is a probit or a step: found by evaluating it. */
export function characterise(block: SiteBlock): Character[] {
  const { count, width, slopes, offsets, criticals } = block;
  const sites = Int32Array.from({ length: count }, (_, i) => i);
  const [atZero, atOne] = [0, 1].map((t) => {
    const out = new Float64Array(count * criticals);
    if (criticals) block.criticalAt(sites, new Float64Array(count).fill(t), count, out);
    return out;
  }) as [Float64Array, Float64Array];
  return Array.from(sites, (site) => {
    const reads = Array.from({ length: width }, (_, w) => site * width + w).filter((i) => slopes[i] !== 0);
    const points = different(reads.map((i) => -offsets[i]! / slopes[i]!)).slice(0, MOST_POINTS);
    const unit = 1 / Math.max(...reads.map((i) => Math.abs(slopes[i]!)));
    const breaks = different(
      Array.from({ length: criticals }, (_, c) => {
        const [from, to] = [atZero[site * criticals + c]!, atOne[site * criticals + c]!];
        return to === from ? Number.NaN : from / (from - to);
      }),
    );
    const landmarks = { breaks, points: different([...points, ...breaks.slice(0, MOST_POINTS)]), unit };
    return { form: stepOf(block, site, landmarks) ?? probitOf(block, site, landmarks), landmarks };
  });
}

const same = (values: Float64Array): boolean =>
  values.every((x) => x === values[0] || Math.abs(x - values[0]!) < 1e-13);

/** One jump between two constants. */
function stepOf(block: SiteBlock, site: number, { breaks, unit }: Landmarks): ClosedForm | null {
  if (breaks.length !== 1) return null;
  const [threshold] = breaks as [number];
  const steps = [1e-6, 1e-3, 0.1, 1, 7, 100, 1e4].map((s) => s * unit);
  const [left, right] = [valuesAt(block, site, steps.map((s) => threshold - s)), valuesAt(block, site, steps.map((s) => threshold + s))]; // biome-ignore format: one line
  if (!same(left) || !same(right)) return null;
  return { kind: "step", threshold, left: left[0]!, right: right[0]! };
}

const tail = { logCdf: 0, hazard: 0 };

/** Φ(slope · t + offset), however it was written: Φ⁻¹ of it lies on a line, in its middle and in its tails. */
function probitOf(block: SiteBlock, site: number, { points, unit }: Landmarks): ClosedForm | null {
  const [origin] = points;
  if (origin === undefined) return null;
  const [a, b] = [origin - 0.7 * unit, origin + 0.6 * unit];
  const tests = [-4, -1.5, -0.2, 1.1, 3].map((s) => origin + s * unit);
  const values = valuesAt(block, site, [a, b, ...tests]);
  const [za, zb] = [normalQuantile(Math.exp(values[0]!)), normalQuantile(Math.exp(values[1]!))];
  const slope = (zb - za) / (b - a);
  const offset = za - slope * a;
  if (!(Math.abs(slope) * unit > 1e-3) || !Number.isFinite(offset)) return null;
  const fits = tests.every((t, i) => {
    normalTail(slope * t + offset, tail);
    return Math.abs(values[i + 2]! - tail.logCdf) < 1e-10 * (1 + Math.abs(tail.logCdf));
  });
  return fits ? { kind: "probit", slope, offset } : null;
}
