import { defaultRuntime, Runtime } from "../src/node.ts";

/**
 * Where a command computes: the system's BLAS with threads, or for deterministic runs the wasm kernels alone (no library is
 * even looked for).
 */
export async function runtimeFor(run: {
  readonly deterministic: boolean;
  readonly threads?: number;
}): Promise<Runtime> {
  if (run.threads !== undefined) process.env.ANSATZ_THREADS = String(run.threads);
  return run.deterministic ? new Runtime({ blas: null, relaxed: false }) : defaultRuntime();
}
