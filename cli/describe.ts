import type { BackendRecord } from "./manifest.ts";

/** "OpenBLAS 0.3.21, SkylakeX kernels, 2 threads" or "wasm kernels". */
export function describeBackend({ blas, threads }: BackendRecord): string {
  if (blas === null) return `wasm kernels${threads > 1 ? `, ${threads} threads` : ""}`;
  const name = blas.description.split(/\s+/).slice(0, 2).join(" ");
  return [name, blas.core === null ? "" : `${blas.core} kernels`, countOf(threads, "thread")]
    .filter(Boolean)
    .join(", ");
}

/** "1,498 rows". (toLocaleString would load tables of all the world's numbers first, which takes 15 ms.) */
export const countOf = (count: number, noun: string): string =>
  `${String(count).replace(/\B(?=(\d{3})+$)/g, ",")} ${noun}${count === 1 ? "" : "s"}`;

/** "1,498 images of 8×8" or "150 rows of 4 values". */
export const describeRows = (count: number, eventShape: readonly number[]): string =>
  eventShape.length > 1
    ? `${countOf(count, "image")} of ${eventShape.join("×")}`
    : `${countOf(count, "row")} of ${countOf(eventShape[0] ?? 0, "value")}`;

/** A path as a word of a shell command. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
