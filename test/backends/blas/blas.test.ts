import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as absent from "../../../src/backends/blas/absent.ts";
import { platformCandidates, requestedCandidates } from "../../../src/backends/blas/candidates.ts";
import { coreTypeToSet } from "../../../src/backends/blas/core-type.ts";
import { blasAttempts, loadBlas } from "../../../src/backends/blas/load.ts";
import { blasWorthwhile, type GemmImport } from "../../../src/backends/native.ts";

const coreTypeBefore = process.env.OPENBLAS_CORETYPE;
const blas = await loadBlas();

/** Loads in a process of its own, where the environment is another. */
function loadWith(environment: Record<string, string>): {
  blas: Record<string, unknown> | null;
  error?: string;
  attempts: unknown[];
} {
  const load = fileURLToPath(new URL("../../../src/backends/blas/load.ts", import.meta.url));
  const script = `
    const { loadBlas, blasAttempts } = await import(${JSON.stringify(load)});
    const out = { blas: null };
    try {
      const b = await loadBlas();
      if (b) out.blas = { library: b.library, vendor: b.vendor, threads: b.threads, coreName: b.coreName };
    } catch (error) { out.error = error.name + ": " + error.message; }
    console.log(JSON.stringify({ ...out, attempts: blasAttempts() }));`;
  const env = { ...process.env, ...environment };
  const done = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    env,
    encoding: "utf8",
  });
  return JSON.parse(done.stdout);
}

test("without a system BLAS the loader says what it tried", () => {
  if (blas) expect(blasAttempts().at(-1)!.outcome).toContain("loaded");
  else expect(blasAttempts().length).toBeGreaterThan(0);
});

test("loading leaves the environment as it was", () => {
  expect(process.env.OPENBLAS_CORETYPE).toBe(coreTypeBefore);
});

test("the library is loaded once per process", async () => {
  const attempts = blasAttempts().length;
  expect(await loadBlas()).toBe(blas);
  expect(blasAttempts().length).toBe(attempts);
});

describe.skipIf(!blas)("the system's BLAS", () => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2000 });
  // Skipped suites are collected all the same, without a BLAS.
  const product = (dtype: "f32" | "f64") => blas!.bind(memory)[`gemm_${dtype}`];

  /** Kept across calls, as a program keeps them. */
  const bound: Partial<Record<"f32" | "f64", GemmImport>> = {};

  /** Runs one product of pseudo-random matrices; the largest error relative to Σ|a||b|, in epsilons; Infinity for a stray write. */
  function worstError(
    dtype: "f32" | "f64",
    transA: number,
    transB: number,
    m: number,
    n: number,
    k: number,
    gap: number,
  ): number {
    const view = new (dtype === "f32" ? Float32Array : Float64Array)(memory.buffer, 0, 16384).fill(NaN);
    const [lda, ldb, ldc] = [(transA ? m : k) + gap, (transB ? k : n) + gap, n + gap];
    const [a, b, c] = [3, 5001, 10007];
    for (let i = 0; i < 5000; i++) {
      view[a + i] = ((i * 7919) % 1013) / 1013 - 0.4;
      view[b + i] = ((i * 104729) % 997) / 997 - 0.6;
    }
    view.fill(NaN, c);
    const bytes = view.BYTES_PER_ELEMENT;
    bound[dtype] ??= product(dtype);
    bound[dtype](transA, transB, m, n, k, a * bytes, lda, b * bytes, ldb, c * bytes, ldc);
    let worst = 0;
    let written = 0;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let [exact, scale] = [0, k === 0 ? 1 : 0];
        for (let p = 0; p < k; p++) {
          const product =
            view[a + (transA ? p * lda + i : i * lda + p)]! * view[b + (transB ? j * ldb + p : p * ldb + j)]!;
          exact += product;
          scale += Math.abs(product);
        }
        const error = Math.abs(view[c + i * ldc + j]! - exact) / scale;
        worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
        written++;
      }
    }
    let numbers = 0;
    for (let i = c; i < view.length; i++) if (!Number.isNaN(view[i])) numbers++;
    return numbers === written ? worst / (dtype === "f32" ? 2 ** -23 : 2 ** -52) : Infinity;
  }

  test.each(["f32", "f64"] as const)(
    "multiplies %s like the triple loop, also into gaps and from odd addresses",
    (dtype) => {
      for (const [transA, transB] of [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ] as const) {
        for (const [m, n, k] of [
          [1, 1, 1],
          [7, 9, 31],
          [33, 17, 40],
          [1, 40, 40],
          [40, 1, 40],
          [5, 6, 0],
          [0, 4, 4],
        ] as const) {
          for (const gap of [0, 3]) {
            const error = worstError(dtype, transA, transB, m, n, k, gap);
            expect(error, `${transA} ${transB} ${m}x${k}x${n} gap ${gap}`).toBeLessThan(1 + k / 2);
          }
        }
      }
    },
  );

  test("finds the memory again after it has grown", () => {
    expect(worstError("f32", 0, 1, 9, 8, 7, 0)).toBeLessThan(4);
    memory.grow(1500);
    expect(worstError("f32", 0, 1, 9, 8, 7, 0)).toBeLessThan(4);
  });

  test("works on shared memory", () => {
    const shared = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
    new Float64Array(shared.buffer).set([1, 2, 3, 4, 5, 6, 7, 8]);
    blas!.bind(shared).gemm_f64(0, 0, 2, 2, 2, 0, 2, 32, 2, 64, 2);
    expect([...new Float64Array(shared.buffer, 64, 4)]).toEqual([19, 22, 43, 50]);
  });

  test("sets its threads where it offers that", () => {
    const before = blas!.threads;
    blas!.setThreads(1);
    expect(blas!.threads).toBe(1);
    blas!.setThreads(before);
    expect(blas!.threads).toBe(before);
    expect(() => blas!.setThreads(0)).toThrow(RangeError);
  });

  test("describes itself for the manifest", () => {
    expect(blas!.description.length).toBeGreaterThan(0);
    expect(blas!.library.length).toBeGreaterThan(0);
  });
});

describe("ANSATZ_BLAS", () => {
  test("none turns the search off", () => {
    expect(loadWith({ ANSATZ_BLAS: "none" })).toEqual({
      blas: null,
      attempts: [{ candidate: "any", outcome: "not tried: ANSATZ_BLAS=none" }],
    });
  });

  test("naming what does not exist is an error that says what to do", () => {
    const { error } = loadWith({ ANSATZ_BLAS: "libnosuchblas.so.9" });
    expect(error).toMatch(/^OptionError: ANSATZ_BLAS=libnosuchblas\.so\.9: .*Unset it/s);
  });

  test.skipIf(process.platform === "win32")("naming a library that is no BLAS is an error that says so", () => {
    const { error } = loadWith({
      ANSATZ_BLAS: process.platform === "linux" ? "libm.so.6" : "/usr/lib/libSystem.B.dylib",
    });
    expect(error).toContain("has no cblas_sgemm");
  });

  test.skipIf(!blas)("selects a library by its path", () => {
    expect(loadWith({ ANSATZ_BLAS: blas!.library }).blas).toMatchObject({
      library: blas!.library,
      vendor: blas!.vendor,
    });
  });

  test.skipIf(blas?.vendor !== "openblas")("OPENBLAS_NUM_THREADS and OPENBLAS_CORETYPE of the user hold", () => {
    const loaded = loadWith({ OPENBLAS_NUM_THREADS: "1", OPENBLAS_CORETYPE: "Nehalem" }).blas;
    expect(loaded).toMatchObject({ threads: 1, coreName: "Nehalem" });
  });

  test("takes a vendor for its libraries", () => {
    const mkl = requestedCandidates("MKL", "linux");
    expect(mkl.length).toBeGreaterThan(0);
    expect(mkl.every((c) => c.vendor === "mkl")).toBe(true);
    expect(requestedCandidates("/opt/x/libopenblas.so", "linux")).toEqual([
      { name: "/opt/x/libopenblas.so", vendor: "openblas" },
    ]);
  });
});

describe("the core type given to OpenBLAS", () => {
  const cpuinfo = (flags: string) =>
    `processor\t: 0\nmodel name\t: x\nflags\t\t: fpu ${flags} sse2\n\nprocessor\t: 1\n`;
  const server = cpuinfo("avx2 fma avx512f avx512dq avx512bw avx512vl");
  const old = "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.21.so";

  test("is SkylakeX where the processor has AVX-512 and the release may not know it", () => {
    expect(coreTypeToSet({ cpuinfo: server, chosen: undefined, path: old })).toBe("SkylakeX");
    expect(coreTypeToSet({ cpuinfo: server, chosen: undefined, path: "libopenblas.so.0" })).toBe("SkylakeX");
  });
  test("is Haswell where it has AVX2 and FMA only", () => {
    expect(coreTypeToSet({ cpuinfo: cpuinfo("avx2 fma"), chosen: undefined, path: old })).toBe("Haswell");
  });
  test("is left alone where the user chose, the release is recent, or the processor is unknown", () => {
    expect(coreTypeToSet({ cpuinfo: server, chosen: "Zen", path: old })).toBeNull();
    expect(coreTypeToSet({ cpuinfo: server, chosen: "", path: old })).toBeNull();
    expect(coreTypeToSet({ cpuinfo: server, chosen: undefined, path: "/opt/libopenblasp-r0.3.30.so" })).toBeNull();
    expect(coreTypeToSet({ cpuinfo: cpuinfo("sse4_2"), chosen: undefined, path: old })).toBeNull();
    expect(coreTypeToSet({ cpuinfo: "", chosen: undefined, path: old })).toBeNull();
  });
  const avx512 = existsSync("/proc/cpuinfo") && /avx512vl/.test(readFileSync("/proc/cpuinfo", "latin1"));
  test.skipIf(!avx512 || !blas?.coreName || coreTypeBefore !== undefined)("reaches it on this machine", () => {
    expect(blas!.coreName).not.toMatch(/prescott|haswell|generic/i);
  });
});

test("every platform has candidates, each once", () => {
  for (const platform of ["linux", "darwin", "win32"]) {
    const names = platformCandidates(platform).map((c) => c.name);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
  }
});

test("a BLAS call is worth its cost for a network's layers, not for a handful of elements", () => {
  for (const dtype of ["f32", "f64"] as const) {
    expect(blasWorthwhile(dtype, 100, 500, 784)).toBe(true);
    expect(blasWorthwhile(dtype, 100, 20, 500)).toBe(true);
    expect(blasWorthwhile(dtype, 8, 8, 8)).toBe(false);
    expect(blasWorthwhile(dtype, 1, 50, 50)).toBe(false);
    expect(blasWorthwhile(dtype, 0, 500, 784)).toBe(false);
  }
});

test("where there is no foreign-function interface there is no BLAS", async () => {
  expect(await absent.loadBlas()).toBeNull();
  expect(absent.blasAttempts()).toEqual([]);
});
