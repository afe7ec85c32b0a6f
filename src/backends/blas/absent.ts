import type { Blas, BlasAttempt } from "./blas.ts";

/** Where there is no foreign-function interface (browsers), there is no BLAS: the wasm kernels serve. */
export async function loadBlas(): Promise<Blas | null> {
  return null;
}

export function blasAttempts(): readonly BlasAttempt[] {
  return [];
}
