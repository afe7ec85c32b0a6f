import { describe, expect, test } from "vitest";
import { createThreads, loadBlas } from "../../src/backends/blas/load.ts";
import { blasWorthwhile } from "../../src/backends/native.ts";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { planGraph } from "../../src/engine/executable.ts";
import type { Explanation } from "../../src/engine/explain.ts";
import { graphProgram } from "../../src/engine/program.ts";
import { type Buffer, Runtime } from "../../src/engine/runtime.ts";
import { type Graph, nodesOf, printGraph } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { matmulSizes } from "../../src/ops/contract.ts";
import { ops } from "../../src/ops/table.ts";
import { type RandomStep, randomStep } from "./graph-generator.ts";
import { graphOfStep } from "./random-graph.ts";

/** The meaning of a step by the op table alone: no passes, no memory plan, all states replaced at once. */
class Oracle {
  readonly graph: Graph;
  private readonly values: Map<string, TypedArray>;

  constructor(step: RandomStep) {
    this.graph = graphOfStep(step);
    this.values = new Map(step.values);
  }

  step(): Map<string, TypedArray> {
    const results = evaluateGraph(this.graph, this.values);
    for (const [name, value] of results) if (name.startsWith("state.")) this.values.set(name, value);
    return results;
  }

  read(name: string): TypedArray {
    return this.values.get(name)!;
  }
}

const same = (got: number, want: number, tolerance: number): boolean =>
  got === want || Math.abs(got - want) <= tolerance || (Number.isNaN(got) && Number.isNaN(want));

/** The first difference in words, or null. */
function difference(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): string | null {
  if (got.length !== want.length) return `${got.length} elements instead of ${want.length}`;
  for (let i = 0; i < want.length; i++) {
    if (!same(got[i]!, want[i]!, tolerance)) return `element ${i} is ${got[i]} instead of ${want[i]} ± ${tolerance}`;
  }
  return null;
}

const POISON = 0xff;

/** Runs a random step on this runtime and compares everything that can be seen with the oracle. */
async function check(
  seed: number,
  runtime: Runtime,
  deterministic: boolean,
  step = randomStep(seed),
): Promise<Explanation> {
  const oracle = new Oracle(step);
  const complain = (what: string): never => expect.fail(`seed ${seed}: ${what}\n${printGraph(oracle.graph)}`) as never;
  const program = await graphProgram({ ...step, runtime, deterministic }).catch((error: Error) =>
    complain(error.stack!),
  );
  if (program.nodes.some((n) => n.backend === "reference")) complain("a node runs on reference");
  const { held } = program as unknown as { held: Record<string, Buffer> };
  for (const buffer of [held.arena!, held.scratch!, ...Object.values(program.outputs)]) {
    new Uint8Array(runtime.memory.buffer, buffer.address, buffer.view().byteLength).fill(POISON);
  }
  for (const name of Object.keys(step.state))
    program.state[name]!.view().set(step.values.get(`state.${name}`)! as never);
  const given = Object.fromEntries(
    Object.entries(step.inputs).map(([name, s]) => [
      name,
      runtime.buffer(s.dtype, s.shape, step.values.get(`input.${name}`)),
    ]),
  );

  for (let turn = 0; turn < 2; turn++) {
    const { metrics } = await program.run(given, step.steps).catch((error: Error) => complain(error.stack!));
    let results: Map<string, TypedArray> = new Map();
    for (let s = 0; s < step.steps; s++) {
      results = oracle.step();
      for (const [name, series] of Object.entries(metrics)) {
        const bad = difference([series[s]!], results.get(`output.${name}`)!, step.tolerance.get(`output.${name}`)!);
        if (bad) complain(`turn ${turn}, step ${s}: metric ${name}: ${bad}`);
      }
    }
    for (const [name, tolerance] of step.tolerance) {
      const [kind, key] = name.split(".") as [string, string];
      const buffer = (kind === "state" ? program.state : program.outputs)[key]!;
      const bad = difference(buffer.view(), results.get(name)!, tolerance);
      if (bad) complain(`turn ${turn}: ${name}: ${bad}`);
    }
    for (const [name, buffer] of [...Object.entries(program.state), ...Object.entries(given)]) {
      const key = name in program.state ? `state.${name}` : `input.${name}`;
      if (step.tolerance.has(key)) buffer.view().set(oracle.read(key) as never);
      else if (difference(buffer.view(), oracle.read(key), 0)) complain(`turn ${turn}: ${key} was written to`);
    }
  }
  return program.explain();
}

const blas = await loadBlas();
const FIRST = Number(process.env.ANSATZ_SEED ?? 1);
const COUNT = Number(process.env.ANSATZ_GRAPHS ?? 300);
const tenths = Array.from({ length: 10 }, (_, i) => i);

describe.each([
  ["wasm kernels", true, new Runtime({ relaxed: false })],
  ["wasm and BLAS", false, new Runtime({ blas, relaxed: false })],
] as const)("random graphs on %s give what the op table says", (_name, deterministic, runtime) => {
  test.each(tenths)("tenth %i", async (tenth) => {
    const each = COUNT / tenths.length;
    for (let i = 0; i < each; i++) await check(FIRST + tenth * each + i, runtime, deterministic);
  });
});

test("random graphs of larger shapes, shared between threads, give what the op table says", async () => {
  const runtime = new Runtime({ blas, relaxed: false, threads: (memory, at, b) => createThreads(memory, at, 2, b) });
  for (let i = 0; i < COUNT / 10; i++) {
    const seed = FIRST + i;
    await check(
      seed,
      runtime,
      false,
      randomStep(seed, {
        sizes: [
          [40, 128],
          [300, 17],
          [64, 65],
        ][i % 3]!,
        limit: 50_000,
      }),
    );
  }
});

test("the random graphs use every op, and every way of the planner", () => {
  const seen = new Set<string>();
  const counts = { inPlace: 0, copies: 0, finalCopies: 0, mixed: 0, products: 0 };
  const backend = wasmBackend({ blas: null, relaxed: false, parts: 1, sharedMemory: false });
  for (let seed = 1; seed <= 300; seed++) {
    const { graph } = new Oracle(randomStep(seed));
    const plan = planGraph(graph, backend);
    for (const node of nodesOf(graph)) seen.add(node.op);
    counts.inPlace += plan.inPlace.size;
    counts.copies += plan.accesses.copies.size;
    counts.finalCopies += plan.finalCopies.length;
    for (const k of plan.kernels) {
      const dtypes = k.kind === "loop" ? new Set(k.body.map((n) => n.dtype)) : new Set();
      if (dtypes.has("f32") && dtypes.has("f64")) counts.mixed++;
      if (k.kind === "routine" && k.node.op === "matmul" && worthBlas(k.node)) counts.products++;
    }
  }
  expect(Object.keys(ops).filter((op) => !seen.has(op) && op !== "copy")).toEqual([]);
  for (const [what, n] of Object.entries(counts)) expect(n, what).toBeGreaterThanOrEqual(15);
});

function worthBlas(node: Node): boolean {
  const { m, n, k } = matmulSizes(node);
  return blasWorthwhile(node.dtype as "f32" | "f64", m, n, k);
}
