import { allocate, type DType } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import type { Node } from "../../src/ir/node.ts";
import { cumsumNode, cumulative } from "../../src/ops/cumulative.ts";
import { choleskyNode, linalg, solveNode } from "../../src/ops/linalg.ts";
import { extendOps } from "../../src/ops/table.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import type { OpCase, Operand, OpRow } from "./ops.ts";
import { Random } from "./random.ts";

// These ops are not in the core: whoever appends one registers them.
extendOps(linalg);
extendOps(cumulative);

const random = new Random(17);
const BOTH: readonly DType[] = ["f32", "f64"];
const NUMBERS: readonly DType[] = ["f32", "f64", "i32", "u32"];
const epsilon = (dtype: DType): number => (dtype === "f32" ? 2 ** -23 : 2 ** -52);

/** Below the least block, blocks with and without a rest, several of them. The last ones are worth a call to BLAS. */
const SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 13, 16, 30, 65];
/** Right sides: none, one, parts of a vector, strips with a rest. */
const COLUMNS = [0, 1, 2, 3, 8, 13, 40];
const LEADS: readonly Shape[] = [[], [3], [2, 2]];

const tensor = (dtype: DType, shape: Shape, value: (i: number) => number = () => random.between(-1, 1)): Operand => {
  const values = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = value(i);
  return { dtype, shape, values };
};

/** Replaces the diagonal by n + 1 plus its square: positive definite whatever the elements in ±1, and a triangle with small inverse. */
export function dominant(b: Trace, x: Node): Node {
  const r = x.shape.length;
  const onDiagonal = b.eq(b.iota("i32", x.shape, r - 2), b.iota("i32", x.shape, r - 1));
  return b.select(onDiagonal, b.add(b.mul(x, x), x.shape.at(-1)! + 1), x);
}

/** As elements of an operand that is read where it lies; the upper triangle must not matter. */
const positiveDefinite = (dtype: DType, lead: Shape, n: number): Operand =>
  tensor(dtype, [...lead, n, n], (i) => {
    const [row, column] = [Math.floor(i / n) % n, i % n];
    return row === column ? n + random.between(1, 2) : column > row ? NaN : random.between(-1, 1);
  });

const sized = (make: (dtype: DType, lead: Shape, n: number) => OpCase[]): OpCase[] =>
  BOTH.flatMap((dtype) => LEADS.flatMap((lead) => SIZES.slice(0, lead.length ? 8 : undefined).flatMap((n) => make(dtype, lead, n)))); // biome-ignore format: one product

const cholesky: OpRow = {
  cases: [
    ...sized((dtype, lead, n) => [
      {
        name: `${dtype}[${lead}] of ${n}`,
        args: [positiveDefinite(dtype, lead, n)],
        build: (b, x) => choleskyNode(b, x),
        tolerance: 4 * (n + 4) * epsilon(dtype),
      },
      {
        name: `${dtype}[${lead}] of ${n}, computed`,
        args: [tensor(dtype, [...lead, n, n])],
        build: (b, x) => choleskyNode(b, dominant(b, x)),
        tolerance: 4 * (n + 4) * epsilon(dtype),
      },
    ]),
    ...BOTH.flatMap((dtype) =>
      [2, 4, 6, 9, 40].flatMap((n) =>
        [0, -1, NaN].flatMap((pivot) =>
          [0, n - 1].map((at) => ({
            name: `${dtype} of ${n} with ${pivot} at ${at}, between two that are positive definite`,
            args: [
              tensor(dtype, [3, n, n], (i) => {
                const [row, column] = [Math.floor(i / n) % n, i % n];
                if (row !== column) return 0;
                return row === at && Math.floor(i / (n * n)) === 1 ? pivot : 4;
              }),
            ],
            build: (b: Trace, x: Node) => choleskyNode(b, x),
          })),
        ),
      ),
    ),
  ],
};

const choleskyGradient: OpRow = {
  cases: sized((dtype, lead, n) => [
    {
      name: `${dtype}[${lead}] of ${n}`,
      args: [tensor(dtype, [...lead, n, n]), tensor(dtype, [...lead, n, n])],
      build: (b, x, g) => b.builder.append("choleskyGradient", [dominant(b, x), g!]),
      tolerance: 4 * (n + 4) * epsilon(dtype),
    },
    {
      name: `${dtype}[${lead}] of ${n}, read where it lies`,
      args: [positiveDefinite(dtype, lead, n), tensor(dtype, [...lead, n, n])],
      build: (b, l, g) => b.builder.append("choleskyGradient", [l, g!]),
      tolerance: 4 * (n + 4) * epsilon(dtype),
    },
  ]),
};

const triangularSolve: OpRow = {
  cases: [true, false].flatMap((lower) =>
    [true, false].flatMap((transpose) =>
      sized((dtype, lead, n) =>
        COLUMNS.filter((k) => n * k < 700 || k === 40).map((k) => ({
          name: `${dtype}[${lead}] ${lower ? "lower" : "upper"}${transpose ? ", transposed," : ""} of ${n} with ${k} columns`,
          args: [tensor(dtype, [...lead, n, n]), tensor(dtype, [...lead, n, k])],
          build: (b: Trace, x: Node, y: Node) => solveNode(b, dominant(b, x), y, lower, transpose),
          tolerance: 4 * (n + 4) * epsilon(dtype),
        })),
      ),
    ),
  ),
};

const cumsum: OpRow = {
  cases: NUMBERS.flatMap((dtype) =>
    ([[[7], 0], [[1], 0], [[0], 0], [[3, 5], 0], [[3, 5], 1], [[2, 6, 9], 1], [[2, 3, 0], 1], [[4, 1, 33], 0]] as const).flatMap(([shape, axis]) =>
      [true, false].flatMap((reverse) =>
        [true, false].map((exclusive) => ({
          name: `${dtype}[${shape}] along ${axis}${reverse ? ", from the end" : ""}${exclusive ? ", exclusive" : ""}`,
          args: [tensor(dtype, shape, () => (dtype === "i32" || dtype === "u32" ? random.bits() : random.between(-1, 1)))],
          build: (b: Trace, x: Node) => cumsumNode(b, x, { axis, reverse, exclusive }),
          tolerance: 2 * (shape[axis]! + 4) * epsilon(dtype),
        })),
      ),
    ),
  ), // biome-ignore format: one product
};

/** Rows of the conformance suite for linear algebra and running sums. */
export const linalgRows: Readonly<Record<string, OpRow>> = { cholesky, choleskyGradient, triangularSolve, cumsum };
