import { exitCodes } from "./failure.ts";

/** Signals that end a run in order, each with its exit code (128 + its number). */
const signals = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;

export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** The exit code that the signal asks for; null while there was none. */
  readonly code: number | null;
  /** Hands the signals back to the system. */
  release(): void;
}

/**
 * Turns the first Ctrl-C (or SIGTERM, SIGHUP) into an abort, so that the run can be saved; a second one ends the process at
 * once, and the last checkpoint stands.
 */
export function onInterrupt(firstTime: () => void): Interruption {
  const controller = new AbortController();
  let code: number | null = null;
  const handlers = Object.entries(signals).map(([name, exitCode]) => {
    const handler = (): void => {
      if (code !== null) process.exit(exitCode);
      code = exitCode;
      firstTime();
      controller.abort();
    };
    process.on(name, handler);
    return [name, handler] as const;
  });
  return {
    signal: controller.signal,
    get code() {
      return code;
    },
    release() {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}
