import type { Slice } from "../slicer.ts";
import type { Read } from "./read-affine.ts";

/** Projections of z that one site may depend on. */
export const MOST_PROJECTIONS = 3;

/** Sites with the linear projections t = directions · z that they see. */
export interface Projected {
  readonly count: number;
  readonly k: number;
  /** [count, k, dim] */
  readonly directions: Float64Array;
  /** Which elements of the term they are. */
  readonly elements: Int32Array;
  /** What a site reads is slopes · t + offsets: [count, width, k] and [count, width]. */
  readonly width: number;
  readonly slopes: Float64Array;
  readonly offsets: Float64Array;
}

/** Sites between two pauses. */
const TOGETHER = 256;

/** A part of a row that is smaller than this, of the row's norm, is rounding. */
const ROUNDING = 1e-9;

/**
 * What each site reads of z, as few projections: one where all that it reads lies along one direction (then t is the first of what
 * it reads, without its offset), else an orthonormal basis by Gram and Schmidt. Sites with equally many stand together.
 */
export async function project(
  read: Read,
  positions: Int32Array,
  count: number,
  dim: number,
  slice: Slice,
): Promise<Projected[]> {
  const width = positions.length / count;
  const bases: Float64Array[][] = [];
  const row = (site: number, w: number): Float64Array => {
    const at = positions[site * width + w]! * dim;
    return read.matrix.subarray(at, at + dim);
  };
  const byRank = new Map<number, number[]>();
  for (let site = 0; site < count; site++) {
    if (site % TOGETHER === 0) await slice();
    const basis: Float64Array[] = [];
    for (let w = 0; w < width && basis.length <= MOST_PROJECTIONS; w++) {
      const rest = row(site, w).slice();
      const norm = Math.sqrt(dot(rest, rest));
      for (const b of basis) axpy(rest, b, -dot(rest, b) / dot(b, b));
      const left = Math.sqrt(dot(rest, rest));
      if (!(left > ROUNDING * norm)) continue;
      basis.push(rest);
    }
    if (basis.length > 1) for (const b of basis) scale(b, 1 / Math.sqrt(dot(b, b)));
    bases.push(basis);
    const others = byRank.get(basis.length);
    if (others) others.push(site);
    else byRank.set(basis.length, [site]);
  }
  return [...byRank].map(([k, sites]) => {
    const n = sites.length;
    const directions = new Float64Array(n * k * dim);
    const slopes = new Float64Array(n * width * k);
    const offsets = new Float64Array(n * width);
    for (const [i, site] of sites.entries()) {
      const basis = bases[site]!;
      for (const [j, b] of basis.entries()) directions.set(b, (i * k + j) * dim);
      for (let w = 0; w < width; w++) {
        const r = row(site, w);
        offsets[i * width + w] = read.offsets[positions[site * width + w]!]!;
        for (const [j, b] of basis.entries()) slopes[(i * width + w) * k + j] = dot(r, b) / dot(b, b);
      }
    }
    return { count: n, k, directions, elements: Int32Array.from(sites), width, slopes, offsets };
  });
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function axpy(y: Float64Array, x: Float64Array, a: number): void {
  for (let i = 0; i < y.length; i++) y[i]! += a * x[i]!;
}

function scale(x: Float64Array, a: number): void {
  for (let i = 0; i < x.length; i++) x[i]! *= a;
}
