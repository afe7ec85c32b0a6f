import { exitCodes } from "./failure.ts";

/** Signals that end a run in order, each with its exit code (128 + its number). */
const signals = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;

export interface Interruption {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** The exit code that the signal asks for; null while there was none. */
  readonly code: number | null;
}

/**
 * Turns the first Ctrl-C (or SIGTERM, SIGHUP) into an abort, so that the run can be saved; a second one ends the process at
 * once, and the last checkpoint stands.
 */
export function onInterrupt(firstTime: () => void): Interruption {
  const controller = new AbortController();
  let code: number | null = null;
  for (const [name, exitCode] of Object.entries(signals)) {
    process.on(name, () => {
      if (code !== null) process.exit(exitCode);
      code = exitCode;
      firstTime();
      controller.abort();
    });
  }
  return {
    signal: controller.signal,
    get code() {
      return code;
    },
  };
}
