import { describe, expect, test } from "vitest";
import { InternalError } from "../../src/base/errors.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import { verify } from "../../src/passes/verify.ts";

const b = createTrace();
const x = b.input("x", "f32", [3]);
const y = b.exp(x);
const graphOf = (node: Node) => ({ outputs: new Map([["y", node]]) });
const planted = (change: Partial<Node>): Node => ({ ...y, ...change });

test("a graph that rules made passes, and is returned", () => {
  const graph = graphOf(b.sum(b.add(y, b.constant(1, "f32", [3])), [0]));
  expect(verify(graph, "trace")).toBe(graph);
});

describe("a planted fault is found and named", () => {
  test.each([
    ["a shape that its rule does not give", { shape: [4] }, "node %1 exp: is f32[4] but its rule gives f32[3]"],
    [
      "a dtype that its rule does not give",
      { dtype: "f64" as const },
      "node %1 exp: is f64[3] but its rule gives f32[3]",
    ],
    ["an operand that comes later", { id: 0 }, "operand %0 does not come before it"],
    ["an op that nobody knows", { op: "frobnicate" }, 'no op "frobnicate"'],
  ])("%s", (_what, change, text) => {
    const bad = planted(change);
    expect(() => verify(graphOf(bad), "some pass")).toThrow(InternalError);
    expect(() => verify(graphOf(bad), "some pass")).toThrow(text);
  });
  test("deep inside too, with the pass that made it", () => {
    const bad = { ...b.log(planted({ shape: [4] })), shape: [3] };
    expect(() => verify(graphOf(bad), "simplify")).toThrow("after simplify");
  });
  test("operands that their op refuses", () => {
    const bad: Node = { ...b.add(y, y), inputs: [y, b.input("z", "f64", [3])] };
    expect(() => verify(graphOf(bad), "simplify")).toThrow();
  });
});
