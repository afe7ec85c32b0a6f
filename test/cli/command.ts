import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** The command, built from the sources as they are now, and an empty folder to run it in. */
export interface BuiltCommand {
  readonly folder: string;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  remove(): void;
}

/**
 * Builds the command into a folder of its own inside the checkout, where its dependencies are found; dist/ may be old. The layout
 * is the package's: bin/ansatz.js loads dist/cli.js.
 */
export async function buildCommand(): Promise<BuiltCommand> {
  const cache = join(root, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const home = mkdtempSync(join(cache, "ansatz-command-"));
  await build({
    absWorkingDir: root,
    entryPoints: { cli: "cli/main.ts", blas: "src/backends/blas/load.ts" },
    outdir: join(home, "dist"),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["commander", "fflate", "hyparquet-writer", "jiti", "koffi", "papaparse"],
    logLevel: "error",
  });
  mkdirSync(join(home, "bin"));
  copyFileSync(join(root, "package.json"), join(home, "package.json"));
  copyFileSync(join(root, "bin", "ansatz.js"), join(home, "bin", "ansatz.js"));
  const folder = mkdtempSync(join(cache, "ansatz-runs-"));
  return {
    folder,
    run: (args, options = {}) => start(join(home, "bin", "ansatz.js"), args, { cwd: folder, ...options }),
    remove() {
      rmSync(home, { recursive: true, force: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function start(entry: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: "1", ...options.env };
    const child = spawn(process.execPath, [entry, ...args], {
      cwd: options.cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
    options.onStart?.(child);
  });
}

/** The object on the last line of standard output: what --json promises. */
export function lastJson(outcome: Outcome): Record<string, unknown> {
  const line = outcome.stdout.trimEnd().split("\n").at(-1) ?? "";
  return JSON.parse(line) as Record<string, unknown>;
}
