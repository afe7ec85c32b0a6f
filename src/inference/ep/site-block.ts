import type { Projected } from "./projections.ts";
import type { ClosedForm } from "./tilted-form.ts";

/** Fills `into` at the rows of `t` [rows, k]; row r is of site `sites[r]` of the block. */
export type SiteFunction = (sites: Int32Array, t: Float64Array, rows: number, into: Float64Array) => void;

/** Sites of one term that see z through equally many projections, t = directions · z. */
export interface SiteBlock extends Projected {
  readonly term: string;
  /** The site's log density at t. */
  readonly logDensity: SiteFunction;
  /** Expressions, affine in t, at whose zeros the density may jump or bend, [rows, criticals]. */
  readonly criticals: number;
  readonly criticalAt: SiteFunction;
  /** Of sites with one projection: closed forms and where to look; null for others. */
  readonly characters: readonly Character[] | null;
}

/** What is known of a site as a function of its projection before any integral. */
export interface Landmarks {
  /** Where it may jump or bend: panels end there. */
  readonly breaks: readonly number[];
  /** Where what it reads is 0, and the scale on which it changes there: peaks and bends of most densities. */
  readonly points: readonly number[];
  readonly unit: number;
}

/** What is known of each site of a block with one projection. */
export interface Character {
  readonly form: ClosedForm | null;
  readonly landmarks: Landmarks;
}
