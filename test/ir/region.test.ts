import { describe, expect, test } from "vitest";
import { printGraph } from "../../src/ir/graph.ts";
import type { Node } from "../../src/ir/node.ts";
import { closeOver, inputsOf, regionOf, writeInto } from "../../src/ir/region.ts";
import { opRow } from "../../src/ops/table.ts";
import { createTrace } from "../../src/ops/trace.ts";

const infer = (op: string) => opRow(op).infer;
const graph = (outputs: Record<string, Node>) => ({ outputs: new Map(Object.entries(outputs)) });

describe("cutting a computation out of a trace", () => {
  const b = createTrace();
  const [x, k, w] = [b.input("x", "f64", [3]), b.input("k", "f64", []), b.input("w", "f64", [3])];
  const spread = b.broadcast(b.exp(k), [3], []);
  const y = b.add(b.mul(b.add(x, 1), spread), b.tanh(b.mul(w, w)));
  const closed = closeOver(infer, new Map([["y", y]]), new Map([[x, "row"]]));

  test("captures the largest parts that do not depend on a placeholder, before they are spread", () => {
    expect(closed.captured).toEqual([b.exp(k), b.tanh(b.mul(w, w))]);
  });
  test("leaves a graph of the rest, with numbers taken along", () => {
    expect(printGraph(closed.graph)).toBe(
      [
        '%0: f64[3] = input() {name="row"}',
        "%1: f64[3] = const() {value=1}",
        "%2: f64[3] = add(%0, %1)",
        '%3: f64[] = input() {name="const.0"}',
        "%4: f64[3] = broadcast(%3) {dims=[] shape=[3]}",
        "%5: f64[3] = mul(%2, %4)",
        '%6: f64[3] = input() {name="const.1"}',
        "%7: f64[3] = add(%5, %6)",
        "return y = %7",
      ].join("\n"),
    );
  });
  test("written into the trace again it is the same node", () => {
    const inputs = inputsOf(closed.graph);
    const known = new Map([
      [inputs.get("row")!, x],
      ...closed.captured.map((node, i) => [inputs.get(`const.${i}`)!, node] as const),
    ]);
    expect(writeInto(b.builder, closed.graph, known).get("y")).toBe(y);
  });
});

test("regions are equal when they print equally, whatever was traced beside them", () => {
  const region = (noise: number, value: number) => {
    const b = createTrace();
    for (let i = 0; i < noise; i++) b.input(`other ${i}`, "f32", []);
    return regionOf(graph({ y: b.mul(b.input("x", "f64", []), value) }));
  };
  expect(region(3, 2).key).toBe(region(0, 2).key);
  expect(region(0, 2).key).not.toBe(region(0, 3).key);
});
