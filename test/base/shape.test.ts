import { describe, expect, test } from "vitest";
import { broadcastShapes, normalizeAxis, sameShape, showShape, sizeOf, stridesOf } from "../../src/base/shape.ts";

test("sizes and strides are row-major", () => {
  expect(sizeOf([])).toBe(1);
  expect(sizeOf([2, 0, 3])).toBe(0);
  expect(stridesOf([2, 3, 4])).toEqual([12, 4, 1]);
  expect(stridesOf([])).toEqual([]);
  expect(showShape([2, 3])).toBe("[2, 3]");
  expect(sameShape([2, 3], [2, 3])).toBe(true);
  expect(sameShape([2, 3], [2, 3, 1])).toBe(false);
});

// The examples of NumPy's page on broadcasting.
describe("shapes broadcast as NumPy's do", () => {
  test.each([
    [[256, 256, 3], [3], [256, 256, 3]],
    [
      [8, 1, 6, 1],
      [7, 1, 5],
      [8, 7, 6, 5],
    ],
    [[5, 4], [1], [5, 4]],
    [
      [15, 3, 5],
      [15, 1, 5],
      [15, 3, 5],
    ],
    [[3], [4], null],
    [[2, 1], [8, 4, 3], null],
    [
      [0, 3],
      [1, 3],
      [0, 3],
    ],
    [[], [2], [2]],
  ])("%j with %j", (a, b, want) => {
    expect(broadcastShapes(a, b)).toEqual(want);
    expect(broadcastShapes(b, a)).toEqual(want);
  });
});

test("axes count from the end when negative, and must exist", () => {
  expect(normalizeAxis(-1, 3)).toBe(2);
  expect(normalizeAxis(0, 3)).toBe(0);
  for (const [axis, rank] of [
    [3, 3],
    [-4, 3],
    [0.5, 2],
    [0, 0],
  ] as const) {
    expect(() => normalizeAxis(axis, rank)).toThrow(`axis ${axis} is outside a tensor of rank ${rank}`);
  }
});
