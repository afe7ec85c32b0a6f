import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../../../src/backends/reference/backend.ts";
import { allocate, type DType, dtypes, type TypedArray } from "../../../src/base/dtype.ts";
import type { Node } from "../../../src/ir/node.ts";
import { castNumber } from "../../../src/ops/scalar.ts";
import { createTrace } from "../../../src/ops/trace.ts";
import type { Trace } from "../../../src/ops/vocabulary.ts";

/** The reference is the oracle of the other backends, so here its meanings stand beside numbers worked out by hand. */
function run(
  build: (b: Trace, ...xs: Node[]) => Node,
  ...args: (readonly [DType, readonly number[], readonly number[]])[]
): number[] {
  const b = createTrace();
  const values = new Map<string, TypedArray>();
  const xs = args.map(([dtype, shape, numbers], i) => {
    const array = allocate(dtype, numbers.length);
    array.set(numbers as never);
    values.set(`x${i}`, array);
    return b.input(`x${i}`, dtype, shape);
  });
  return [...evaluateGraph({ outputs: new Map([["y", build(b, ...xs)]]) }, values).get("y")!];
}

describe("integers", () => {
  test("wrap in 32 bits", () => {
    expect(run((b, x) => b.add(x, 1), ["i32", [1], [0x7fffffff]])).toEqual([-0x80000000]);
    expect(run((b, x) => b.mul(x, x), ["u32", [1], [0x10001]])).toEqual([0x20001]);
    expect(run((b, x) => b.mul(x, 3), ["i32", [1], [0x7fffffff]])).toEqual([0x7ffffffd]);
    expect(run((b, x) => b.neg(x), ["u32", [1], [1]])).toEqual([0xffffffff]);
    expect(run((b, x) => b.abs(x), ["i32", [1], [-0x80000000]])).toEqual([-0x80000000]);
  });
  test("divide towards zero, by zero to 0, and wrap where there is no quotient", () => {
    expect(
      run((b, x, y) => b.div(x, y!), ["i32", [5], [7, -7, 7, 5, -0x80000000]], ["i32", [5], [2, 2, -2, 0, -1]]),
    ).toEqual([3, -3, -3, 0, -0x80000000]);
    expect(
      run((b, x, y) => b.rem(x, y!), ["i32", [5], [7, -7, 7, 5, -0x80000000]], ["i32", [5], [2, 2, -2, 0, -1]]),
    ).toEqual([1, -1, 1, 0, 0]);
    expect(run((b, x) => b.div(x, 3), ["u32", [1], [0xffffffff]])).toEqual([0x55555555]);
  });
  test("shift and turn", () => {
    expect(run((b, x) => b.shl(x, 4), ["u32", [1], [0xf0000001]])).toEqual([0x10]);
    expect(run((b, x) => b.shr(x, 4), ["i32", [1], [-1]])).toEqual([0x0fffffff]);
    expect(run((b, x) => b.rotl(x, 8), ["u32", [1], [0x12345678]])).toEqual([0x34567812]);
  });
  test("compare as what they are", () => {
    expect(run((b, x) => b.lt(x, 0), ["i32", [1], [-1]])).toEqual([1]);
    expect(run((b, x) => b.lt(x, 1), ["u32", [1], [0xffffffff]])).toEqual([0]);
  });
});

describe("casts", () => {
  // What WebAssembly's saturating truncations say.
  test.each([
    ["f64", "i32", [1.9, -1.9, 3e9, -3e9, Number.NaN, Infinity], [1, -1, 2147483647, -2147483648, 0, 2147483647]],
    ["f64", "u32", [1.9, -1.9, 5e9, Number.NaN], [1, 0, 4294967295, 0]],
    ["f32", "u8", [255.9, 256, -1, 1e10, Number.NaN], [255, 255, 0, 255, 0]],
    ["i32", "u8", [256, -1, 511], [0, 255, 255]],
    ["u32", "f32", [0xffffffff, 16777217], [4294967296, 16777216]],
    ["u32", "i32", [0xffffffff], [-1]],
    ["f64", "bool", [0, -0, 0.5, Number.NaN], [0, 0, 1, 1]],
    ["bool", "f64", [0, 1], [0, 1]],
  ] as const)("from %s to %s", (from, to, x, y) => {
    expect(run((b, v) => b.cast(v, to), [from, [x.length], x])).toEqual([...y]);
    const out = new dtypes[to].array(x.length);
    for (const [i, v] of x.entries()) out[i] = castNumber(v, from, to);
    expect([...out]).toEqual([...y]);
  });
  test("read bits as bits", () => {
    expect(run((b, x) => b.bitcast(x, "u32"), ["f32", [3], [1, -2, 0]])).toEqual([0x3f800000, 0xc0000000, 0]);
    expect(run((b, x) => b.bitcast(x, "f32"), ["u32", [1], [0x40490fdb]])).toEqual([Math.fround(Math.PI)]);
  });
});

describe("floats", () => {
  test("keep NaN, infinities and signed zeros as IEEE 754 has them", () => {
    expect(
      run((b, x, y) => b.minimum(x, y!), ["f64", [3], [Number.NaN, -0, 1]], ["f64", [3], [1, 0, Infinity]]),
    ).toEqual([Number.NaN, -0, 1]);
    expect(run((b, x, y) => b.maximum(x, y!), ["f64", [2], [1, -0]], ["f64", [2], [Number.NaN, 0]])).toEqual([
      Number.NaN,
      0,
    ]);
    expect(run((b, x) => b.sign(x), ["f64", [4], [-0, 3, -2, Number.NaN]])).toEqual([-0, 1, -1, Number.NaN]);
    expect(
      run((b, x, y) => b.pow(x, y!), ["f64", [4], [1, -1, 0, 2]], ["f64", [4], [Number.NaN, Infinity, 0, -1]]),
    ).toEqual([1, 1, 1, 0.5]);
    expect(run((b, x) => b.eq(x, Number.NaN), ["f64", [1], [Number.NaN]])).toEqual([0]);
    expect(run((b, x) => b.ne(x, Number.NaN), ["f64", [1], [Number.NaN]])).toEqual([1]);
  });
  test("round to f32 after each op", () => {
    expect(run((b, x) => b.add(x, 1), ["f32", [1], [2 ** 24]])).toEqual([2 ** 24]);
  });
});

describe("reductions", () => {
  test("of nothing are the neutral element", () => {
    expect(run((b, x) => b.sum(x, [0]), ["f64", [0], []])).toEqual([0]);
    expect(run((b, x) => b.max(x, [0]), ["f64", [0], []])).toEqual([-Infinity]);
    expect(run((b, x) => b.max(x, [0]), ["i32", [0], []])).toEqual([-0x80000000]);
    expect(run((b, x) => b.logsumexp(x, [0]), ["f64", [0], []])).toEqual([-Infinity]);
  });
  test("drop their axes", () => {
    const x = ["f64", [2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]] as const;
    expect(run((b, v) => b.sum(v, [1]), x)).toEqual([9, 12, 27, 30]);
    expect(run((b, v) => b.sum(v, [0, 2]), x)).toEqual([18, 26, 34]);
    expect(run((b, v) => b.argmax(v, 1), x)).toEqual([2, 2, 2, 2]);
  });
});

describe("rows", () => {
  test("outside are the nearest ones", () => {
    expect(run((b, x, i) => b.gather(x, i!), ["f64", [3], [10, 20, 30]], ["i32", [4], [-5, 0, 2, 99]])).toEqual([
      10, 10, 30, 30,
    ]);
    expect(run((b, x, i) => b.gather(x, i!), ["f64", [3], [10, 20, 30]], ["u32", [1], [0xffffffff]])).toEqual([30]);
  });
  test("that come twice are added twice", () => {
    expect(
      run((b, x, i) => b.scatterAdd(x, i!, 2), ["f64", [3, 2], [1, 2, 3, 4, 5, 6]], ["i32", [3], [1, 0, 1]]),
    ).toEqual([3, 4, 6, 8]);
  });
  test("shuffle is Fisher and Yates, inside out, with the high word of word · (i + 1)", () => {
    // Words that choose j = i leave everything in place; words of 0 put each new one first.
    expect(run((b, x) => b.shuffle(x), ["u32", [4], [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff]])).toEqual([
      0, 1, 2, 3,
    ]);
    expect(run((b, x) => b.shuffle(x), ["u32", [4], [0, 0, 0, 0]])).toEqual([3, 0, 1, 2]);
  });
});

test("an input that was not given is named", () => {
  const b = createTrace();
  expect(() => evaluateGraph({ outputs: new Map([["y", b.input("x", "f32", [1])]]) }, new Map())).toThrow(
    'no value was bound to input "x"',
  );
});
