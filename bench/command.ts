/** Runs the command line as a user does, and reads what it prints. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("..", import.meta.url));
export const dataFolder = process.env["ANSATZ_DATA"] ?? fileURLToPath(new URL("../../shared/data", import.meta.url));

export interface Outcome {
  /** The JSON object on the last line of standard output. */
  readonly json: Record<string, unknown>;
  readonly seconds: number;
  /** Greatest resident size in MiB, read from /proc while it ran; null elsewhere than on Linux. */
  readonly peakMiB: number | null;
}

/** `ansatz ARGS --json`; throws with what it wrote when it fails. */
export function ansatz(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const started = performance.now();
  const child = spawn(process.execPath, ["bin/ansatz.js", ...args, "--json"], {
    cwd: repository,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let peakMiB: number | null = null;
  const watch = setInterval(() => {
    try {
      const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"));
      if (line) peakMiB = Number(line[1]) / 1024;
    } catch {
      // The process ended, or there is no /proc.
    }
  }, 50);
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      clearInterval(watch);
      if (code !== 0) return reject(new Error(`ansatz ${args.join(" ")} ended with ${code}\n${err}${out}`));
      const last = out.trim().split("\n").at(-1)!;
      resolve({ json: JSON.parse(last), seconds: (performance.now() - started) / 1000, peakMiB });
    });
  });
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
};
