import { cpus } from "node:os";
import type { Command } from "commander";
import {
  blasAttempts,
  defaultRuntime,
  defaultThreads,
  f32,
  hasRelaxedSimd,
  loadBlas,
  program,
  Runtime,
} from "../src/node.ts";
import { exitCodes } from "./failure.ts";
import { say, sayJson } from "./output.ts";
import { version } from "./version.ts";

export function define(command: Command): void {
  command
    .description(
      "Shows what this machine offers (Node, SIMD, a system BLAS), runs a small program as a check, and says how to get " +
        "the faster kernels where they are missing.",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz doctor
  $ ANSATZ_BLAS=none ansatz doctor          what runs without a system BLAS
  $ ANSATZ_BLAS=/opt/lib/libblis.so ansatz doctor`,
    )
    .action(async (options: { json?: boolean }) => {
      const findings = await examine();
      if (options.json) sayJson({ ...findings });
      else say(describe(findings));
      if (!findings.check.passed) process.exitCode = exitCodes.failure;
    });
}

type Findings = Awaited<ReturnType<typeof examine>>;

async function examine() {
  const koffi = await koffiVersion();
  const { blas, complaint } = await findBlas();
  const relaxedSimd = hasRelaxedSimd();
  const check = await selfCheck();
  const speed = {
    wasm: check.passed ? await gflops(new Runtime({ blas: null })) : null,
    used: check.passed && complaint === null ? await gflops(await defaultRuntime()) : null,
  };
  const used = blas
    ? { library: blas.library, vendor: blas.vendor, description: blas.description, core: blas.coreName }
    : null;
  return {
    ansatz: version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cpus: cpus().length,
    relaxedSimd,
    koffi,
    blas: used,
    blasTried: blasAttempts().map(({ candidate, outcome }) => ({ candidate, outcome })),
    threads: defaultThreads(),
    backend: used ? "blas" : "wasm",
    gflops: speed,
    check,
    advice: advise(koffi, used !== null, relaxedSimd, complaint),
  };
}

/** A name in ANSATZ_BLAS that cannot be used stops other commands; here it is a finding. */
async function findBlas() {
  try {
    return { blas: await loadBlas(), complaint: null };
  } catch (error) {
    return { blas: null, complaint: (error as Error).message };
  }
}

async function koffiVersion(): Promise<string | null> {
  try {
    return (await import("koffi")).default.version;
  } catch {
    return null;
  }
}

/**
 * Σ_ij exp(i j / 8) over i, j < 8, once by one matrix product and one reduction in WebAssembly and once here: it fails
 * where the engine cannot compile or computes something else.
 */
async function selfCheck(): Promise<{ passed: boolean; detail: string }> {
  const n = 8;
  const index = Array.from({ length: n }, (_, i) => i);
  const expected = index.reduce((total, i) => total + index.reduce((sum, j) => sum + Math.exp((i * j) / n), 0), 0);
  try {
    const step = await program({
      inputs: { row: f32([n, 1]), column: f32([1, n]) },
      body: ({ inputs }) => ({ outputs: { total: inputs.row.matmul(inputs.column).exp().sum() } }),
      deterministic: true,
      runtime: new Runtime({ blas: null }),
    });
    const { metrics } = await step.run({ row: index, column: index.map((j) => j / n) });
    const found = metrics.total?.[0] ?? Number.NaN;
    const passed = Math.abs(found / expected - 1) < 1e-5;
    return {
      passed,
      detail: passed ? "a small program gives the right number" : `found ${found}, expected ${expected}`,
    };
  } catch (error) {
    return { passed: false, detail: (error as Error).message };
  }
}

/** Speed of the product [100, 784] · [784, 500] in single precision: the median of 5 runs of about 20 ms. */
async function gflops(runtime: Runtime): Promise<number> {
  const [m, k, n] = [100, 784, 500];
  const step = await program({
    inputs: { a: f32([m, k]), b: f32([k, n]) },
    body: ({ inputs }) => ({ outputs: { c: inputs.a.matmul(inputs.b) } }),
    runtime,
  });
  const inputs = { a: runtime.buffer("f32", [m, k]), b: runtime.buffer("f32", [k, n]) };
  const time = async (steps: number): Promise<number> => {
    const started = performance.now();
    await step.run(inputs, steps);
    return (performance.now() - started) / steps;
  };
  const warm = await time(5);
  const steps = Math.max(1, Math.round(20 / warm));
  const runs: number[] = [];
  for (let i = 0; i < 5; i++) runs.push(await time(steps));
  runs.sort((a, b) => a - b);
  return Math.round((2 * m * k * n) / (runs[2]! * 1e6));
}

/** What would make this machine faster, most important first. */
function advise(koffi: string | null, hasBlas: boolean, relaxedSimd: boolean, complaint: string | null): string[] {
  const advice: string[] = [];
  const request = process.env.ANSATZ_BLAS?.trim();
  if (complaint !== null) return [complaint];
  if (request?.toLowerCase() === "none") {
    advice.push("ANSATZ_BLAS=none turns the system's BLAS off: unset it to use one where it is found.");
  } else if (koffi === null) {
    advice.push("Install the optional package koffi, through which a system BLAS is called: npm install koffi");
  }
  if (!hasBlas && request?.toLowerCase() !== "none") advice.push(installBlas());
  if (!relaxedSimd) {
    advice.push(
      "This Node has no relaxed SIMD (fused multiply-add in WebAssembly), which the wasm kernels are faster with: a " +
        "current Node has it.",
    );
  }
  return advice;
}

function installBlas(): string {
  const then = "; a library elsewhere can be named by ANSATZ_BLAS=/path/to/library";
  if (process.platform === "darwin") return `Install a BLAS: brew install openblas${then}`;
  if (process.platform === "win32") return `Put libopenblas.dll (from the OpenBLAS releases) on the PATH${then}`;
  return `Install a BLAS: sudo apt install libopenblas0-pthread (Debian, Ubuntu), sudo dnf install openblas-threads (Fedora)${then}`;
}

function describe(f: Findings): string {
  const rows: [string, string][] = [
    ["ansatz", f.ansatz],
    ["Node", f.node],
    ["platform", f.platform],
    ["CPU", `${f.cpu}, ${f.cpus} logical cores`],
    ["relaxed SIMD", f.relaxedSimd ? "yes (fused multiply-add)" : "no"],
    ["koffi", f.koffi ?? "not installed"],
    ["BLAS", f.blas ? `${f.blas.library}` : "none: the wasm kernels serve"],
  ];
  if (f.blas) {
    rows.push(["", f.blas.description]);
    if (f.blas.core !== null) rows.push(["", `kernels for ${f.blas.core}`]);
  } else {
    for (const { candidate, outcome } of f.blasTried) rows.push(["", `${candidate}: ${outcome}`]);
  }
  rows.push(["threads", `${f.threads}`]);
  if (f.gflops.used !== null) {
    rows.push([
      "speed",
      `${f.gflops.used} GFLOP/s as set up, ${f.gflops.wasm} with wasm on one thread (a 100×784×500 product)`,
    ]);
  }
  rows.push(["check", f.check.passed ? `passed: ${f.check.detail}` : `FAILED: ${f.check.detail}`]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const table = rows.map(([name, value]) => `${name.padEnd(width)}${value}`).join("\n");
  const advice =
    f.advice.length === 0
      ? "Nothing to improve: the fastest kernels are in use."
      : `To make it faster:\n- ${f.advice.join("\n- ")}`;
  return `${table}

${advice}

With BLAS, equal results need the same library, core type and thread count (they stand in a run's manifest.json);
ANSATZ_THREADS sets the threads, ANSATZ_BLAS chooses the library. train --deterministic uses the wasm kernels alone
and gives the same bits on every machine.`;
}
