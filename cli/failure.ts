import { AnsatzError } from "../src/index.ts";

/** Exit codes of the command. Ended by a signal it exits with 128 + the signal's number, as shells do: 130 for Ctrl-C. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** A command line that cannot be meant: the text says what was given, what was expected, and which command helps. */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface Failure {
  readonly code: number;
  /** One paragraph, without "error: ". */
  readonly message: string;
  readonly name: string;
}

/** How an error is told to the user, and what the process exits with. */
export function describeFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: exitCodes.failure, name: "Error", message: String(error) };
  const { name } = error;
  const message = error.message.replace(/\s*\n\s*/g, " ").trim();
  if (name === "UsageError" || name === "OptionError") return { code: exitCodes.usage, name, message };
  if (name === "InternalError") return { code: exitCodes.failure, name, message: `${message} ${bug}` };
  if (error instanceof AnsatzError) return { code: exitCodes.failure, name, message };
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined && syscall !== undefined) {
    return { code: exitCodes.failure, name: code, message: `${message}.${systemAdvice[code] ?? ""}` };
  }
  return { code: exitCodes.failure, name, message: `${message || name} ${bug}` };
}

const bug =
  "(This is a fault of ansatz itself, not of your data or options. ANSATZ_DEBUG=1 shows where it arose; please report it.)";

const systemAdvice: Readonly<Record<string, string>> = {
  ENOSPC: " The disk is full: free some space, then run the command again; a training run goes on with train --resume.",
  EACCES: " Check the permissions of that file and its folder.",
  EPERM: " Check the permissions of that file and its folder.",
  EROFS: " That folder cannot be written to: choose another one.",
  EISDIR: " A file was expected, and this is a folder.",
  ENOENT: " Check the path; folders on the way to an output file must exist.",
};
