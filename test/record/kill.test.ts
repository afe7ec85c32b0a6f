import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRun, readMetrics, readState, truncateMetrics } from "../../src/record/run-directory.ts";

const kills = 20;
const stateBytes = 2 << 20;

// The writer runs in Node alone, without a loader to start, so that twenty of them take seconds.
const sources = ["base/errors.ts", "record/atomic-file.ts", "record/run-directory.ts"];
const writer = `
import { appendMetric, checkpoint, createRun } from "./record/run-directory.js";
const [run, first] = process.argv.slice(2);
if (first === "1") createRun(run, { seed: 1 });
for (let step = Number(first); ; step++) {
  appendMetric(run, { step, padding: "x".repeat(2000) });
  checkpoint(run, new Uint8Array(${stateBytes}).fill(step % 256));
  if (step === Number(first)) process.stdout.write("ready");
}
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ansatz-kill-"));
  for (const source of sources) {
    const text = readFileSync(new URL(`../../src/${source}`, import.meta.url), "utf8");
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        rewriteRelativeImportExtensions: true,
      },
    });
    mkdirSync(join(folder, source, ".."), { recursive: true });
    writeFileSync(join(folder, source.replace(/ts$/, "js")), outputText);
  }
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "writer.js"), writer);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts a writer at `first` and kills it `delay` milliseconds after its first checkpoint. */
function killedWriter(run: string, first: number, delay: number): Promise<{ signal: string | null; errors: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(folder, "writer.js"), run, String(first)]);
    let errors = "";
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), delay));
    child.on("close", (_code, signal) => resolve({ signal, errors }));
  });
}

test(`after each of ${kills} kills the state is one complete checkpoint, and the metrics reach as far`, async () => {
  const run = join(folder, "run");
  let first = 1;
  let interrupted = 0;
  for (let kill = 0; kill < kills; kill++) {
    // Delays spread over some ten checkpoint writes, by the golden ratio so that no two kills come alike.
    const { signal, errors } = await killedWriter(run, first, ((kill * 0.618) % 1) * 40);
    expect({ signal, errors }).toEqual({ signal: "SIGKILL", errors: "" });
    if (readdirSync(run).some((name) => name.endsWith(".tmp"))) interrupted++;

    openRun(run);
    expect(readdirSync(run).sort()).toEqual(["manifest.json", "metrics.jsonl", "state.safetensors"]);
    const state = readState(run)!;
    expect(state.length).toBe(stateBytes);
    expect(Buffer.compare(state, new Uint8Array(stateBytes).fill(state[0]!))).toBe(0);

    const last = readMetrics(run).at(-1)!.step;
    const step = last - ((last - state[0]!) & 255);
    expect(step).toBeGreaterThanOrEqual(first);
    expect(last - step).toBeLessThanOrEqual(1);
    truncateMetrics(run, step);
    expect(readMetrics(run).map((row) => row.step)).toEqual(Array.from({ length: step }, (_, i) => i + 1));
    first = step + 1;
  }
  // Kills that all fell between two writes would show nothing.
  expect(interrupted).toBeGreaterThan(0);
}, 60_000);
