import { describe, expect, test } from "vitest";
import { evaluateGraph } from "../../src/backends/reference/backend.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { createTrace } from "../../src/ops/trace.ts";
import * as f from "../../src/tensor/functions.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

const b = createTrace();
const values = new Map<string, TypedArray>();

/** A tensor of these numbers, row-major. */
function tensor(shape: readonly number[], numbers: readonly number[], dtype: "f64" | "i32" | "bool" = "f64"): Tensor {
  const name = `x${values.size}`;
  values.set(
    name,
    dtype === "f64"
      ? Float64Array.from(numbers)
      : dtype === "i32"
        ? Int32Array.from(numbers)
        : Uint8Array.from(numbers),
  );
  return new Tensor(b, b.input(name, dtype, shape));
}
const read = (x: Tensor): number[] => [...evaluateGraph({ outputs: new Map([["y", x.node]]) }, values).get("y")!];

const matrix = tensor([2, 3], [1, 2, 3, 4, 5, 6]);

describe("operands broadcast as NumPy's do", () => {
  test("rows, columns, scalars and numbers", () => {
    expect(read(matrix.add(tensor([3], [10, 20, 30])))).toEqual([11, 22, 33, 14, 25, 36]);
    expect(read(matrix.add(tensor([2, 1], [10, 20])))).toEqual([11, 12, 13, 24, 25, 26]);
    expect(read(matrix.mul(tensor([], [2])))).toEqual([2, 4, 6, 8, 10, 12]);
    expect(read(f.sub<Tensor>(10, matrix))).toEqual([9, 8, 7, 6, 5, 4]);
    expect(read(tensor([2, 1], [1, 2]).mul(tensor([1, 3], [1, 2, 3])))).toEqual([1, 2, 3, 2, 4, 6]);
    expect(read(tensor([1], [5]).broadcastTo([2, 2]))).toEqual([5, 5, 5, 5]);
  });
  test("conditions and choices too", () => {
    const condition = tensor([2, 1], [1, 0], "bool");
    expect(read(f.where(condition, matrix, 0))).toEqual([1, 2, 3, 0, 0, 0]);
    expect(read(f.where(matrix.gt(3), matrix, tensor([3], [-1, -2, -3])))).toEqual([-1, -2, -3, 4, 5, 6]);
  });
  test("or say why they cannot", () => {
    expect(() => matrix.add(tensor([2], [1, 2]))).toThrow(
      "add of shapes [2, 3] and [2], which do not broadcast: sizes must agree from the last axis on, or be 1",
    );
    expect(() => matrix.broadcastTo([3, 3])).toThrow("[2, 3] does not broadcast to [3, 3]");
    expect(() => f.where(tensor([4], [0, 0, 0, 0], "bool"), matrix, 0)).toThrow("where");
    expect(() => f.add(1, 2)).toThrow("numbers alone");
    expect(() => matrix.add(tensor([3], [1, 2, 3], "i32"))).toThrow(
      'add mixes f64 and i32: cast one of them, as by .cast("f64")',
    );
  });
});

describe("reductions", () => {
  test("go over all axes, one, or several, counted from either end", () => {
    expect(read(matrix.sum())).toEqual([21]);
    expect(read(matrix.sum(0))).toEqual([5, 7, 9]);
    expect(read(matrix.sum(-1))).toEqual([6, 15]);
    expect(read(matrix.sum([1, 0]))).toEqual([21]);
    expect(read(matrix.mean(1))).toEqual([2, 5]);
    expect(read(matrix.max(0))).toEqual([4, 5, 6]);
    expect(read(matrix.argmax(-1))).toEqual([2, 2]);
    expect(() => matrix.sum(2)).toThrow("axis 2 is outside a tensor of rank 2");
  });
  test("logsumexp does not overflow", () => {
    expect(read(tensor([2], [1000, 1000]).logsumexp())[0]).toBeCloseTo(1000 + Math.LN2, 10);
    expect(read(tensor([2], [-Infinity, -Infinity]).logsumexp())).toEqual([-Infinity]);
  });
  test("softmax sums to 1 along the last axis", () => {
    const y = read(f.softmax(tensor([2, 2], [0, Math.log(3), 1000, 1000])));
    for (const [i, want] of [0.25, 0.75, 0.5, 0.5].entries()) expect(y[i]).toBeCloseTo(want, 12);
  });
});

describe("movement", () => {
  test("transpose exchanges the last two axes, or follows a permutation", () => {
    expect(read(matrix.transpose())).toEqual([1, 4, 2, 5, 3, 6]);
    expect(tensor([2, 3, 4], new Array(24).fill(0)).transpose().shape).toEqual([2, 4, 3]);
    expect(tensor([2, 3, 4], new Array(24).fill(0)).transpose([2, 0, 1]).shape).toEqual([4, 2, 3]);
  });
  test("narrow, slice, pad, concat, stack", () => {
    expect(read(matrix.narrow(-1, 1, 2))).toEqual([2, 3, 5, 6]);
    expect(read(matrix.slice([1, 0], [1, 2]))).toEqual([4, 5]);
    expect(read(f.pad(tensor([2], [1, 2]), [1], [2]))).toEqual([0, 1, 2, 0, 0]);
    expect(read(f.concat([matrix, matrix], -1))).toEqual([1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
    expect(f.stack([matrix, matrix, matrix]).shape).toEqual([3, 2, 3]);
    expect(read(f.stack([0, tensor([2], [1, 2])], 1))).toEqual([0, 1, 0, 2]);
    expect(() => f.stack([])).toThrow("stack of numbers alone");
    expect(() => f.concat([])).toThrow("concat of no tensors");
  });
  test("gather takes rows, scatterAdd puts them back", () => {
    const index = tensor([3], [1, 0, 1], "i32");
    expect(read(matrix.gather(index))).toEqual([4, 5, 6, 1, 2, 3, 4, 5, 6]);
    expect(read(f.scatterAdd(matrix.gather(index), index, 2))).toEqual([1, 2, 3, 8, 10, 12]);
    expect(read(f.scatterAdd(tensor([2], [5, 6]), tensor([2], [2, 0]), 3))).toEqual([6, 0, 5]);
  });
});

describe("at", () => {
  const cube = tensor([2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const [i, j] = [tensor([4], [1, 0, 1, 1], "i32"), tensor([4], [2, 1, 0, 2])];

  test("takes an element, a row, or rows", () => {
    expect(read(matrix.at(1, 2))).toEqual([6]);
    expect(read(matrix.at(1))).toEqual([4, 5, 6]);
    expect(read(matrix.at(0, j))).toEqual([3, 2, 1, 3]);
    expect(read(matrix.at(tensor([], [1]), tensor([], [2])))).toEqual([6]);
  });
  test("takes negative numbers from the end", () => {
    expect(read(matrix.at(-1))).toEqual([4, 5, 6]);
    expect(read(matrix.at(-2, -1))).toEqual([3]);
    expect(read(matrix.at(i, -1))).toEqual([6, 3, 6, 6]);
    expect(() => matrix.at(-3)).toThrow("reaches outside");
  });
  test("of several index tensors goes by pairs, as NumPy's does", () => {
    expect(read(matrix.at(i, j))).toEqual([6, 2, 4, 6]);
    expect(cube.at(i, j).shape).toEqual([4, 2]);
    expect(read(cube.at(i, j))).toEqual([11, 12, 3, 4, 7, 8, 11, 12]);
    expect(read(cube.at(i, j, i))).toEqual([12, 3, 8, 12]);
    expect(read(matrix.at(i, tensor([], [1])))).toEqual([5, 2, 5, 5]);
    expect(read(matrix.at(tensor([2, 1], [0, 1]), tensor([3], [2, 1, 0])))).toEqual([3, 2, 1, 6, 5, 4]);
  });
  test("by rows and a number takes a column of them", () => {
    expect(read(matrix.at(i, 0))).toEqual([4, 1, 4, 4]);
    expect(read(cube.at(i, 0, 1))).toEqual([8, 2, 8, 8]);
  });
  test("keeps a pair's index within its own row, and refuses shapes that do not go together", () => {
    expect(read(matrix.at(tensor([2], [0, 1]), tensor([2], [9, 0])))).toEqual([3, 4]);
    expect(() => matrix.at(i, tensor([3], [0, 1, 2]))).toThrow("at of shapes [3] and [4], which do not broadcast");
  });
});

describe("reshape", () => {
  test("works out one size that is given as −1", () => {
    expect(matrix.reshape([-1]).shape).toEqual([6]);
    expect(matrix.reshape([3, -1]).shape).toEqual([3, 2]);
    expect(tensor([0, 2], []).reshape([-1, 2]).shape).toEqual([0, 2]);
  });
  test("refuses what leaves no whole size, and two that are left open", () => {
    expect(() => matrix.reshape([4, -1])).toThrow("reshape of [2, 3] to [4, -1]: 6 elements do not fill it");
    expect(() => matrix.reshape([-1, -1])).toThrow("reshape of [2, 3] to [-1, -1]");
    expect(() => matrix.reshape([4, 2])).toThrow("reshape of [2, 3] to [4, 2]: 6 elements do not fill it");
  });
});

describe("matmul", () => {
  test("is the matrix product, over leading axes that broadcast", () => {
    expect(read(matrix.matmul(matrix.transpose()))).toEqual([14, 32, 32, 77]);
    const batch = tensor([2, 2, 3], [1, 2, 3, 4, 5, 6, 1, 0, 0, 0, 1, 0]);
    expect(read(batch.matmul(matrix.transpose()))).toEqual([14, 32, 32, 77, 1, 4, 2, 5]);
    expect(() => batch.matmul(tensor([3, 3, 1], new Array(9).fill(1)))).toThrow("leading axes do not broadcast");
  });
});

test("methods and functions are the same nodes", () => {
  expect(matrix.exp().node).toBe(f.exp(matrix).node);
  expect(matrix.square().node).toBe(f.mul(matrix, matrix).node);
  expect(matrix.div(2).node).toBe(f.div(matrix, 2).node);
});
