import v8 from "node:v8";
import { describe, expect, test } from "vitest";
import { ModuleBuilder } from "../../../src/backends/wasm/assembler/module.ts";
import { gemmFunction, gemmScratchBytes } from "../../../src/backends/wasm/gemm.ts";

// Off by default in Node 20; newer versions know no such flag and need none.
if (Number.parseInt(process.versions.node, 10) < 21) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");

type Gemm = (...args: number[]) => void;

const memory = new WebAssembly.Memory({ initial: 256 });

function build(dtype: "f32" | "f64", relaxed: boolean): Gemm {
  const m = new ModuleBuilder();
  m.export("gemm", gemmFunction(m, dtype, { relaxed }));
  const module = new WebAssembly.Module(m.encode());
  return new WebAssembly.Instance(module, { env: { memory } }).exports.gemm as Gemm;
}

interface Shape {
  transA: boolean;
  transB: boolean;
  m: number;
  n: number;
  k: number;
  /** Added to the smallest leading dimensions. */
  gap?: number;
}

let seed = 1;
/** Uniform on [−1, 1), by a linear congruential generator: the values matter not, that they repeat does. */
const noise = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
  return seed / 2 ** 31;
};

/**
 * Runs one product with a guard zone of NaN around (and in the gaps of) all operands: a read outside poisons the result, a write
 * outside is found by looking. Returns the largest error relative to Σ|a||b|, in units of the dtype's epsilon.
 */
function worstError(gemm: Gemm, dtype: "f32" | "f64", shape: Shape): number {
  const { transA, transB, m, n, k, gap = 0 } = shape;
  const bytes = dtype === "f32" ? 4 : 8;
  const guard = 64;
  const [rowsA, colsA] = transA ? [k, m] : [m, k];
  const [rowsB, colsB] = transB ? [n, k] : [k, n];
  const [lda, ldb, ldc] = [colsA + gap, colsB + gap, n + gap];
  const elements = 4 * guard + rowsA * lda + rowsB * ldb + m * ldc;
  const scratch = Math.ceil((elements * bytes) / 16) * 16;
  const total = scratch + gemmScratchBytes(dtype, m, n, k) + guard * bytes;
  if (total > memory.buffer.byteLength) memory.grow(Math.ceil((total - memory.buffer.byteLength) / 65536));
  const view = new (dtype === "f32" ? Float32Array : Float64Array)(memory.buffer, 0, Math.floor(total / bytes)).fill(
    NaN,
  );
  const a = guard;
  const b = a + rowsA * lda + guard;
  const c = b + rowsB * ldb + guard;
  const fill = (at: number, rows: number, cols: number, ld: number) => {
    for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) view[at + i * ld + j] = noise();
  };
  fill(a, rowsA, colsA, lda);
  fill(b, rowsB, colsB, ldb);

  gemm(+transA, +transB, m, n, k, a * bytes, lda, b * bytes, ldb, c * bytes, ldc, scratch);

  let worst = 0;
  const written = new Set<number>();
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let exact = 0;
      let scale = 0;
      for (let p = 0; p < k; p++) {
        const x = view[a + (transA ? p * lda + i : i * lda + p)]!;
        const y = view[b + (transB ? j * ldb + p : p * ldb + j)]!;
        exact += x * y;
        scale += Math.abs(x * y);
      }
      written.add(c + i * ldc + j);
      const error = Math.abs(view[c + i * ldc + j]! - exact);
      worst = Math.max(worst, k === 0 ? error : error / scale);
      if (Number.isNaN(error)) worst = Infinity;
    }
  }
  // Gaps of C and the guards around it and after the scratch are as they were.
  for (let at = b + rowsB * ldb; at < c + m * ldc + guard && at * bytes < scratch; at++) {
    if (!written.has(at) && !Number.isNaN(view[at])) return Infinity;
  }
  const end = Math.floor((scratch + gemmScratchBytes(dtype, m, n, k)) / bytes);
  for (let at = end; at < view.length; at++) if (!Number.isNaN(view[at])) return Infinity;
  return worst / (dtype === "f32" ? 2 ** -23 : 2 ** -52);
}

/** Rounding errors of k terms in sequence are at most k/2 epsilon of Σ|a||b|, and far fewer here. */
const tolerance = (k: number) => 1 + k / 2;

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

describe.each([
  ["f32", false],
  ["f32", true],
  ["f64", false],
  ["f64", true],
] as const)("%s, relaxed %s", (dtype, relaxed) => {
  const gemm = build(dtype, relaxed);
  describe.each(transposes)("transposed %s, %s", (transA, transB) => {
    const check = (m: number, n: number, k: number, gap = 0) =>
      expect(worstError(gemm, dtype, { transA, transB, m, n, k, gap }), `${m}x${k}x${n}`).toBeLessThan(tolerance(k));

    test("is the triple loop for every small shape", () => {
      for (let m = 1; m <= 9; m++) for (let n = 1; n <= 10; n++) for (const k of [1, 2, 3, 5, 8]) check(m, n, k);
    });
    test("is the triple loop at the edges of tiles", () => {
      for (const m of [11, 12, 13, 18, 25])
        for (const n of [7, 8, 9, 16, 17, 31]) for (const k of [4, 7, 21]) check(m, n, k, 3);
    });
    test("is the triple loop for matrix-vector shapes", () => {
      for (const gap of [0, 1]) {
        check(1, 67, 35, gap);
        check(67, 1, 35, gap);
        check(1, 1, 301, gap);
        check(2, 33, 129, gap);
        check(3, 70, 9, gap);
        check(37, 53, 1, gap);
      }
    });
    test("is the triple loop for shapes of a network's layers", () => {
      check(100, 20, 500);
      check(100, 50, 78, 5);
    });
    test("is the triple loop across the blocks of every axis", () => {
      check(13, 17, 1543);
      check(253, 11, 30);
      check(7, 523, 18);
      check(245, 530, 9, 1);
    });
    test("writes zeros where k is 0, and nothing where m or n is", () => {
      check(3, 5, 0, 2);
      check(0, 5, 4);
      check(5, 0, 4);
    });
  });

  // The last byte of a WebAssembly memory is followed by nothing: a read past an operand there traps.
  test.each(transposes)("reads nothing behind operands at the end of memory, transposed %s, %s", (transA, transB) => {
    const bytes = dtype === "f32" ? 4 : 8;
    const end = memory.buffer.byteLength;
    for (const [m, n, k] of [
      [7, 9, 5],
      [5, 8, 4],
      [1, 7, 9],
      [6, 1, 9],
      [2, 3, 11],
      [21, 13, 2],
    ] as const) {
      const [lda, ldb] = [transA ? m : k, transB ? k : n];
      const run = (a: number, b: number) => gemm(+transA, +transB, m, n, k, a, lda, b, ldb, 0, n, 2 ** 16);
      expect(() => run(end - m * k * bytes, 2 ** 15)).not.toThrow();
      expect(() => run(2 ** 15, end - k * n * bytes)).not.toThrow();
    }
  });

  test("gives the same bits for the same call", () => {
    const [m, n, k] = [37, 29, 613];
    const [a, b, c, scratch] = [0, 2 ** 18, 2 ** 19, 2 ** 20];
    const view = new (dtype === "f32" ? Float32Array : Float64Array)(memory.buffer, 0, 2 ** 16).map(noise);
    new (dtype === "f32" ? Float32Array : Float64Array)(memory.buffer).set(view);
    const run = () => {
      gemm(0, 0, m, n, k, a, k, b, n, c, n, scratch);
      return memory.buffer.slice(c, c + m * n * 8);
    };
    expect(new Uint8Array(run())).toEqual(new Uint8Array(run()));
  });
});

test("the scratch is bounded", () => {
  expect(gemmScratchBytes("f32", 1e6, 1e6, 1e6)).toBeLessThan(4e6);
  expect(gemmScratchBytes("f64", 1e6, 1e6, 1e6)).toBeLessThan(4e6);
  expect(gemmScratchBytes("f32", 3, 5, 7) % 16).toBe(0);
});
