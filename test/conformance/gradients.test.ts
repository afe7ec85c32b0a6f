import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { graphProgram } from "../../src/engine/program.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import type { Node } from "../../src/ir/node.ts";
import { cumsumNode } from "../../src/ops/cumulative.ts";
import { choleskyNode, solveNode } from "../../src/ops/linalg.ts";
import { pairDotsNode, pairSumsNode } from "../../src/ops/pairs.ts";
import { rowMomentsNode, rowSquaresNode } from "../../src/ops/rows.ts";
import { ops } from "../../src/ops/table.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { BinaryName, Trace, UnaryName } from "../../src/ops/vocabulary.ts";
import { vjp } from "../../src/transforms/vjp.ts";
import { vmap } from "../../src/transforms/vmap.ts";
import { dominant } from "./linalg-ops.ts";
import { conformance, type OpCase } from "./ops.ts";
import { Random } from "./random.ts";

/** Constant indices. */
const at = (b: Trace, values: readonly number[]): Node => b.concat(values.map((v) => b.constant(v, "u32", [1])), 0); // biome-ignore format: short

type Build = (b: Trace, ...xs: Node[]) => Node;

/** A function of f64 tensors at a point where it is differentiable; `kinked` ones have no second derivative to speak of. */
interface Differentiable {
  readonly name: string;
  readonly shapes: readonly Shape[];
  readonly between: readonly [number, number];
  readonly build: Build;
  readonly kinked?: boolean;
}

/** Where each elementwise function is smooth, and not so steep that finite differences drown. */
const INTERVALS: Partial<Record<UnaryName, readonly [number, number]>> = {
  neg: [-3, 3],
  abs: [0.1, 3],
  sqrt: [0.3, 4],
  exp: [-3, 3],
  log: [0.2, 5],
  log1p: [-0.7, 4],
  expm1: [-3, 3],
  tanh: [-3, 3],
  sigmoid: [-5, 5],
  softplus: [-5, 5],
  sin: [-5, 5],
  cos: [-5, 5],
  lgamma: [0.3, 8],
  digamma: [0.3, 8],
  erf: [-2.5, 2.5],
  erfinv: [-0.9, 0.9],
};

const unary = Object.entries(INTERVALS).map(
  ([name, between]): Differentiable => ({
    name,
    between,
    shapes: [[3, 4]],
    build: (b, x) => b[name as UnaryName](x),
    kinked: name === "abs",
  }),
);
const row = (
  name: string,
  shapes: readonly Shape[],
  build: Build,
  more: Partial<Differentiable> = {},
): Differentiable => ({
  name,
  shapes,
  build,
  between: [-2, 2],
  ...more,
});
const binary = (["add", "sub", "mul", "div", "minimum", "maximum", "pow"] as const).map((name: BinaryName) =>
  row(
    name,
    [
      [3, 4],
      [3, 4],
    ],
    (b, x, y) => b[name](x, y!),
    { between: name === "div" || name === "pow" ? [0.4, 2.5] : [-2, 2], kinked: name.endsWith("imum") },
  ),
);

const INDEX = (b: Trace): Node =>
  b.concat([b.iota("i32", [3], 0), b.constant(1, "i32", [2]), b.constant(99, "i32", [1])], 0);

const functions: readonly Differentiable[] = [
  ...unary,
  ...binary,
  row("abs", [[5]], (b, x) => b.abs(x), { between: [-3, -0.1], kinked: true }),
  row("lgamma", [[5]], (b, x) => b.lgamma(x), { between: [-1.8, -1.2] }),
  row("digamma", [[5]], (b, x) => b.digamma(x), { between: [-1.8, -1.2] }),
  row("select", [[6], [6]], (b, x, y) => b.select(b.lt(b.iota("i32", [6], 0), 3), x, y!)),
  row("cast", [[5]], (b, x) => b.cast(b.cast(x, "f64"), "f64")),
  row("copy", [[5]], (b, x) => b.builder.append("copy", [x])),
  row("sum", [[2, 3, 4]], (b, x) => b.sum(x, [0, 2])),
  row("max", [[3, 5]], (b, x) => b.max(x, [1]), { kinked: true }),
  row("logsumexp", [[2, 3, 4]], (b, x) => b.logsumexp(x, [1, 2])),
  row("reshape", [[3, 4]], (b, x) => b.reshape(b.transpose(x, [1, 0]), [2, 6])),
  row("broadcast", [[3, 2]], (b, x) => b.broadcast(x, [3, 4, 2, 5], [0, 2])),
  row("transpose", [[2, 3, 4]], (b, x) => b.transpose(x, [2, 0, 1])),
  row("slice", [[4, 5]], (b, x) => b.slice(x, [1, 2], [2, 3])),
  row("pad", [[3, 2]], (b, x) => b.pad(x, [1, 0], [2, 3])),
  row(
    "concat",
    [
      [3, 2],
      [3, 4],
    ],
    (b, x, y) => b.concat([x, y!, x], 1),
  ),
  row("gather", [[4, 3]], (b, x) => b.gather(x, INDEX(b))),
  row("scatterAdd", [[6, 3]], (b, x) => b.scatterAdd(x, INDEX(b), 4)),
  ...[
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ].map(([p, q]) =>
    row("matmul", [p ? [2, 4, 3] : [2, 3, 4], q ? [2, 5, 4] : [2, 4, 5]], (b, x, y) => b.matmul(x, y!, p, q)),
  ),
  row("cholesky", [[2, 3, 3]], (b, x) => choleskyNode(b, dominant(b, x)), { between: [-1, 1] }),
  row("cholesky", [[6, 6]], (b, x) => choleskyNode(b, dominant(b, x)), { between: [-1, 1] }),
  row(
    "choleskyGradient",
    [
      [5, 5],
      [5, 5],
    ],
    (b, x, g) => b.builder.append("choleskyGradient", [dominant(b, x), g!]),
    { between: [-1, 1] },
  ),
  ...[true, false].flatMap((lower) =>
    [true, false].map((transpose) =>
      row(
        "triangularSolve",
        [
          [2, 4, 4],
          [2, 4, 3],
        ],
        (b, x, y) => solveNode(b, dominant(b, x), y!, lower, transpose),
        { between: [-1, 1] },
      ),
    ),
  ),
  row("rowSquares", [[5, 3], [3, 2, 4], [2, 4]], (b, x, w, shift) => rowSquaresNode(b, x, w!, shift!)), // biome-ignore format: short
  row("rowMoments", [[5, 3], [5, 2]], (b, x, g) => rowMomentsNode(b, x, g!)), // biome-ignore format: short
  row("pairDots", [[3, 4], [2, 4]], (b, x, y) => pairDotsNode(b, x, at(b, [0, 2, 2, 1, 0]), y!, at(b, [1, 1, 0, 0, 1]))), // biome-ignore format: short
  row("pairSums", [[5], [2, 4]], (b, g, y) => pairSumsNode(b, g, at(b, [0, 2, 2, 1, 0]), y!, at(b, [1, 1, 0, 0, 1]), 3)), // biome-ignore format: short
  row("cumsum", [[3, 4, 2]], (b, x) => cumsumNode(b, x, { axis: 1, reverse: false, exclusive: false })),
  row("cumsum", [[5]], (b, x) => cumsumNode(b, x, { axis: 0, reverse: true, exclusive: true })),
  row("customVjp", [[5]], (b, x) =>
    b.customVjp(b.mul(b.stopGradient(x), x), [x], (t, g, _y, [z]) => [t.mul(g, t.mul(z!, 2))]),
  ),
];

/** Ops that pass no gradient: integers, comparisons, steps; and the leaves, which have no operands. */
const FLAT = [
  "sign",
  "floor",
  "rem",
  "and",
  "or",
  "xor",
  "not",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "shl",
  "shr",
  "rotl",
  "bitcast",
  "argmax",
  "shuffle",
  "stopGradient",
  "iota",
  "const",
  "input",
];

test("every op is differentiated here, or known to be flat", () => {
  expect([...new Set([...functions.map((f) => f.name), ...FLAT])].sort()).toEqual(Object.keys(ops).sort());
});

const some = (n: number, [low, high]: readonly [number, number], random: Random): Float64Array =>
  Float64Array.from({ length: n }, () => random.between(low, high));

/** Σ w·f(x), its gradient with respect to every x, and Σ v·gradient's gradient. */
function build(b: Trace, f: Differentiable, xs: readonly Node[], weight: (name: string, shape: Shape) => Node) {
  const y = f.build(b, ...xs);
  const value = b.sum(
    b.mul(y, weight("w", y.shape)),
    y.shape.map((_, axis) => axis),
  );
  const one = b.constant(1, "f64", []);
  const first = vjp(b, [value], [one], xs);
  const total = first.map((g, i) =>
    b.sum(
      b.mul(g, weight(`v${i}`, g.shape)),
      g.shape.map((_, axis) => axis),
    ),
  );
  const second = f.kinked ? [] : vjp(b, [total.reduce((p, q) => b.add(p, q))], [one], xs);
  const named = (kind: string, nodes: readonly Node[]) => nodes.map((n, i) => [`${kind}${i}`, n] as const);
  return Object.fromEntries([["value", value] as const, ...named("first", first), ...named("second", second)]);
}

/** The function as numbers, with weights drawn once. */
function evaluator(f: Differentiable) {
  const random = new Random(11);
  const points = f.shapes.map((shape) => some(sizeOf(shape), f.between, random));
  const weights = new Map<string, Float64Array>();
  const shapes = new Map<string, Shape>();
  const b = createTrace();
  const xs = f.shapes.map((shape, i) => b.input(`input.x${i}`, "f64", shape));
  const outputs = build(b, f, xs, (name, shape) => {
    shapes.set(name, shape);
    if (!weights.has(name)) weights.set(name, some(sizeOf(shape), [-1, 1], random));
    return b.input(`input.${name}`, "f64", shape);
  });
  const given = (at: readonly Float64Array[]) =>
    new Map<string, TypedArray>([
      ...at.map((x, i) => [`input.x${i}`, x] as const),
      ...[...weights].map(([name, w]) => [`input.${name}`, w] as const),
    ]);
  const graph = { outputs: new Map(Object.entries(outputs)) };
  return { points, weights, shapes, outputs, run: (at: readonly Float64Array[]) => evaluateGraph(graph, given(at)) };
}

const STEP = 1e-3;

/** ∂/∂x of a scalar function by central differences of fourth order: error h⁴, about 1e-11 here. */
function finiteDifferences(
  at: readonly Float64Array[],
  scalar: (at: readonly Float64Array[]) => number,
): Float64Array[] {
  return at.map((x, k) =>
    x.map((_, i) => {
      const moved = (by: number) => scalar(at.map((v, j) => (j === k ? v.with(i, v[i]! + by) : v)));
      return (8 * (moved(STEP) - moved(-STEP)) - (moved(2 * STEP) - moved(-2 * STEP))) / (12 * STEP);
    }),
  );
}

const largestError = (got: ArrayLike<number>, want: ArrayLike<number>): number =>
  Math.max(0, ...Array.from(want, (w, i) => Math.abs(got[i]! - w) / (1 + Math.abs(w))));

const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  Array.from(x, (v, i) => v * y[i]!).reduce((p, q) => p + q, 0);

const runtime = new Runtime({ relaxed: false });

describe.each(functions.map((f) => [`${f.name} of [${f.shapes.join("], [")}] in [${f.between}]`, f] as const))(
  "%s",
  (_name, f) => {
    const e = evaluator(f);
    const at = e.run(e.points);
    test("its vjp is the derivative", () => {
      for (const [i, want] of finiteDifferences(e.points, (x) => e.run(x).get("value")![0]!).entries()) {
        expect(largestError(at.get(`first${i}`)!, want)).toBeLessThan(1e-8);
      }
    });
    if (!f.kinked)
      test("the vjp of its vjp is the second derivative", () => {
        const directional = (x: readonly Float64Array[]) => {
          const r = e.run(x);
          return e.points.reduce((n, _, i) => n + dot(r.get(`first${i}`)!, e.weights.get(`v${i}`)!), 0);
        };
        for (const [i, want] of finiteDifferences(e.points, directional).entries()) {
          expect(largestError(at.get(`second${i}`)!, want)).toBeLessThan(1e-7);
        }
      });
    test("compiled, both are the same", async () => {
      const spec = (shape: Shape) => ({ dtype: "f64" as const, shape, upTo: false });
      const inputs = Object.fromEntries([
        ...f.shapes.map((s, i) => [`x${i}`, spec(s)] as const),
        ...[...e.shapes].map(([name, s]) => [name, spec(s)] as const),
      ]);
      const program = await graphProgram({
        state: {},
        inputs,
        runtime,
        deterministic: true,
        trace: (b, _state, nodes) => ({
          state: {},
          outputs: build(
            b,
            f,
            f.shapes.map((_, i) => nodes[`x${i}`]!),
            (name) => nodes[name]!,
          ),
        }),
      });
      await program.run(Object.fromEntries([...e.points.map((x, i) => [`x${i}`, x] as const), ...e.weights]));
      for (const name of Object.keys(e.outputs)) {
        expect(largestError(program.outputs[name]!.view(), at.get(name)!), name).toBeLessThan(1e-11);
      }
    });
  },
);

const BATCH = 3;

/** Subsets of the operands that have a batch axis: all but none. */
const subsets = (n: number): boolean[][] =>
  Array.from({ length: 2 ** n - 1 }, (_, k) => Array.from({ length: n }, (_, i) => ((k + 1) >> i) % 2 === 1));

/** The i-th element of a batch made of one tensor: its numbers moved on by i places. */
const element = (values: TypedArray, i: number): TypedArray =>
  values.map((_, at) => values[(at + i) % values.length]!) as TypedArray;

/** The op over operands of which some are batched, beside the op on each element. */
function batchError(c: OpCase, batched: readonly boolean[]): string | null {
  const b = createTrace();
  const values = new Map<string, TypedArray>();
  const replacements = new Map<Node, Node>();
  const xs = c.args.map((x, k) => {
    const node = b.input(`x${k}`, x.dtype, x.shape);
    values.set(`x${k}`, x.values);
    if (batched[k]) {
      const many = b.input(`many${k}`, x.dtype, [BATCH, ...x.shape]);
      const all = new (x.values.constructor as new (n: number) => TypedArray)(BATCH * x.values.length);
      for (let i = 0; i < BATCH; i++) all.set(element(x.values, i) as never, i * x.values.length);
      values.set(`many${k}`, all);
      replacements.set(node, many);
    }
    return node;
  });
  const y = c.build(b, ...xs);
  const [many] = vmap(b, [y], replacements, BATCH);
  const shape = [BATCH, ...y.shape];
  if (String(many!.shape) !== String(shape)) return `shape [${many!.shape}] instead of [${shape}]`;
  const got = evaluateGraph({ outputs: new Map([["y", many!]]) }, values).get("y")!;
  for (let i = 0; i < BATCH; i++) {
    const one = new Map(values);
    for (const [k, x] of c.args.entries()) if (batched[k]) one.set(`x${k}`, element(x.values, i));
    const want = evaluateGraph({ outputs: new Map([["y", y]]) }, one).get("y")!;
    const close = (x: number, y: number) => Object.is(x, y) || Math.abs(x - y) <= (c.tolerance ?? 0);
    const bad = want.findIndex((w, at) => !close(w, got[i * want.length + at]!));
    if (bad >= 0) return `element ${i}, ${bad}: ${got[i * want.length + bad]} instead of ${want[bad]}`;
  }
  return null;
}

describe("vmap of an op is the op on each element", () => {
  const batchable = Object.entries(conformance).filter(
    ([op, { cases }]) => op !== "shuffle" && cases.some((c) => c.args.length),
  );
  test.each(batchable)("%s", (_op, { cases }) => {
    const wrong: string[] = [];
    for (const c of cases) {
      for (const batched of c.args.length ? subsets(c.args.length) : []) {
        const bad = batchError(c, batched);
        if (bad) wrong.push(`${c.name}, batched [${batched}]: ${bad}`);
      }
    }
    expect(wrong).toEqual([]);
  });
  test("customVjp where only what its gradient goes to is batched", () => {
    const build: Build = (b, y, x) => b.customVjp(y, [x!], (_t, g) => [g]);
    const [y, x] = [1, 2].map((v) => ({ dtype: "f64" as const, shape: [2], values: Float64Array.of(v, v + 1) }));
    for (const batched of subsets(2)) expect(batchError({ name: "", args: [y!, x!], build }, batched)).toBeNull();
  });
  test("shuffle says that it cannot be batched", () => {
    const b = createTrace();
    const x = b.input("x", "u32", [4]);
    const many = b.input("many", "u32", [3, 4]);
    expect(() => vmap(b, [b.shuffle(x)], new Map([[x, many]]), 3)).toThrow("shuffle cannot be batched");
  });
});
