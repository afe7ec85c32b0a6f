import { allocate, type DType } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { rowMomentsNode, rowOps, rowSquaresNode } from "../../src/ops/rows.ts";
import { extendOps } from "../../src/ops/table.ts";
import type { Operand, OpRow } from "./ops.ts";
import { Random } from "./random.ts";

// These ops are not in the core: whoever appends one registers them.
extendOps(rowOps);

const random = new Random(23);
const BOTH: readonly DType[] = ["f32", "f64"];
const epsilon = (dtype: DType): number => (dtype === "f32" ? 2 ** -23 : 2 ** -52);

const tensor = (dtype: DType, shape: Shape): Operand => {
  const values = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = random.between(-1, 1);
  return { dtype, shape, values };
};

/** Rows, coordinates, centres, projections: none, less than a vector, more than one tile with a rest, more than one share. */
const SQUARES = [[0, 2, 3, 2], [1, 1, 1, 1], [5, 3, 2, 3], [7, 4, 5, 4], [600, 3, 2, 2], [150, 5, 3, 40], [300, 2, 9, 3]] as const; // biome-ignore format: a list
const MOMENTS = [
  [0, 2, 3],
  [1, 1, 1],
  [5, 3, 2],
  [9, 4, 5],
  [700, 6, 3],
  [2600, 3, 9],
  [3001, 11, 2],
] as const;

const rowSquares: OpRow = {
  cases: BOTH.flatMap((dtype) =>
    SQUARES.map(([n, d, k, p]) => ({
      name: `${dtype} ${n} rows of ${d} by ${k} of ${p}`,
      args: [tensor(dtype, [n, d]), tensor(dtype, [d, k, p]), tensor(dtype, [k, p])],
      build: (b, x, w, shift) => rowSquaresNode(b, x, w!, shift!),
      tolerance: 16 * d * p * epsilon(dtype),
    })),
  ),
};

const rowMoments: OpRow = {
  cases: BOTH.flatMap((dtype) =>
    MOMENTS.map(([n, d, k]) => ({
      name: `${dtype} ${n} rows of ${d} by ${k} weights`,
      args: [tensor(dtype, [n, d]), tensor(dtype, [n, k])],
      build: (b, x, g) => rowMomentsNode(b, x, g!),
      tolerance: 4 * (n + 4) * epsilon(dtype),
    })),
  ),
};

/** Rows of the conformance suite for sums over many rows. */
export const rowOpRows: Readonly<Record<string, OpRow>> = { rowSquares, rowMoments };
