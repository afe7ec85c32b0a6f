import { describe, expect, test } from "vitest";
import { type Graph, printGraph } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import { simplify } from "../../src/passes/simplify.ts";
import { verify } from "../../src/passes/verify.ts";

const keepsAll = (_op: string): boolean => true;

/** The simplified text of a graph with inputs x: f32[3, 4], y: f32[4, 5], n: i32[3]; without the line of the result's name. */
function simplified(build: (b: Trace, x: Node, y: Node, n: Node) => Node, keeps = keepsAll): string {
  const b = createTrace();
  const node = build(b, b.input("x", "f32", [3, 4]), b.input("y", "f32", [4, 5]), b.input("n", "i32", [3]));
  const graph: Graph = { outputs: new Map([["r", node]]) };
  return printGraph(verify(simplify(verify(graph, "trace"), keeps), "simplify"));
}

const X = '%0: f32[3, 4] = input() {name="x"}';
const unchanged = [X, "%1: f32[3, 4] = copy(%0)", "return r = %1"];

/** What each rule makes of what it is for; `null` where it must leave things alone. */
const rules: Record<
  string,
  readonly [string, (b: Trace, x: Node, y: Node, n: Node) => Node, readonly string[] | null][]
> = {
  "rows taken in their order are the tensor, or a slice of it": [
    ["all of them", (b, x) => b.gather(x, b.iota("i32", [3], 0)), unchanged],
    ["counted in another dtype", (b, x) => b.gather(x, b.cast(b.iota("i32", [3], 0), "u32")), unchanged],
    [
      "clamped where no index is outside",
      (b, x) => b.gather(x, b.minimum(b.maximum(b.iota("u32", [3], 0), 0), 2)),
      unchanged,
    ],
    [
      "some of them",
      (b, _x, y) => b.gather(y, b.add(b.iota("i32", [2], 0), 1)),
      ['%0: f32[4, 5] = input() {name="y"}', "%1: f32[2, 5] = slice(%0) {sizes=[2,5] starts=[1,0]}", "return r = %1"],
    ],
    [
      "one of them",
      (b, _x, y) => b.gather(y, b.constant(3, "u32", [])),
      [
        '%0: f32[4, 5] = input() {name="y"}',
        "%1: f32[1, 5] = slice(%0) {sizes=[1,5] starts=[3,0]}",
        "%2: f32[5] = reshape(%1) {shape=[5]}",
        "return r = %2",
      ],
    ],
    [
      "numbered by row and column, as a plate in a plate does",
      (b, x) => {
        const column = b.minimum(b.maximum(b.broadcast(b.iota("i32", [4], 0), [3, 4], [1]), 0), 3);
        const flat = b.add(column, b.mul(b.iota("i32", [3, 4], 0), 4));
        return b.reshape(b.gather(b.reshape(x, [12]), flat), [3, 4]);
      },
      unchanged,
    ],
    ["added at their places", (b, x) => b.scatterAdd(x, b.iota("i32", [3], 0), 3), unchanged],
    [
      "added at some places, with zeros elsewhere",
      (b, x) => b.scatterAdd(x, b.add(b.iota("u32", [3], 0), 1), 5),
      [
        X,
        "%1: f32[3, 4] = reshape(%0) {shape=[3,4]}",
        "%2: f32[5, 4] = pad(%1) {high=[1,0] low=[1,0]}",
        "return r = %2",
      ],
    ],
    ["not rows that depend on data", (b, x, _y, n) => b.gather(x, n), null],
    ["not rows beyond the end", (b, x) => b.gather(x, b.add(b.iota("i32", [3], 0), 1)), null],
    ["not rows before the start", (b, x) => b.gather(x, b.add(b.iota("i32", [3], 0), -1)), null],
    ["not a clamp that changes indices", (b, x) => b.gather(x, b.minimum(b.iota("i32", [3], 0), 1)), null],
    ["not every other row", (b, _x, y) => b.gather(y, b.mul(b.iota("i32", [2], 0), 2)), null],
    ["not one row many times", (b, x) => b.gather(x, b.constant(1, "i32", [3])), null],
    [
      "not rows down the columns",
      (b, x) => b.gather(b.reshape(x, [12]), b.add(b.iota("i32", [3, 4], 0), b.mul(b.iota("i32", [3, 4], 1), 3))),
      null,
    ],
    [
      "not an index that went through bool",
      (b, x) => b.gather(x, b.cast(b.cast(b.iota("i32", [3], 0), "bool"), "i32")),
      null,
    ],
    [
      "not an index that went through halves",
      (b, x) => b.gather(x, b.mul(b.cast(b.mul(b.cast(b.iota("i32", [3], 0), "f32"), 0.5), "i32"), 2)),
      null,
    ],
  ],
  "sums of pieces that do not overlap are one concatenation": [
    [
      "of neighbours, in any order",
      (b, _x, y) => {
        const row = (i: number) => b.slice(y, [i, 0], [1, 5]);
        const placed = (i: number) => b.pad(b.neg(row(i)), [i, 0], [2 - i, 0]);
        return b.add(b.add(placed(2), placed(0)), placed(1));
      },
      [
        '%0: f32[4, 5] = input() {name="y"}',
        "%1: f32[1, 5] = slice(%0) {sizes=[1,5] starts=[2,0]}",
        "%2: f32[1, 5] = neg(%1)",
        "%3: f32[1, 5] = slice(%0) {sizes=[1,5] starts=[0,0]}",
        "%4: f32[1, 5] = neg(%3)",
        "%5: f32[1, 5] = slice(%0) {sizes=[1,5] starts=[1,0]}",
        "%6: f32[1, 5] = neg(%5)",
        "%7: f32[3, 5] = concat(%4, %6, %2) {axis=0}",
        "return r = %7",
      ],
    ],
    [
      "with zeros where there is none",
      (b, x) => b.add(b.pad(x, [0, 1], [0, 6]), b.pad(x, [0, 6], [0, 1])),
      [X, "%1: f32[3, 1] = const() {value=0}", "%2: f32[3, 11] = concat(%1, %0, %1, %0, %1) {axis=1}", "return r = %2"],
    ],
    ["not of pieces that overlap", (b, x) => b.add(b.pad(x, [0, 0], [0, 2]), b.pad(x, [0, 2], [0, 0])), null],
    [
      "not of pieces along different axes",
      (b, x) =>
        b.add(b.pad(b.slice(x, [0, 0], [1, 4]), [0, 0], [2, 0]), b.pad(b.slice(x, [0, 0], [3, 1]), [0, 3], [0, 0])),
      null,
    ],
    ["not of frames around both axes", (b, x) => b.add(b.pad(x, [1, 1], [4, 5]), b.pad(x, [5, 6], [0, 0])), null],
  ],
  "constants are folded where that is exact": [
    [
      "arithmetic",
      (b) => b.mul(b.add(b.constant(2, "f32", [2]), 3), 4),
      ["%0: f32[2] = const() {value=20}", "return r = %0"],
    ],
    [
      "in the dtype's own arithmetic",
      (b) => b.add(b.constant(0.1, "f32", []), b.constant(0.2, "f32", [])),
      [`%0: f32[] = const() {value=${Math.fround(Math.fround(0.1) + Math.fround(0.2))}}`, "return r = %0"],
    ],
    [
      "integers wrap",
      (b) => b.add(b.constant(0x7fffffff, "i32", []), 1),
      ["%0: i32[] = const() {value=-2147483648}", "return r = %0"],
    ],
    [
      "casts saturate",
      (b) => b.cast(b.constant(-5.5, "f32", []), "u32"),
      ["%0: u32[] = const() {value=0}", "return r = %0"],
    ],
    [
      "bits",
      (b) => b.bitcast(b.constant(1, "f32", []), "u32"),
      ["%0: u32[] = const() {value=1065353216}", "return r = %0"],
    ],
    ["functions are left to the kernels", (b) => b.exp(b.constant(1, "f32", [])), null],
    [
      "sums of a constant",
      (b) => b.sum(b.constant(2, "f32", [3, 4]), [1]),
      ["%0: f32[3] = const() {value=8}", "return r = %0"],
    ],
    [
      "sums of nothing",
      (b) => b.sum(b.constant(Infinity, "f32", [3, 0]), [1]),
      ["%0: f32[3] = const() {value=0}", "return r = %0"],
    ],
    [
      "moved constants",
      (b) => b.transpose(b.broadcast(b.constant(2, "f32", [3]), [3, 4], [0]), [1, 0]),
      ["%0: f32[4, 3] = const() {value=2}", "return r = %0"],
    ],
    ["a pad of a constant is none", (b) => b.pad(b.constant(2, "f32", [3]), [1], [0]), null],
  ],
  "neutral elements vanish": [
    ["x + 0", (b, x) => b.add(x, 0), unchanged],
    ["0 + x", (b, x) => b.add(0, x), unchanged],
    ["x − 0", (b, x) => b.sub(x, 0), unchanged],
    ["x · 1", (b, x) => b.mul(x, 1), unchanged],
    ["1 · x", (b, x) => b.mul(1, x), unchanged],
    ["x / 1", (b, x) => b.div(x, 1), unchanged],
    ["−(−x)", (b, x) => b.neg(b.neg(x)), unchanged],
    ["x · 0 stays, for NaN and infinity", (b, x) => b.mul(x, 0), null],
    ["0 − x stays", (b, x) => b.sub(0, x), null],
    ["1 / x stays", (b, x) => b.div(1, x), null],
    ["x − x stays", (b, x) => b.sub(x, x), null],
  ],
  "division by a power of two is a multiplication": [
    [
      "by 8",
      (b, x) => b.div(x, 8),
      [X, "%1: f32[3, 4] = const() {value=0.125}", "%2: f32[3, 4] = mul(%0, %1)", "return r = %2"],
    ],
    [
      "by −1/4",
      (b, x) => b.div(x, -0.25),
      [X, "%1: f32[3, 4] = const() {value=-4}", "%2: f32[3, 4] = mul(%0, %1)", "return r = %2"],
    ],
    ["by 3 stays", (b, x) => b.div(x, 3), null],
    ["by the number next to 1024 stays", (b, x) => b.div(b.cast(x, "f64"), 1024 * (1 + 2 ** -52)), null],
    ["by a number whose inverse is not normal stays", (b, x) => b.div(x, 2 ** 120), null],
    ["of integers stays", (b, _x, _y, n) => b.div(n, 4), null],
    ["by 0 stays", (b, x) => b.div(x, 0), null],
  ],
  "movements that undo one another vanish": [
    ["transposes", (b, x) => b.transpose(b.transpose(x, [1, 0]), [1, 0]), unchanged],
    ["reshapes", (b, x) => b.reshape(b.reshape(x, [2, 6]), [3, 4]), unchanged],
    ["a slice of everything", (b, x) => b.slice(x, [0, 0], [3, 4]), unchanged],
    ["a pad by nothing", (b, x) => b.pad(x, [0, 0], [0, 0]), unchanged],
    ["a broadcast to itself", (b, x) => b.broadcast(x, [3, 4], [0, 1]), unchanged],
    [
      "slices of slices are one",
      (b, x) => b.slice(b.slice(x, [1, 0], [2, 4]), [1, 2], [1, 2]),
      [X, "%1: f32[1, 2] = slice(%0) {sizes=[1,2] starts=[2,2]}", "return r = %1"],
    ],
    [
      "broadcasts of broadcasts are one",
      (b, x) => b.broadcast(b.broadcast(x, [3, 2, 4], [0, 2]), [5, 3, 2, 4], [1, 2, 3]),
      [X, "%1: f32[5, 3, 2, 4] = broadcast(%0) {dims=[1,3] shape=[5,3,2,4]}", "return r = %1"],
    ],
    [
      "transposes of transposes are one",
      (b) => b.transpose(b.transpose(b.input("z", "f32", [2, 3, 4]), [1, 2, 0]), [1, 0, 2]),
      [
        '%0: f32[2, 3, 4] = input() {name="z"}',
        "%1: f32[4, 3, 2] = transpose(%0) {permutation=[2,1,0]}",
        "return r = %1",
      ],
    ],
    ["a slice of a broadcast stays", (b, x) => b.slice(b.broadcast(x, [2, 3, 4], [1, 2]), [0, 0, 0], [1, 3, 4]), null],
  ],
  "a transposed operand is a flag of the product": [
    [
      "on the left",
      (b, x, y) => b.matmul(b.transpose(b.transpose(x, [1, 0]), [1, 0]), y),
      [
        X,
        '%1: f32[4, 5] = input() {name="y"}',
        "%2: f32[3, 5] = matmul(%0, %1) {transA=false transB=false}",
        "return r = %2",
      ],
    ],
    [
      "on the right",
      (b, x) => b.matmul(x, b.transpose(x, [1, 0])),
      [X, "%1: f32[3, 3] = matmul(%0, %0) {transA=false transB=true}", "return r = %1"],
    ],
    [
      "two make none",
      (b, x, y) => b.matmul(b.transpose(x, [1, 0]), b.transpose(y, [1, 0]), true, true),
      [
        X,
        '%1: f32[4, 5] = input() {name="y"}',
        "%2: f32[3, 5] = matmul(%0, %1) {transA=false transB=false}",
        "return r = %2",
      ],
    ],
  ],
};

describe.each(Object.entries(rules))("%s", (_rule, cases) => {
  test.each(cases)("%s", (_name, build, want) => {
    const before = createTrace();
    const node = build(
      before,
      before.input("x", "f32", [3, 4]),
      before.input("y", "f32", [4, 5]),
      before.input("n", "i32", [3]),
    );
    expect(simplified(build)).toBe(want ? want.join("\n") : printGraph({ outputs: new Map([["r", node]]) }));
  });
});

test("what nothing needs is gone, and equal values are one", () => {
  const text = simplified((b, x) => {
    b.exp(b.log(x));
    return b.add(b.mul(b.add(x, 0), 2), b.mul(b.div(x, 1), 2));
  });
  expect(text).toBe(
    [
      X,
      "%1: f32[3, 4] = const() {value=2}",
      "%2: f32[3, 4] = mul(%0, %1)",
      "%3: f32[3, 4] = add(%2, %2)",
      "return r = %3",
    ].join("\n"),
  );
});

test("ops without an emitter are lowered by their rows, and what that makes is simplified", () => {
  const text = simplified(
    (b, x) => b.stopGradient(b.customVjp(b.mul(x, 1), [x], () => [null])),
    (op) => op !== "stopGradient" && op !== "customVjp",
  );
  expect(text).toBe(unchanged.join("\n"));
  const lowered = simplified(
    (b, x) => b.logsumexp(x, [1]),
    (op) => op !== "logsumexp" && op !== "stopGradient",
  );
  expect(lowered).not.toContain("logsumexp");
  expect(lowered).toContain("max(%0) {axes=[1]}");
});

describe("a result that turns out to be an input", () => {
  test("is copied, as the input may be overwritten in the same step", () => {
    expect(simplified((b, x) => b.add(x, 0))).toBe(unchanged.join("\n"));
  });
  test("is left alone where it is that state itself", () => {
    const b = createTrace();
    const s = b.input("state.s", "f32", [2]);
    const graph = simplify({ outputs: new Map([["state.s", b.mul(s, 1)]]) }, keepsAll);
    expect(printGraph(graph)).toBe('%0: f32[2] = input() {name="state.s"}\nreturn state.s = %0');
  });
});
