import type { BackendRecord } from "./manifest.ts";

/** "OpenBLAS 0.3.21, SkylakeX kernels, 2 threads" or "wasm kernels". */
export function describeBackend({ blas, threads }: BackendRecord): string {
  if (blas === null) return `wasm kernels${threads > 1 ? `, ${threads} threads` : ""}`;
  const name = blas.description.split(/\s+/).slice(0, 2).join(" ");
  return [name, blas.core === null ? "" : `${blas.core} kernels`, countOf(threads, "thread")].filter(Boolean).join(", ");
}

export const countOf = (count: number, noun: string): string =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

/** "8×8 images" or "rows of 5 values". */
export function describeRows(eventShape: readonly number[]): string {
  return eventShape.length > 1 ? `${eventShape.join("×")} images` : `rows of ${countOf(eventShape[0] ?? 0, "value")}`;
}

/** A path as a word of a shell command. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
