import type { Slice } from "../slicer.ts";
import type { GaussianState } from "./gaussian-state.ts";
import type { BlockState } from "./site-updates.ts";

/** A place where the density is high, with a valley between it and the mean of q. */
export interface OtherPeak {
  readonly at: Float64Array;
  /** log p there less log p at the mean. */
  readonly logRatio: number;
  /** How far off the mean it is, in sds of q. */
  readonly distance: number;
  /** The site that is at its own peak or bend there. */
  readonly term: string;
  readonly element: number;
}

/** Sites whose places are looked at, at most. */
const MOST_PLACES = 200;
/** Sites between two pauses. */
const TOGETHER = 64;
/** Sds from which on q says that there is nothing. */
const FAR = 4;
/** A place counts where the density is at least e^−LEAST of that at the mean, and the valley is e^−VALLEY of the lower end. */
const LEAST = 5;
const VALLEY = 1;
const BETWEEN = [0.25, 0.5, 0.75];

/**
 * EP that has settled on one of several peaks has converged all the same, and draws of q never see the others. Sites have most of them
 * where what they read is 0: there the joint density is looked at, with the other coordinates at their means under q given that. What
 * is found are two peaks, or a ridge that q does not follow; where nothing is found there may be others still.
 */
export async function otherPeak(
  state: GaussianState,
  states: readonly BlockState[],
  origin: Float64Array,
  logDensities: (x: Float64Array, slice: Slice) => Promise<Float64Array>,
  slice: Slice,
): Promise<OtherPeak | null> {
  const { dim, mean } = state;
  const places: Omit<OtherPeak, "logRatio">[] = [];
  const column = new Float64Array(dim);
  for (const s of states) {
    if (s.block.k !== 1) continue;
    for (const [site, { form, landmarks }] of s.characters!.entries()) {
      // A probit has no peak, and a step is flat.
      if (form) continue;
      if (site % TOGETHER === 0) await slice();
      const variance = state.project(s.rows, site, column);
      const along = state.meanAlong(s.rows, site);
      for (const point of landmarks.points) {
        const distance = Math.abs(point - along) / Math.sqrt(variance);
        if (!(distance > FAR) || !Number.isFinite(distance)) continue;
        const at = mean.map((m, i) => m + origin[i]! + (column[i]! * (point - along)) / variance);
        places.push({ at, distance, term: s.block.term, element: s.block.elements[site]! });
      }
    }
  }
  if (!places.length) return null;
  const stride = Math.ceil(places.length / MOST_PLACES);
  const chosen = places.filter((_, i) => i % stride === 0);
  const centre = mean.map((m, i) => m + origin[i]!);
  const each = 1 + BETWEEN.length;
  const points = new Float64Array((1 + each * chosen.length) * dim);
  points.set(centre);
  for (const [p, { at }] of chosen.entries()) {
    for (const [f, part] of [1, ...BETWEEN].entries()) {
      const row = (1 + p * each + f) * dim;
      for (let i = 0; i < dim; i++) points[row + i] = centre[i]! + part * (at[i]! - centre[i]!);
    }
  }
  const logs = await logDensities(points, slice);
  let best: OtherPeak | null = null;
  for (const [p, place] of chosen.entries()) {
    const [end, ...between] = logs.subarray(1 + p * each, 1 + (p + 1) * each);
    const logRatio = end! - logs[0]!;
    const valley = Math.min(...between) - Math.min(end!, logs[0]!);
    if (logRatio > Math.max(-LEAST, best?.logRatio ?? -Infinity) && valley < -VALLEY) best = { ...place, logRatio };
  }
  return best;
}
