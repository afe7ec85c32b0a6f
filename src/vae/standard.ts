import type { Dataset } from "../data/dataset.ts";

/** Mean and spread of each column, in natural units: a standardised model's networks see (x − location) / spread. */
export interface Standard {
  readonly location: readonly number[];
  readonly spread: readonly number[];
}

/**
 * Of training rows: with `columns` each column's sd is its spread, with `common` the root of their mean square is that of
 * all. A constant column, which has none, gets 1.
 */
export function standardOf({ values, count, width, scale }: Dataset, kind: "columns" | "common"): Standard {
  const mean = new Float64Array(width);
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]! / scale / count;
  const variance = new Float64Array(width);
  for (let i = 0; i < values.length; i++) variance[i % width]! += (values[i]! / scale - mean[i % width]!) ** 2 / count;
  const average = variance.reduce((sum, v) => sum + v, 0) / width;
  const spread = Array.from(variance, (v, j) => {
    const sd = Math.sqrt(kind === "common" ? average : v);
    return sd > 1e-10 * Math.abs(mean[j]!) ? sd : 1; // what is left of a constant is rounding
  });
  return { location: [...mean], spread };
}

/** log |dx / dx̃| of a row: what −log p of standardised values lacks to be that of the natural ones. */
export const logSpreadOf = (standard: Standard | undefined): number =>
  standard?.spread.reduce((sum, s) => sum + Math.log(s), 0) ?? 0;

/** Standardised values from stored ones, value / scale being the natural value. */
export function standardised({ location, spread }: Standard, { values, width, scale }: Dataset): Float64Array {
  return Float64Array.from(values, (x, i) => (x / scale - location[i % width]!) / spread[i % width]!);
}

/** Natural values from standardised ones, in place. */
export function toNatural<T extends Float32Array | Float64Array>(standard: Standard | undefined, values: T): T {
  if (!standard) return values;
  const { location, spread } = standard;
  const width = spread.length;
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * spread[i % width]! + location[i % width]!;
  return values;
}
