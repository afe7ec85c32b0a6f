/**
 * GFLOP/s of the matrix product by the wasm kernels (strict and relaxed) and by the system's BLAS, on the products of one step
 * of a variational autoencoder (784-500-20, batch 100), on small ones and on cubes. The contenders take turns, and the median of
 * the rounds is printed, so that a busy machine slows all of them alike (but for a BLAS with threads of its own, which wait for one
 * another: OPENBLAS_NUM_THREADS=1 shows it alone). All are called from JavaScript, as a program does with BLAS.
 *
 *     npx tsx bench/gemm.ts [f32|f64] [rounds]
 */
import v8 from "node:v8";
import { loadBlas } from "../src/backends/blas/load.ts";
import { ModuleBuilder } from "../src/backends/wasm/assembler/module.ts";
import { gemmFunction, gemmScratchBytes } from "../src/backends/wasm/gemm.ts";

// Off by default in Node 20; newer versions know no such flag and need none.
if (Number.parseInt(process.versions.node, 10) < 21) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");

const dtype = process.argv[2] === "f64" ? "f64" : "f32";
const rounds = Number(process.argv[3] ?? 25);
const bytes = dtype === "f32" ? 4 : 8;

type Gemm = (...args: number[]) => void;
/** What is multiplied: transA, transB, m, k, n. */
type Shape = readonly [number, number, number, number, number];

const shapes: Shape[] = [
  [0, 0, 100, 784, 500],
  [0, 0, 100, 500, 20],
  [0, 0, 100, 20, 500],
  [1, 0, 784, 100, 500],
  [1, 0, 500, 100, 20],
  [1, 0, 20, 100, 500],
  [0, 1, 100, 500, 784],
  [0, 1, 100, 20, 500],
  [0, 0, 256, 256, 256],
  [0, 0, 512, 512, 512],
  [1, 1, 256, 256, 256],
  [0, 0, 1, 784, 500],
  [0, 1, 1, 784, 500],
  [0, 0, 784, 500, 1],
  [0, 0, 8, 8, 8],
  [0, 0, 16, 16, 16],
  [0, 0, 4, 4, 4],
  [0, 0, 32, 32, 32],
  [0, 0, 4, 500, 500],
];

const memory = new WebAssembly.Memory({ initial: 512 });
new (dtype === "f32" ? Float32Array : Float64Array)(memory.buffer).forEach((_, i, all) => {
  all[i] = ((i * 7919) % 1013) / 1013 - 0.5;
});

function build(relaxed: boolean): Gemm {
  const m = new ModuleBuilder();
  m.export("gemm", gemmFunction(m, dtype, { relaxed }));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.encode()), { env: { memory } });
  return instance.exports.gemm as Gemm;
}

const blas = await loadBlas();
const bound = blas?.bind(memory);
const contenders: [string, Gemm][] = [
  ["strict", build(false)],
  ["relaxed", build(true)],
];
if (bound) contenders.push(["blas", (dtype === "f32" ? bound.gemm_f32 : bound.gemm_f64) as Gemm]);

console.log(
  `${dtype}, Node ${process.version}, BLAS ${blas ? `${blas.description}, ${blas.threads} threads` : "none"}`,
);
console.log(["transA transB     m     k     n", ...contenders.map(([name]) => name.padStart(9))].join(" "), "GFLOP/s");
for (const [transA, transB, m, k, n] of shapes) {
  const a = 0;
  const b = Math.ceil((m * k * bytes) / 64) * 64;
  const c = b + Math.ceil((k * n * bytes) / 64) * 64;
  const scratch = c + Math.ceil((m * n * bytes) / 64) * 64;
  if (scratch + gemmScratchBytes(dtype, m, n, k) > memory.buffer.byteLength) throw new Error("the memory is too small");
  const args = [transA, transB, m, n, k, a, transA ? m : k, b, transB ? k : n, c, n, scratch];
  const repeat = Math.max(1, Math.round(2e7 / (m * n * k)));
  const times = contenders.map((): number[] => []);
  for (let round = -3; round < rounds; round++) {
    contenders.forEach(([, gemm], i) => {
      const start = performance.now();
      for (let r = 0; r < repeat; r++) gemm(...args);
      if (round >= 0) times[i]!.push((performance.now() - start) / repeat);
    });
  }
  const median = (values: number[]) => values.sort((x, y) => x - y)[values.length >> 1]!;
  const rates = times.map((t) => ((2e-6 * m * n * k) / median(t)).toFixed(2).padStart(9));
  console.log(
    [`${transA}      ${transB}`.padEnd(13), ...[m, k, n].map((x) => String(x).padStart(5)), ...rates].join(" "),
  );
}
