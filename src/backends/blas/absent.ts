import { OptionError } from "../../base/errors.ts";
import type { Blas, BlasAttempt, HostWorker, ThreadPool, WorkerEvents } from "../native.ts";

/** Where there is no foreign-function interface (browsers), there is no BLAS: the wasm kernels serve. */
export async function loadBlas(): Promise<Blas | null> {
  return null;
}

export function blasAttempts(): readonly BlasAttempt[] {
  return [];
}

/** One: the page's own thread. */
export const defaultThreads = (): number => 1;

export async function createThreads(
  _memory: WebAssembly.Memory,
  _meeting: number,
  _size: number,
  _blas: Blas | null,
): Promise<ThreadPool> {
  throw new OptionError("threads are offered on Node only: use a runtime with threads: 1");
}

export function startWorker(_script: string, _data: unknown, _events: WorkerEvents): HostWorker {
  throw new OptionError("threads are offered on Node only: use threads: 1");
}
