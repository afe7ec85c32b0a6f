import v8 from "node:v8";
import { describe, expect, test } from "vitest";
import { loadBlas } from "../../src/backends/blas/load.ts";
import type { Blas } from "../../src/backends/native.ts";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import { isFloat, type TypedArray } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { graphProgram } from "../../src/engine/program.ts";
import { hasRelaxedSimd, Runtime } from "../../src/engine/runtime.ts";
import type { Graph } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { ops } from "../../src/ops/table.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import { conformance, type OpCase, type Operand, type OpRow } from "./ops.ts";

// Off by default in Node 20; newer versions know no such flag and need none.
if (Number.parseInt(process.versions.node, 10) < 21) v8.setFlagsFromString("--experimental-wasm-relaxed-simd");

test("every op of the table has a row of cases, and every row is an op", () => {
  expect(Object.keys(conformance).sort()).toEqual(Object.keys(ops).sort());
});

/** A way for an operand to lie in memory: what is stored, and the view that gives the operand back. */
interface Layout {
  readonly store: (x: Operand) => Operand;
  readonly view: (b: Trace, stored: Node, shape: Shape) => Node;
}

const reversed = (shape: Shape): number[] => shape.map((_, axis) => shape.length - 1 - axis);

/** `x` under another index: element `index` of the new shape is x[from(index)]; null leaves a value that must not be read. */
function rearranged(x: Operand, shape: Shape, from: (index: number[]) => number[] | null): Operand {
  const values = new (x.values.constructor as new (n: number) => TypedArray)(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < values.length; i++) {
    const source = from(index);
    const at = source?.reduce((n, v, axis) => n * x.shape[axis]! + v, 0);
    values[i] = at === undefined ? (isFloat(x.dtype) ? 12345 : 1) : x.values[at]!;
    for (let d = shape.length - 1; d >= 0 && ++index[d]! === shape[d]; d--) index[d] = 0;
  }
  return { dtype: x.dtype, shape, values };
}

const layouts: Record<string, Layout> = {
  "as they are": { store: (x) => x, view: (_b, x) => x },
  "through a transpose": {
    store: (x) => rearranged(x, x.shape.toReversed(), (index) => index.toReversed()),
    view: (b, x, shape) => b.transpose(x, reversed(shape)),
  },
  "through a slice": {
    store: (x) =>
      rearranged(
        x,
        x.shape.map((d) => d + 2),
        (index) => (index.every((v, axis) => v > 0 && v <= x.shape[axis]!) ? index.map((v) => v - 1) : null),
      ),
    view: (b, x, shape) =>
      b.slice(
        x,
        shape.map(() => 1),
        shape,
      ),
  },
  "with a stride": {
    store: (x) => rearranged(x, [...x.shape, 3], (index) => (index.at(-1) === 1 ? index.slice(0, -1) : null)),
    view: (b, x, shape) => b.reshape(b.slice(x, [...shape.map(() => 0), 1], [...shape, 1]), shape),
  },
};

/** The cases of a row as one graph, an output for each. */
function build(
  b: Trace,
  cases: readonly OpCase[],
  layout: Layout,
  input: (name: string, x: Operand) => Node,
): Record<string, Node> {
  const outputs: Record<string, Node> = {};
  for (const [i, c] of cases.entries()) {
    const xs = c.args.map((x, k) => layout.view(b, input(`${i}_${k}`, layout.store(x)), x.shape));
    outputs[`${i}`] = c.build(b, ...xs);
  }
  return outputs;
}

const tiny = { f32: 2 ** -148, f64: 2 ** -1072 };

function firstDifference(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  c: OpCase,
  row: OpRow,
  node: Node,
): string | null {
  const { dtype } = node;
  const relative = row.relative?.[dtype] ?? 0;
  const absolute = (row.absolute?.[dtype] ?? 0) + (c.tolerance ?? 0) * (isFloat(dtype) ? 1 : 0);
  const exact = relative === 0 && absolute === 0;
  for (let i = 0; i < want.length; i++) {
    const [x, y] = [got[i]!, want[i]!];
    if (Object.is(x, y) || (!exact && x === y)) continue;
    const near = Math.abs(x - y) <= relative * Math.abs(y) + absolute + (exact ? 0 : tiny[dtype as "f32"]);
    if (!near)
      return `element ${i}: ${x} instead of ${y}; operands ${c.args.map((a) => (a.values.length === want.length ? a.values[i] : "…"))}`;
  }
  return null;
}

/** Every difference of this row between the op table's meaning and a compiled program of this runtime, and which backends ran it. */
async function compare(row: OpRow, layout: Layout, runtime: Runtime, deterministic: boolean) {
  const b = createTrace();
  const values = new Map<string, TypedArray>();
  const bind = (name: string, x: Operand): Node => {
    values.set(`input.${name}`, x.values);
    return b.input(`input.${name}`, x.dtype, x.shape);
  };
  const graph: Graph = { outputs: new Map(Object.entries(build(b, row.cases, layout, bind))) };
  const want = evaluateGraph(graph, values);
  const inputs = Object.fromEntries(
    row.cases.flatMap((c, i) =>
      c.args.map((x, k) => [`${i}_${k}`, { dtype: x.dtype, shape: layout.store(x).shape, upTo: false }]),
    ),
  );
  const program = await graphProgram({
    state: {},
    inputs,
    runtime,
    deterministic,
    trace: (t, _state, nodes) => ({ state: {}, outputs: build(t, row.cases, layout, (name) => nodes[name]!) }),
  });
  await program.run(Object.fromEntries([...values].map(([name, v]) => [name.slice(6), v])));
  const differences = row.cases.flatMap((c, i) => {
    const bad = firstDifference(program.outputs[i]!.view(), want.get(`${i}`)!, c, row, graph.outputs.get(`${i}`)!);
    return bad ? [`${c.name}: ${bad}`] : [];
  });
  const { imports } = program.explain();
  return { differences, backends: new Set(program.nodes.map((n) => n.backend)), imports };
}

const blas: Blas | null = await loadBlas();
const strict = new Runtime({ relaxed: false });

describe.each(Object.entries(conformance))("%s gives what its row says", (_op, row) => {
  test.each(Object.entries(layouts))("operands %s", async (_name, layout) => {
    const { differences, backends, imports } = await compare(row, layout, strict, true);
    expect(differences).toEqual([]);
    expect([...backends]).toEqual(["wasm"]);
    expect(imports).toEqual([]);
  });
});

describe.each(Object.entries(layouts))("matmul with operands %s", (_name, layout) => {
  const row = conformance.matmul!;
  test.skipIf(!hasRelaxedSimd())("agrees with relaxed multiply-add", async () => {
    const { differences } = await compare(row, layout, new Runtime({ relaxed: true }), false);
    expect(differences).toEqual([]);
  });
  test.skipIf(!blas)("agrees with BLAS", async () => {
    const { differences, backends, imports } = await compare(row, layout, new Runtime({ blas, relaxed: false }), false);
    expect(differences).toEqual([]);
    expect([...backends].sort()).toEqual(["blas", "wasm"]);
    expect([...imports].sort()).toEqual(["blas.gemm_f32", "blas.gemm_f64"]);
  });
});
