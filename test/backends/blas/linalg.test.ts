import { describe, expect, test } from "vitest";
import { checkLinalg, linalgOf } from "../../../src/backends/blas/linalg.ts";
import { createThreads, loadBlas } from "../../../src/backends/blas/load.ts";
import type { Blas, LinalgImports } from "../../../src/backends/native.ts";
import { Runtime } from "../../../src/engine/runtime.ts";
import { f64, program } from "../../../src/program/program.ts";
import { cast, mul } from "../../../src/tensor/functions.ts";
import { cholesky, triangularSolve } from "../../../src/tensor/linalg.ts";
import { Random } from "../../conformance/random.ts";

const blas: Blas | null = await loadBlas();
const native = blas?.factorises ? blas : null;

/** Just worth a call. */
const N = 256;
const random = new Random(31);
const root = Float64Array.from({ length: N * N }, () => random.between(-1, 1));
const matrix = root.map((x, at) => (at % (N + 1) === 0 ? N : (x + root[(at % N) * N + Math.floor(at / N)]!) / 2));
const right = root.map((x) => 1 - x);

async function results(runtime: Runtime, a: Float64Array, deterministic = false) {
  const run = await program({
    runtime,
    deterministic,
    inputs: { a: f64([N, N]), y: f64([N, N]) },
    body: ({ inputs: { a, y } }) => {
      const l = cholesky(a);
      const single = cholesky(cast(a, "f32"));
      // A loop that threads share, so that the rest is done by whichever comes first.
      const spread = mul(y, 0.5).exp();
      const solved = (lower: boolean, transpose: boolean) =>
        triangularSolve(lower ? l : l.transpose(), spread.log().mul(2), { lower, transpose });
      return {
        outputs: {
          l,
          single,
          x: solved(true, false),
          xt: solved(true, true),
          u: solved(false, false),
          ut: solved(false, true),
        },
      };
    },
  });
  await run.run({ a, y: right }, 3);
  const backends = new Map<string, Set<string>>();
  for (const { op, backend } of run.nodes) backends.set(op, (backends.get(op) ?? new Set()).add(backend));
  const values = Object.fromEntries(
    Object.entries(run.outputs).map(([name, buffer]) => [name, Float64Array.from(buffer.read())]),
  );
  return { values, backends, imports: [...run.explain().imports].sort() };
}

const furthest = (got: Float64Array, want: Float64Array): number =>
  want.reduce(
    (worst, w, i) => Math.max(worst, Object.is(got[i], w) ? 0 : Math.abs(got[i]! - w) / (1 + Math.abs(w))),
    0,
  );

describe.skipIf(!native)("with LAPACK", async () => {
  const wasm = await results(new Runtime({ blas: null }), matrix);
  const both = ["blas.potrf_f32", "blas.potrf_f64", "blas.trsm_f64"];

  test.each([
    ["on one thread", () => new Runtime({ blas: native })],
    ["on two", () => new Runtime({ blas: native, threads: (memory, at, b) => createThreads(memory, at, 2, b) })],
  ])("large factors and solutions are those of the wasm kernels, %s", async (_name, runtime) => {
    const { values, backends, imports } = await results(runtime(), matrix);
    expect(imports).toEqual(both);
    expect(backends.get("cholesky")).toEqual(new Set(["blas"]));
    expect(backends.get("triangularSolve")).toEqual(new Set(["blas"]));
    for (const [name, want] of Object.entries(wasm.values)) {
      expect(furthest(values[name]!, want), name).toBeLessThan(name === "single" ? 1e-5 : 1e-12);
    }
  });

  test("a deterministic program calls none of it", async () => {
    const { backends, imports } = await results(new Runtime({ blas: native }), matrix, true);
    expect(imports).toEqual([]);
    expect(backends.get("cholesky")).toEqual(new Set(["wasm"]));
  });

  test.each([
    ["negative", 100, -1],
    ["zero", 0, 0],
    ["NaN", 200, NaN],
    ["the last", N - 1, -1e-9],
  ])("a pivot that is %s gives NaN in all of the lower triangle", async (_name, at, pivot) => {
    const diagonal = matrix.map((_, i) => (i % (N + 1) !== 0 ? 0 : i === at * (N + 1) ? pivot : 4));
    const { values } = await results(new Runtime({ blas: native }), diagonal);
    expect(values.l!.every((x, i) => (i % N <= Math.floor(i / N) ? Number.isNaN(x) : x === 0))).toBe(true);
  });
});

test("a BLAS without LAPACK leaves factorisations to the wasm kernels", async () => {
  expect(linalgOf((symbol) => (symbol.includes("potrf") ? null : () => 0))).toBeNull();
  if (!blas) return;
  const { backends } = await results(
    new Runtime({ blas: { ...blas, library: "without LAPACK", threads: 1, factorises: false } }),
    matrix,
  );
  expect(backends.get("cholesky")).toEqual(new Set(["wasm"]));
});

describe.skipIf(!native)("a library is refused", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const good = native ? (native.bind(memory) as LinalgImports) : null;
  test("not when it is right", () => expect(checkLinalg(good!, memory)).toBeNull());
  test.each<[string, (g: LinalgImports) => Partial<LinalgImports>, string]>([
    ["that factorises nothing", () => ({ potrf_f64: () => 0 }), "potrf of f64 gives a wrong factor"],
    [
      "that complains of nothing",
      (g) => ({ potrf_f32: (n, a) => 0 * g.potrf_f32(n, a) }),
      "potrf of f32 does not see what is not positive",
    ],
    [
      "that takes one triangle for the other",
      (g) => ({ trsm_f64: (l, ...rest) => g.trsm_f64(1 - l, ...rest) }),
      "trsm of f64 gives a wrong solution",
    ],
    [
      "that forgets to transpose",
      (g) => ({ trsm_f32: (l, _t, ...rest) => g.trsm_f32(l, 0, ...rest) }),
      "trsm of f32 gives a wrong solution",
    ],
  ])("%s", (_name, spoil, message) => {
    expect(checkLinalg({ ...good!, ...spoil(good!) }, memory)).toContain(message);
  });
});
