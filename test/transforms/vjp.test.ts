import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import type { Node } from "../../src/ir/node.ts";
import { ops } from "../../src/ops/table.ts";
import { createTrace } from "../../src/ops/trace.ts";
import { gradient, vjp } from "../../src/transforms/vjp.ts";

const value = (node: Node, inputs: Record<string, readonly number[]> = {}): number[] => {
  const given = new Map<string, TypedArray>(Object.entries(inputs).map(([name, v]) => [name, Float64Array.from(v)]));
  return [...evaluateGraph({ outputs: new Map([["y", node]]) }, given).get("y")!];
};

describe("the gradient", () => {
  test("of a quadratic form ½ xᵀ A x is ½ (A + Aᵀ) x", () => {
    const b = createTrace();
    const [x, a] = [b.input("x", "f64", [2, 1]), b.input("a", "f64", [2, 2])];
    const form = b.mul(b.sum(b.mul(x, b.matmul(a, x)), [0, 1]), 0.5);
    const [dx, da] = gradient(b, form, [x, a]);
    const inputs = { x: [3, -1], a: [2, 5, 1, 4] };
    expect(value(dx!, inputs)).toEqual([0.5 * (2 * 2 * 3 + 6 * -1), 0.5 * (6 * 3 + 2 * 4 * -1)]);
    // ∂/∂A is ½ x xᵀ.
    expect(value(da!, inputs)).toEqual([4.5, -1.5, -1.5, 0.5]);
  });
  test("of log Σ e^x is the softmax", () => {
    const b = createTrace();
    const x = b.input("x", "f64", [3]);
    const [dx] = gradient(b, b.logsumexp(x, [0]), [x]);
    const got = value(dx!, { x: [Math.log(1), Math.log(2), Math.log(5)] });
    for (const [i, want] of [1 / 8, 2 / 8, 5 / 8].entries()) expect(got[i]).toBeCloseTo(want, 14);
  });
  test("adds over every path", () => {
    const b = createTrace();
    const x = b.input("x", "f64", []);
    const y = b.mul(x, x);
    const [dx] = gradient(b, b.add(b.mul(y, x), b.add(x, y)), [x]);
    expect(value(dx!, { x: [2] })).toEqual([3 * 4 + 1 + 4]);
  });
  test("with respect to a value in between stops there", () => {
    const b = createTrace();
    const x = b.input("x", "f64", []);
    const y = b.mul(x, 3);
    const z = b.mul(y, y);
    const [dy, dx] = gradient(b, z, [y, x]);
    expect(value(dy!, { x: [2] })).toEqual([12]);
    expect(value(dx!, { x: [2] })).toEqual([36]);
  });
  test("with respect to what does not matter is zero, of its shape", () => {
    const b = createTrace();
    const [x, y, n] = [b.input("x", "f64", [2]), b.input("y", "f32", [3, 1]), b.input("n", "i32", [2])];
    const [dy, dn] = gradient(b, b.sum(x, [0]), [y, n]);
    expect([dy!.dtype, dy!.shape, value(dy!)]).toEqual(["f32", [3, 1], [0, 0, 0]]);
    expect([dn!.dtype, value(dn!)]).toEqual(["i32", [0, 0]]);
  });
  test("does not pass stopGradient, integers, comparisons or steps", () => {
    const b = createTrace();
    const x = b.input("x", "f64", [2]);
    const through = [
      b.stopGradient(x),
      b.floor(x),
      b.sign(x),
      b.cast(b.cast(x, "i32"), "f64"),
      b.cast(b.gt(x, 0), "f64"),
    ];
    for (const y of through)
      expect(value(gradient(b, b.sum(b.mul(y, 2), [0]), [x])[0]!, { x: [1.5, -2] })).toEqual([0, 0]);
  });
  test("of a choice goes to what was chosen", () => {
    const b = createTrace();
    const [x, y] = [b.input("x", "f64", [3]), b.input("y", "f64", [3])];
    const [dx, dy] = gradient(b, b.sum(b.select(b.gt(x, y), b.mul(x, 2), y), [0]), [x, y]);
    const inputs = { x: [1, 5, 2], y: [3, 4, 2] };
    expect(value(dx!, inputs)).toEqual([0, 2, 0]);
    expect(value(dy!, inputs)).toEqual([1, 0, 1]);
  });
  test("of a maximum is shared by those that reach it", () => {
    const b = createTrace();
    const x = b.input("x", "f64", [4]);
    expect(value(gradient(b, b.max(x, [0]), [x])[0]!, { x: [1, 7, 7, 0] })).toEqual([0, 0.5, 0.5, 0]);
  });
  test("of logsumexp is 0 where everything is −∞, not NaN", () => {
    const b = createTrace();
    const x = b.input("x", "f64", [2]);
    expect(value(gradient(b, b.logsumexp(x, [0]), [x])[0]!, { x: [-Infinity, -Infinity] })).toEqual([0, 0]);
    expect(value(gradient(b, b.logsumexp(x, [0]), [x])[0]!, { x: [0, -Infinity] })).toEqual([1, 0]);
  });
  test("of a power at 0 is finite where the derivative is", () => {
    const b = createTrace();
    const [x, y] = [b.input("x", "f64", []), b.input("y", "f64", [])];
    const [dx, dy] = gradient(b, b.pow(x, y), [x, y]);
    expect(value(dx!, { x: [0], y: [2] })).toEqual([0]);
    expect(value(dx!, { x: [-3], y: [2] })).toEqual([-6]);
    expect(value(dx!, { x: [0], y: [0] })).toEqual([0]);
    expect(value(dy!, { x: [0], y: [2] })).toEqual([0]);
  });
});

describe("vjp", () => {
  test("weighs several outputs by their cotangents", () => {
    const b = createTrace();
    const x = b.input("x", "f64", [2]);
    const [dx] = vjp(b, [b.mul(x, x), b.sum(x, [0])], [b.input("g", "f64", [2]), b.input("h", "f64", [])], [x]);
    expect(value(dx!, { x: [3, 4], g: [1, 10], h: [100] })).toEqual([106, 180]);
  });
  test("of a vjp is the Hessian times a vector: for Σ x⁴, 12 x² v", () => {
    const b = createTrace();
    const [x, v] = [b.input("x", "f64", [3]), b.input("v", "f64", [3])];
    const square = b.mul(x, x);
    const [first] = gradient(b, b.sum(b.mul(square, square), [0]), [x]);
    const [second] = vjp(b, [first!], [v], [x]);
    expect(value(second!, { x: [1, 2, -1], v: [1, 1, 2] })).toEqual([12, 48, 24]);
  });
  test("takes the rule of customVjp and not the way its value was made", () => {
    const b = createTrace();
    const x = b.input("x", "f64", []);
    const y = b.customVjp(b.exp(x), [x], (t, g, value, [z]) => [
      t.add(t.mul(g, 100), t.mul(t.sub(value, t.exp(z!)), 7)),
    ]);
    expect(value(gradient(b, y, [x])[0]!, { x: [1.5] })).toEqual([100]);
  });
  test("leaves an output that is not a float alone", () => {
    const b = createTrace();
    const x = b.input("x", "f64", [2]);
    const count = b.cast(b.gt(x, 0), "u32");
    const [dx] = vjp(b, [count, b.mul(x, 2)], [b.fill(count, 1), b.fill(x, 1)], [x]);
    expect(value(dx!, { x: [1, 1] })).toEqual([2, 2]);
  });
  test("says which row to write where an op has no gradient", () => {
    const b = createTrace();
    const x = b.input("x", "f64", [2]);
    const original = ops.sin!;
    (ops as Record<string, typeof original>).sin = { ...original, vjp: null };
    try {
      expect(() => gradient(b, b.sum(b.sin(x), [0]), [x])).toThrow(
        'op "sin" has no gradient: write the vjp of its row under src/ops',
      );
    } finally {
      (ops as Record<string, typeof original>).sin = original;
    }
  });
});
