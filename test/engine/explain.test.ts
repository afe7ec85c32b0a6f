import { expect, test } from "vitest";
import { loadBlas } from "../../src/backends/blas/load.ts";
import { type GraphProgram, graphProgram } from "../../src/engine/program.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { gradient } from "../../src/transforms/vjp.ts";

const blas = await loadBlas();

/** A layer's gradient step: products, functions, reductions, an update in place. */
const layer = (runtime: Runtime, deterministic = false): Promise<GraphProgram> =>
  graphProgram({
    state: { w: { dtype: "f32", shape: [30, 40], upTo: false } },
    inputs: { x: { dtype: "f32", shape: [50, 30], upTo: false } },
    runtime,
    deterministic,
    trace: (b, { w }, { x }) => {
      const y = b.softplus(b.matmul(x!, w!));
      const cost = b.sum(b.logsumexp(y, [1]), [0]);
      return { state: { w: b.sub(w!, b.mul(gradient(b, cost, [w!])[0]!, 0.1)) }, outputs: { cost } };
    },
  });

test("every node that is computed is reported, with its backend and kernel", async () => {
  const p = await layer(new Runtime({ relaxed: false }), true);
  const { nodes, kernels, imports, backend, graph } = p.explain();
  expect(nodes.length).toBe(graph.split("\n").filter((line) => line.startsWith("%")).length);
  expect([...new Set(nodes.map((n) => n.backend))]).toEqual(["wasm"]);
  expect([backend, imports]).toEqual(["wasm", []]);
  const named = new Set(kernels.map((_, i) => `k${i}`));
  for (const n of nodes) expect(n.kernel === "view" || named.has(n.kernel)).toBe(true);
  expect(new Set(nodes.map((n) => n.op)).has("logsumexp")).toBe(false);
});

test("floating-point operations of the products are 2 m n k, and bytes what they read and write", async () => {
  const { kernels, flops } = (await layer(new Runtime({ relaxed: false }), true)).explain();
  const products = kernels.filter((k) => k.kernel.endsWith("matmul"));
  expect(products.map((k) => k.flops)).toEqual([2 * 50 * 40 * 30, 2 * 30 * 40 * 50]);
  expect(products[0]!.bytes).toBe(4 * (50 * 30 + 30 * 40 + 50 * 40));
  expect(flops).toBeGreaterThan(2 * 2 * 50 * 40 * 30);
});

test("it prints one line for each kernel", async () => {
  const e = (await layer(new Runtime({ relaxed: false }), true)).explain();
  const lines = e.toString().split("\n");
  expect(lines.length).toBe(e.kernels.length + 2);
  expect(lines[0]).toMatch(/nodes in \d+ kernels on wasm; \d+ bytes of arena, \d+ bytes of code/);
});

test.skipIf(!blas)("with BLAS the products are its own, and the module imports nothing else", async () => {
  const e = (await layer(new Runtime({ blas, relaxed: false }))).explain();
  expect(e.nodes.filter((n) => n.backend === "blas").map((n) => n.op)).toEqual(["matmul", "matmul"]);
  expect(e.imports).toEqual(["blas.gemm_f32"]);
  const strict = (await layer(new Runtime({ blas, relaxed: false }), true)).explain();
  expect(strict.imports).toEqual([]);
});

test("each kernel can be timed alone", async () => {
  const p = await layer(new Runtime({ relaxed: false }), true);
  await p.run({ x: new Float32Array(1500).fill(0.1) });
  const times = p.profile(2);
  expect(times.map((t) => t.kernel)).toEqual(p.explain().kernels.map((k) => k.kernel));
  for (const t of times) expect(t.milliseconds).toBeGreaterThanOrEqual(0);
});
