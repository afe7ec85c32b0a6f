import { allocate, type DType } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { pairDotsNode, pairOps, pairSumsNode } from "../../src/ops/pairs.ts";
import { extendOps } from "../../src/ops/table.ts";
import type { OpCase, Operand, OpRow } from "./ops.ts";
import { Random } from "./random.ts";

// These ops are not in the core: whoever appends one registers them.
extendOps(pairOps);

const random = new Random(29);
const BOTH: readonly DType[] = ["f32", "f64"];
const INDEX: readonly DType[] = ["i32", "u32"];
const epsilon = (dtype: DType): number => (dtype === "f32" ? 2 ** -23 : 2 ** -52);

const tensor = (dtype: DType, shape: Shape): Operand => {
  const values = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = random.between(-1, 1);
  return { dtype, shape, values };
};

/** Indices of which a few lie outside the table. */
const indices = (dtype: DType, n: number, rows: number): Operand => {
  const values = allocate(dtype, n);
  const from = dtype === "u32" ? 0 : -2;
  for (let i = 0; i < n; i++) values[i] = Math.floor(random.between(from, rows + 2));
  return { dtype, shape: [n], values };
};

/** Pairs, rows of either table, width: none, less than a vector, with and without a rest, more than a chunk, more than a thread's worth. */
const SIZES = [[0, 2, 3, 4], [3, 1, 1, 1], [7, 2, 3, 2], [9, 4, 5, 3], [40, 6, 3, 8], [300, 7, 11, 13], [6000, 30, 20, 19]] as const; // biome-ignore format: a list

const cases = (make: (dtype: DType, index: DType, sizes: (typeof SIZES)[number]) => OpCase): OpCase[] =>
  BOTH.flatMap((dtype) => INDEX.flatMap((index) => SIZES.map((sizes) => make(dtype, index, sizes))));

const pairDots: OpRow = {
  cases: cases((dtype, index, [n, rowsA, rowsB, k]) => ({
    name: `${dtype}[${rowsA},${k}] by [${rowsB},${k}] at ${n} pairs of ${index}`,
    args: [tensor(dtype, [rowsA, k]), indices(index, n, rowsA), tensor(dtype, [rowsB, k]), indices(index, n, rowsB)],
    build: (b, x, i, y, j) => pairDotsNode(b, x, i!, y!, j!),
    tolerance: 4 * k * epsilon(dtype),
  })),
};

const pairSums: OpRow = {
  cases: cases((dtype, index, [n, rows, rowsB, k]) => ({
    name: `${n} pairs of ${index} from ${dtype}[${rowsB},${k}] into ${rows} rows`,
    args: [tensor(dtype, [n]), indices(index, n, rows), tensor(dtype, [rowsB, k]), indices(index, n, rowsB)],
    build: (b, g, i, y, j) => pairSumsNode(b, g, i!, y!, j!, rows),
    tolerance: 4 * (n / rows + 4) * epsilon(dtype),
  })),
};

/** Rows of the conformance suite for products of chosen rows. */
export const pairOpRows: Readonly<Record<string, OpRow>> = { pairDots, pairSums };
