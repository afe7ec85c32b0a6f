import { essTail } from "../diagnostics/ess.ts";
import { rhatAndEssBulk } from "../diagnostics/rhat.ts";
import { AGREEMENT, type Certificate, ENOUGH } from "./certificate.ts";
import type { LogDensity } from "./log-density.ts";
import type { SgldFit } from "./sgld-fit.ts";
import type { Slice } from "./slicer.ts";

/** Draws between two pauses. */
const TOGETHER = 64;
/** In units of the sd; and of the variance. */
const SHIFTED = 0.1;
const WIDENED = 0.2;

export interface SteinErrors {
  /** How far each mean is from the posterior's, in its sd. */
  readonly shift: Float64Array;
  /** The draws' variance over the posterior's. */
  readonly ratio: Float64Array;
}

/**
 * How wrong the moments of draws are, by the exact gradients g of log p at them: draws of p itself have E[g] = 0 and
 * E[(x − m)_j g_j] = −1 (Stein's identities; Gorham and Mackey 2015 judge biased samplers by them). For a Gaussian p with precision Λ
 * the first is −Λ (m − m_p) and the second −(S Λ)_jj, so that S E[g] is the error of the mean where S is near Λ⁻¹.
 *
 * @param points  [n, dim]
 */
export async function steinErrors(density: LogDensity, points: Float64Array, slice: Slice): Promise<SteinErrors> {
  const { dim } = density;
  const n = points.length / dim;
  const gradients = new Float64Array(n * dim);
  for (let s = 0; s < n; s++) {
    if (s % TOGETHER === 0) await slice();
    const row = [s * dim, (s + 1) * dim] as const;
    density.evaluate(points.subarray(...row), gradients.subarray(...row));
  }
  const meanOf = (values: Float64Array) => {
    const mean = new Float64Array(dim);
    for (let s = 0; s < n; s++) for (let j = 0; j < dim; j++) mean[j]! += values[s * dim + j]! / n;
    return mean;
  };
  const [mean, slope] = [meanOf(points), meanOf(gradients)];
  const shift = new Float64Array(dim);
  const ratio = new Float64Array(dim);
  const variance = new Float64Array(dim);
  for (let s = 0; s < n; s++) {
    // S E[g] without making S: each row's deviation times its projection on E[g].
    let along = 0;
    for (let j = 0; j < dim; j++) along += (points[s * dim + j]! - mean[j]!) * slope[j]!;
    for (let j = 0; j < dim; j++) {
      const off = points[s * dim + j]! - mean[j]!;
      shift[j]! += (off * along) / n;
      variance[j]! += (off * off) / n;
      ratio[j]! -= (off * gradients[s * dim + j]!) / n;
    }
  }
  return { shift: shift.map((x, j) => x / Math.sqrt(variance[j]!)), ratio };
}

const percent = (x: number): string => `${(100 * x).toFixed(x < 0.1 ? 1 : 0)} %`;
const largest = (values: Float64Array): number => values.reduce((at, v, j) => (Math.abs(v) > Math.abs(values[at]!) || Number.isNaN(v) ? j : at), 0); // biome-ignore format: short

/**
 * Judges chains of stochastic gradient Langevin dynamics. R-hat sees chains that have not met, but not a bias that all of them share,
 * which comes from steps that no Metropolis test corrects: for that the moments are held against exact gradients.
 */
export async function certifySgld(
  { points, chains, draws, stepSizes }: SgldFit,
  density: LogDensity,
  names: readonly string[],
  otherModes: string | null,
  slice: Slice,
): Promise<Certificate> {
  const { dim } = density;
  const khat = null;
  let [rhat, ess, rhatAt, essAt] = [0, Infinity, 0, 0];
  for (let j = 0; j < dim; j++) {
    await slice();
    const values = Array.from({ length: chains }, (_, c) =>
      Float64Array.from({ length: draws }, (_, i) => points[(c * draws + i) * dim + j]!),
    );
    const found = rhatAndEssBulk(values);
    const smaller = Math.min(found.essBulk, essTail(values));
    if (!(found.rhat <= rhat)) [rhat, rhatAt] = [found.rhat, j];
    if (!(smaller >= ess)) [ess, essAt] = [smaller, j];
  }
  const nature =
    "The draws of SGLD are not corrected by a Metropolis test: they follow the posterior only as its steps become short.";
  if (!(rhat < AGREEMENT)) {
    return { trusted: false, khat, reason: `the chains do not agree: R-hat of ${names[rhatAt]} is ${rhat.toFixed(3)} (below ${AGREEMENT} is asked). Draw more. ${nature}` }; // biome-ignore format: one line
  }
  if (!(ess >= ENOUGH)) {
    return { trusted: false, khat, reason: `${names[essAt]} has only ${Math.round(ess)} effective draws (${ENOUGH} are asked). Draw more. ${nature}` }; // biome-ignore format: one line
  }
  const { shift, ratio } = await steinErrors(density, points, slice);
  const off = ratio.map((r) => r - 1);
  const [shiftAt, offAt] = [largest(shift), largest(off)];
  const agree = `${chains} chains of ${draws} draws agree (R-hat at most ${rhat.toFixed(3)})`;
  if (!(Math.abs(shift[shiftAt]!) <= SHIFTED) || !(Math.abs(off[offAt]!) <= WIDENED)) {
    const reason =
      `${agree}, but by the exact gradients at the draws the mean of ${names[shiftAt]} is off by ${percent(Math.abs(shift[shiftAt]!))} of its sd, or ` +
      `the variance of ${names[offAt]} by ${percent(Math.abs(off[offAt]!))}: the steps (${stepSizes.map((s) => s.toPrecision(2)).join(" to ")}) are too long. ` +
      `Give a smaller scale, or use "nuts". ${nature}`;
    return { trusted: false, khat, reason };
  }
  if (otherModes) return { trusted: false, khat, reason: `${agree}, but ${otherModes}` };
  const reason =
    `${agree}, at least ${Math.round(ess)} are effective, and by the exact gradients at them no mean is off by more than ` +
    `${percent(Math.abs(shift[shiftAt]!))} of its sd and no variance by more than ${percent(Math.abs(off[offAt]!))}. ${nature}`;
  return { trusted: true, khat, reason };
}
