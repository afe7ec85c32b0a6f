import { describe, expect, test } from "vitest";
import { nodesOf, reachable, usersOf } from "../../src/ir/graph.ts";
import { attrKey, attrsKey } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";

describe("equal nodes are one node", () => {
  const b = createTrace();
  const x = b.input("x", "f32", [3]);
  const y = b.input("y", "f32", [3]);

  test("for the same op, operands and attributes", () => {
    expect(b.add(x, y)).toBe(b.add(x, y));
    expect(b.sum(x, [0])).toBe(b.sum(x, [0]));
    expect(b.mul(x, 2)).toBe(b.mul(x, b.constant(2, "f32", [3])));
  });
  test("not for exchanged operands, other attributes, other dtypes", () => {
    expect(b.add(x, y)).not.toBe(b.add(y, x));
    expect(b.slice(x, [0], [2])).not.toBe(b.slice(x, [1], [2]));
    expect(b.constant(1, "f32", [3])).not.toBe(b.constant(1, "f64", [3]));
    expect(b.constant(1, "f32", [3])).not.toBe(b.constant(1, "f32", [1, 3]));
    expect(b.iota("f32", [3], 0)).not.toBe(b.iota("u32", [3], 0));
  });
  test("0 and −0 are two constants, NaN and NaN are one", () => {
    expect(b.constant(0, "f32", [])).not.toBe(b.constant(-0, "f32", []));
    expect(b.constant(Number.NaN, "f32", [])).toBe(b.constant(Number.NaN, "f32", []));
  });
  test("rules are equal only when they are the same function", () => {
    const rule = () => [null];
    expect(b.customVjp(x, [y], rule)).toBe(b.customVjp(x, [y], rule));
    expect(b.customVjp(x, [y], rule)).not.toBe(b.customVjp(x, [y], () => [null]));
  });
});

test("an input has one type", () => {
  const b = createTrace();
  expect(b.input("x", "f32", [3])).toBe(b.input("x", "f32", [3]));
  expect(() => b.input("x", "f32", [4])).toThrow(
    'input "x" was declared f32[3], then f32[4]; an input has one type: use another name',
  );
  expect(() => b.input("x", "f64", [3])).toThrow("then f64[3]");
  expect(b.input('x" y', "f64", [])).not.toBe(b.input("x", "f32", [3]));
});

test("an unknown op says which row to write", () => {
  expect(() => createTrace().builder.append("frobnicate", [])).toThrow(
    'no op "frobnicate": add a row { infer, vjp, batch, evaluate }',
  );
});

test("operands of numbers alone are refused", () => {
  const b = createTrace();
  expect(() => b.add(1, 2)).toThrow("has no dtype");
  expect(() => b.select(b.constant(1, "bool", []), 1, 2)).toThrow("has no dtype");
});

test("trivial conversions, reductions and joins are the operand itself", () => {
  const b = createTrace();
  const x = b.input("x", "f32", [3]);
  expect(b.cast(x, "f32")).toBe(x);
  expect(b.bitcast(x, "f32")).toBe(x);
  expect(b.sum(x, [])).toBe(x);
  expect(b.max(x, [])).toBe(x);
  expect(b.logsumexp(x, [])).toBe(x);
  expect(b.concat([x], 0)).toBe(x);
});

test("attributes are keyed without confusion", () => {
  expect(attrKey(-0)).not.toBe(attrKey(0));
  expect(attrKey("1")).not.toBe(attrKey(1));
  expect(attrKey([1, 2])).not.toBe(attrKey([12]));
  expect(attrsKey({ b: 1, a: 2 })).toBe(attrsKey({ a: 2, b: 1 }));
});

test("nodes come after their operands, each once, and only those that are needed", () => {
  const b = createTrace();
  const x = b.input("x", "f32", [3]);
  const y = b.exp(x);
  b.log(x);
  const z = b.add(y, y);
  const nodes = nodesOf({
    outputs: new Map([
      ["z", z],
      ["y", y],
    ]),
  });
  expect(nodes).toEqual([x, y, z]);
  expect(reachable([y])).toEqual([x, y]);
  expect(usersOf(nodes).get(y)).toEqual([z]);
});
