import { describe, expect, test, vi } from "vitest";
import loadWabt from "wabt";
import { loadBlas } from "../../../src/backends/blas/load.ts";
import { wasmBackend } from "../../../src/backends/wasm/backend.ts";
import type { WasmOptions } from "../../../src/backends/wasm/routines.ts";
import { binary, unary } from "../../../src/backends/wasm/scalar.ts";
import { planGraph } from "../../../src/engine/executable.ts";
import type { Graph } from "../../../src/ir/graph.ts";
import * as rows from "../../../src/ops/scalar.ts";
import { createTrace } from "../../../src/ops/trace.ts";
import type { Trace } from "../../../src/ops/vocabulary.ts";
import { gradient } from "../../../src/transforms/vjp.ts";
import { randomGraph } from "../../conformance/random-graph.ts";

const wabt = await loadWabt();
const blas = await loadBlas();
const FEATURES = { simd: true, threads: true, bulk_memory: true, sat_float_to_int: true, multi_value: true };
const STRICT: WasmOptions = { blas: null, relaxed: false, parts: 1, sharedMemory: false };

/** The bytes that the backend compiles for this graph. */
async function codeOf(graph: Graph, options: WasmOptions): Promise<{ code: Uint8Array; imports: readonly string[] }> {
  const compile = vi.spyOn(WebAssembly, "Module");
  try {
    const backend = wasmBackend(options);
    const { imports } = await backend.compile(planGraph(graph, backend), { deterministic: false });
    return { code: compile.mock.calls[0]![0] as Uint8Array, imports };
  } finally {
    compile.mockRestore();
  }
}

/** What an independent decoder reads from the module, after it has validated it. */
function decode(code: Uint8Array, relaxed = false): string {
  const features = { ...FEATURES, relaxed_simd: relaxed };
  const module = wabt.readWasm(code, { readDebugNames: false, ...features });
  try {
    // Its types do not tell that it takes them.
    (module as { validate(features: object): void }).validate(features);
    return module.toText({ foldExprs: false, inlineExport: false });
  } finally {
    module.destroy();
  }
}

const importsOf = (text: string): string[] =>
  [...text.matchAll(/\(import "([^"]*)" "([^"]*)"/g)].map(([, m, n]) => `${m}.${n}`);

/** A layer's step at a size that is worth a call to BLAS. */
function layer(dtype: "f32" | "f64"): Graph {
  const b: Trace = createTrace();
  const [w, x] = [b.input("state.w", dtype, [40, 30]), b.input("input.x", dtype, [200, 40])];
  const cost = b.sum(b.lgamma(b.exp(b.tanh(b.matmul(x, w)))), [0, 1]);
  const [dw] = gradient(b, cost, [w]);
  return {
    outputs: new Map([
      ["state.w", b.sub(w, b.mul(dw!, 0.1))],
      ["output.cost", cost],
    ]),
  };
}

describe("an independent decoder accepts what is emitted", () => {
  test.each(["f32", "f64"] as const)("a layer in %s: vectors, and no import but the memory", async (dtype) => {
    const { code, imports } = await codeOf(layer(dtype), STRICT);
    const text = decode(code);
    expect(text).toContain(`${dtype}x${dtype === "f32" ? 4 : 2}.mul`);
    expect(importsOf(text)).toEqual(["env.memory"]);
    expect(imports).toEqual([]);
    expect(text).toMatch(/\(export "run"/);
    expect(text).not.toContain("relaxed");
  });
  test("relaxed multiply-add where it is asked for, and only there", async () => {
    const { code } = await codeOf(layer("f64"), { ...STRICT, relaxed: false });
    expect(decode(code)).not.toContain("relaxed");
    const compile = vi.spyOn(WebAssembly, "Module");
    const backend = wasmBackend({ ...STRICT, relaxed: true });
    // This machine may not know the instruction.
    await backend.compile(planGraph(layer("f64"), backend), { deterministic: false }).catch(() => null);
    const relaxed = compile.mock.calls[0]![0] as Uint8Array;
    compile.mockRestore();
    expect(decode(relaxed, true)).toContain("f64x2.relaxed_madd");
  });
  test.skipIf(!blas)("BLAS is the only function that a module imports", async () => {
    const { code, imports } = await codeOf(layer("f32"), { ...STRICT, blas });
    expect(importsOf(decode(code))).toEqual(["env.memory", "blas.gemm_f32"]);
    expect(imports).toEqual(["blas.gemm_f32"]);
  });
  test("a step that threads share meets on a shared memory by atomics", async () => {
    const { code } = await codeOf(layer("f32"), { ...STRICT, parts: 3, sharedMemory: true });
    const text = decode(code);
    expect(text).toMatch(/\(memory \(;0;\) 0 65536 shared\)/);
    expect(text).toContain("memory.atomic.wait32");
  });
  test("random graphs of every op, on one thread and on several", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { code } = await codeOf(randomGraph(seed), seed % 2 ? STRICT : { ...STRICT, parts: 2, sharedMemory: true });
      decode(code);
    }
  });
});

test("every elementwise op of the table has an emitter", () => {
  expect(Object.keys(unary).sort()).toEqual(Object.keys(rows.unary).sort());
  expect(Object.keys(binary).sort()).toEqual(Object.keys(rows.binary).sort());
});

test("the name of a backend tells apart all that changes its code", () => {
  const names = [
    STRICT,
    { ...STRICT, relaxed: true },
    { ...STRICT, parts: 2, sharedMemory: true },
    { ...STRICT, sharedMemory: true },
    ...(blas ? [{ ...STRICT, blas }] : []),
  ].map((o) => wasmBackend(o).name);
  expect(new Set(names).size).toBe(names.length);
});
