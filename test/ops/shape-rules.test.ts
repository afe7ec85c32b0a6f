import { describe, expect, test } from "vitest";
import { ShapeError } from "../../src/base/errors.ts";
import type { Node } from "../../src/ir/node.ts";
import { createTrace } from "../../src/ops/trace.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";

const b = createTrace();
const f = (...shape: number[]): Node => b.input(`f${shape}`, "f32", shape);
const d = (...shape: number[]): Node => b.input(`d${shape}`, "f64", shape);
const i = (...shape: number[]): Node => b.input(`i${shape}`, "i32", shape);
const u = (...shape: number[]): Node => b.input(`u${shape}`, "u8", shape);
const t = (...shape: number[]): Node => b.input(`t${shape}`, "bool", shape);

/** What an op refuses, and what it says. */
const refusals: readonly (readonly [(b: Trace) => Node, string])[] = [
  [() => b.add(f(3), f(4)), "add got shapes [3] and [4], which differ"],
  [() => b.mul(f(3), d(3)), 'mul mixes f32 and f64: cast one of them, as by .cast("f64")'],
  [() => b.add(u(3), u(3)), "add takes f32, f64, i32 or u32, not u8: cast the operand first"],
  [() => b.exp(i(3)), "exp takes f32 or f64, not i32: cast the operand first"],
  [() => b.rem(f(3), f(3)), "rem takes i32 or u32, not f32"],
  [() => b.and(f(3), f(3)), "and takes bool, i32 or u32, not f32"],
  [() => b.not(u(3)), "not takes bool, i32 or u32, not u8"],
  [() => b.lt(f(3), f(4)), "lt got shapes [3] and [4], which differ"],
  [() => b.eq(u(3), t(3)), "eq needs two operands of one dtype and shape"],
  [() => b.shl(f(3), 2), "shl takes i32 or u32, not f32"],
  [() => b.shl(i(3), 32), "shl takes 1 to 31 bits, not 32"],
  [() => b.rotl(i(3), 1.5), "rotl takes 1 to 31 bits, not 1.5"],
  [() => b.select(f(3), f(3), f(3)), "select needs a bool condition, not f32"],
  [
    () => b.select(t(3), f(3), d(3)),
    "select got bool[3], f32[3] and f64[3]: all three need one shape, the last two one dtype",
  ],
  [() => b.select(t(2), f(3), f(3)), "select got bool[2], f32[3] and f32[3]"],
  [() => b.bitcast(d(3), "u32"), "bitcast is between f32, i32 and u32, not f64 to u32"],
  [() => b.sum(u(3), [0]), "sum takes f32, f64, i32 or u32, not u8: cast it first"],
  [() => b.sum(f(2, 3), [2]), "sum over axes [2] of a tensor of shape [2, 3]: axes must exist and increase"],
  [() => b.max(f(2, 3), [1, 0]), "max over axes [1,0] of a tensor of shape [2, 3]"],
  [() => b.sum(f(2, 3), [-1]), "sum over axes [-1] of a tensor of shape [2, 3]"],
  [() => b.argmax(f(2, 3), 2), "argmax over axes [2] of a tensor of shape [2, 3]"],
  [() => b.argmax(f(2, 0), 1), "argmax over axis 1 of a tensor of shape [2, 0]: there is nothing to choose from"],
  [() => b.logsumexp(i(3), [0]), "logsumexp takes f32 or f64, not i32"],
  [() => b.iota("u32", [3], 1), "iota of shape [3] along axis 1"],
  [() => b.reshape(f(2, 3), [7]), "reshape of [2, 3] to [7]: 6 elements do not fill it"],
  [() => b.reshape(f(2, 3), [-2, -3]), "reshape of [2, 3]"],
  [() => b.broadcast(f(3), [3, 4], [1]), "broadcast of [3] to [3, 4] at axes [1]: sizes must agree there"],
  [() => b.broadcast(f(3, 3), [3, 3], [1, 0]), "broadcast of [3, 3] to [3, 3] at axes [1,0]"],
  [() => b.transpose(f(2, 3), [0, 0]), "transpose of [2, 3] by [0,0], which is not a permutation of its axes"],
  [() => b.transpose(f(2, 3), [0]), "transpose of [2, 3] by [0]"],
  [() => b.slice(f(5), [3], [3]), "slice of [5] from [3] by [3] reaches outside"],
  [() => b.slice(f(5), [-1], [3]), "slice of [5] from [-1] by [3] reaches outside"],
  [() => b.slice(f(5), [3], [-1]), "slice of [5] from [3] by [-1] reaches outside"],
  [() => b.slice(f(5), [0], [2, 1]), "slice of [5]"],
  [() => b.pad(f(5), [-1], [0]), "pad of [5] by [-1] below and [0] above: one size ≥ 0 for each axis"],
  [() => b.pad(f(5), [1, 1], [0, 0]), "pad of [5]"],
  [
    () => b.concat([f(2, 3), f(2, 4)], 0),
    "concat along axis 0 of f32[2, 3], f32[2, 4]: one dtype, and equal sizes on the other axes",
  ],
  [() => b.concat([f(2), d(2)], 0), "concat along axis 0 of f32[2], f64[2]"],
  [() => b.concat([f(2), f(2)], 1), "concat along axis 1"],
  [() => b.gather(f(3), f(2)), "gather needs i32 or u32 indices, not f32"],
  [() => b.gather(f(), i(2)), "gather needs a tensor of rank 1 or more"],
  [() => b.gather(f(0, 2), i(2)), "gather from [0, 2], which has no rows, at indices [2]"],
  [
    () => b.scatterAdd(f(3, 2), i(2), 4),
    "scatterAdd of updates [3, 2] at indices [2]: the updates' leading axes must be the indices'",
  ],
  [() => b.scatterAdd(u(2), i(2), 4), "scatterAdd takes f32, f64, i32 or u32, not u8"],
  [() => b.scatterAdd(f(2), i(2), 0), "scatterAdd at indices [2] into 0 rows"],
  [() => b.matmul(f(2, 3), f(2, 3)), "matmul of f32[2, 3] by f32[2, 3]: inner sizes 3 and 2 differ"],
  [() => b.matmul(f(2, 3), f(2, 3), true, true), "matmul of f32[2, 3]ᵀ by f32[2, 3]ᵀ: inner sizes 2 and 3 differ"],
  [() => b.matmul(f(2, 3), d(3, 2)), "matmul of f32[2, 3] by f64[3, 2]: both must be f32, or both f64"],
  [() => b.matmul(i(2, 2), i(2, 2)), "both must be f32, or both f64"],
  [() => b.matmul(f(3), f(3, 2)), "both need two axes or more, with equal leading axes"],
  [() => b.matmul(f(2, 3, 3), f(3, 3, 3)), "with equal leading axes"],
  [() => b.shuffle(i(4)), "shuffle needs one vector of u32 words, not i32[4]"],
];

describe("an op that does not take its operands says why", () => {
  test.each(refusals.map(([build, text]) => [text, build] as const))("%s", (text, build) => {
    expect(() => build(b)).toThrow(ShapeError);
    expect(() => build(b)).toThrow(text);
  });
});

test("what is empty in all the right places is taken", () => {
  expect(b.gather(f(0, 2), i(0)).shape).toEqual([0, 2]);
  expect(b.scatterAdd(f(0, 2), i(0), 0).shape).toEqual([0, 2]);
  expect(b.matmul(f(2, 0), f(0, 3)).shape).toEqual([2, 3]);
  expect(b.iota("u32", [], 0).shape).toEqual([]);
});
