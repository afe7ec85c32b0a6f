import { describe, expect, test } from "vitest";
import { evaluateGraph, reference } from "../../../src/backends/reference/backend.ts";
import { planGraph } from "../../../src/engine/executable.ts";
import { type Graph, nodesOf, printGraph } from "../../../src/ir/graph.ts";
import type { Node } from "../../../src/ir/node.ts";
import { appendScan, placeholder } from "../../../src/ops/scan/draft.ts";
import { attrsOf, layoutOf, takePiece } from "../../../src/ops/scan/layout.ts";
import { loops } from "../../../src/ops/scan.ts";
import { extendOps } from "../../../src/ops/table.ts";
import { createTrace } from "../../../src/ops/trace.ts";

extendOps(loops);

const graph = (outputs: Record<string, Node>): Graph => ({ outputs: new Map(Object.entries(outputs)) });

/** Two carries of which the second only listens, two results; x is the same in all rows if it is one number. */
function loop(stored: readonly number[] = [], spread = false) {
  const b = createTrace();
  const scalar = { dtype: "f64", shape: [] } as const;
  const [p, q, x, t] = [0, 1, 2, 3].map(() => placeholder(b, scalar)) as [Node, Node, Node, Node];
  const index = placeholder(b, { dtype: "i32", shape: [] });
  const rows = spread ? b.broadcast(b.input("k", "f64", []), [4], []) : b.input("x", "f64", [4]);
  const next = b.add(b.mul(p, 0.5), x);
  const make = (stored: readonly number[]) =>
    appendScan(b, {
      length: 4,
      reverse: false,
      carries: [
        { from: b.input("p", "f64", []), at: p, next },
        { from: b.input("q", "f64", []), at: q, next: b.add(q, b.exp(p)) },
      ],
      xs: [
        { rows, at: x },
        { rows: b.input("t", "f64", [4]), at: t },
      ],
      ys: [next, b.mul(q, t)],
      index,
      stored,
    });
  return { b, make, node: make(stored) };
}

const inputs = new Map<string, Float64Array>([
  ["p", Float64Array.of(1)],
  ["q", Float64Array.of(2)],
  ["k", Float64Array.of(0.3)],
  ["x", Float64Array.of(1, -1, 0.5, 2)],
  ["t", Float64Array.of(3, 1, 4, 1)],
]);

/** The graph after all passes, and that it means what it meant. */
function passed(given: Graph): Graph {
  const { graph: simple } = planGraph(given, reference);
  expect(evaluateGraph(simple, inputs)).toEqual(evaluateGraph(given, inputs));
  return simple;
}
const scans = (g: Graph): Node[] => nodesOf(g).filter((n) => n.op === "scan");

describe("a scan is reduced to what is read of it", () => {
  test("the second carry, its result and its rows go when nobody reads them", () => {
    const { b, node } = loop();
    const layout = layoutOf(attrsOf(node));
    const simple = passed(graph({ y: takePiece(b, node, layout.ys[0]!) }));
    expect(printGraph(simple)).toBe(
      [
        '%0: f64[4] = input() {name="x"}',
        '%1: f64[] = input() {name="p"}',
        "%2: f64[5] = scan(%1, %0) {body=(",
        '    %0: f64[] = input() {name="x.0"}',
        "    %1: f64[] = const() {value=0.5}",
        '    %2: f64[] = input() {name="state.0"}',
        "    %3: f64[] = mul(%2, %1)",
        "    %4: f64[] = add(%3, %0)",
        "    return state.0 = %4",
        "    return y.0 = %4) carries=1 counted=false length=4 reverse=false stored=[] until=-1 xs=1}",
        "%3: f64[4] = slice(%2) {sizes=[4] starts=[1]}",
        "return y = %3",
      ].join("\n"),
    );
  });

  test("a carry that another one needs stays", () => {
    const { b, node } = loop();
    const simple = passed(graph({ q: takePiece(b, node, layoutOf(attrsOf(node)).carries[1]!) }));
    expect(attrsOf(scans(simple)[0]!)).toMatchObject({ carries: 2, xs: 1 });
    expect(layoutOf(attrsOf(scans(simple)[0]!)).ys).toEqual([]);
  });

  test("scans that differ in what they store become one", () => {
    const { b, make } = loop();
    const [plain, first, second] = [make([]), make([0]), make([0, 1])];
    const piece = (node: Node, of: "ys" | "stored", i: number) => takePiece(b, node, layoutOf(attrsOf(node))[of][i]!);
    const outputs = { y: piece(plain, "ys", 1), p: piece(first, "stored", 0), q: piece(second, "stored", 1) };
    expect(scans(passed(graph(outputs))).map((n) => attrsOf(n).stored)).toEqual([[0, 1]]);
  });

  test("a vector that is read whole keeps all of it", () => {
    const { make } = loop();
    const simple = passed(graph({ plain: make([]), stored: make([1]) }));
    expect(scans(simple).length).toBe(1);
    expect(layoutOf(attrsOf(scans(simple)[0]!)).size).toBe(14);
    expect(nodesOf(simple).map((n) => n.op)).not.toContain("concat");
  });

  test("rows that are all the same are a captured value", () => {
    const { b, node } = loop([], true);
    const simple = passed(graph({ y: takePiece(b, node, layoutOf(attrsOf(node)).ys[0]!) }));
    expect(attrsOf(scans(simple)[0]!).xs).toBe(0);
    expect(nodesOf(simple).map((n) => n.op)).not.toContain("broadcast");
  });
});

test("a piece is taken where the parts were made", () => {
  const { b, node } = loop();
  const both = b.concat([b.reshape(node, [1, 10]), b.reshape(b.exp(node), [1, 10])], 1);
  const padded = b.add(b.pad(both, [0, 2], [0, 0]), b.constant(0, "f64", [1, 22]));
  const simple = passed(graph({ y: b.slice(padded, [0, 4], [1, 4]), zero: b.slice(padded, [0, 0], [1, 2]) }));
  expect(nodesOf(simple).map((n) => n.op)).not.toContain("concat");
  expect(nodesOf(simple).map((n) => n.op)).not.toContain("pad");
});
