import { ShapeError } from "../base/errors.ts";
import { broadcastShapes, normalizeAxis, type Shape, showShape, sizeOf } from "../base/shape.ts";
import { cumsumNode, cumulative } from "../ops/cumulative.ts";
import { choleskyNode, linalg, solveNode, triangle } from "../ops/linalg.ts";
import { extendOps } from "../ops/table.ts";
import { add, broadcastTo, concat, customVjp, eq, full, iota, log, matmul, mul, narrow, reshape, sum, transpose, where } from "./functions.ts"; // biome-ignore format: one import
import type { Tensor } from "./tensor.ts";

// Matrices are the last two axes; leading axes count as many of them. Everything here can be differentiated again and again.

export { stack } from "./functions.ts";

/** Joint leading axes of two operands of `inner` own axes each. */
function jointLead(name: string, a: Tensor, b: Tensor, innerA: number, innerB: number): Shape {
  const lead = broadcastShapes(a.shape.slice(0, a.shape.length - innerA), b.shape.slice(0, b.shape.length - innerB));
  if (a.shape.length < innerA || b.shape.length < innerB || !lead) {
    throw new ShapeError(
      `${name} of ${showShape(a.shape)} and ${showShape(b.shape)}: needs operands of at least ${innerA} and ${innerB} axes ` +
        "whose leading axes broadcast",
    );
  }
  return lead;
}

function squareSize(name: string, a: Tensor): number {
  const n = a.shape.at(-1);
  if (n === undefined || a.shape.at(-2) !== n) {
    throw new ShapeError(`${name} of ${showShape(a.shape)}: the last two axes must be those of a square matrix`);
  }
  return n;
}

/**
 * The lower triangular L with L Lᵀ = A, for symmetric positive definite A of shape [..., n, n]. Reads the lower triangle alone, and
 * its gradient is by that triangle: an element below the diagonal stands for itself and for its mirror image.
 *
 * @returns L, zeros above its diagonal; where a matrix is not positive definite, NaN in all of the lower triangle
 * @throws  ShapeError when the last two axes differ
 */
export function cholesky(a: Tensor): Tensor {
  extendOps(linalg);
  return a.of(choleskyNode(a.trace, a.node));
}

export interface SolveOptions {
  /** Which triangle of the matrix is meant; the other is not read. Default true. */
  readonly lower?: boolean;
  /** Solves with the transposed triangle. Default false. */
  readonly transpose?: boolean;
}

/**
 * X with T X = Y, where T is a triangle of `t`, [..., n, n], and Y of shape [..., n, k]; leading axes broadcast. A zero on the diagonal
 * gives infinities or NaN.
 *
 * @throws ShapeError when the shapes do not fit
 */
export function triangularSolve(
  t: Tensor,
  y: Tensor,
  { lower = true, transpose: transposed = false }: SolveOptions = {},
): Tensor {
  extendOps(linalg);
  const lead = jointLead("triangularSolve", t, y, 2, 2);
  const solve = (matrix: Tensor, right: Tensor) => t.of(solveNode(t.trace, matrix.node, right.node, lower, transposed));
  if (t.shape.length === 2 && lead.length > 0) {
    // One matrix for all: every right side is some columns of one.
    const [n, k] = y.shape.slice(-2) as [number, number];
    const size = sizeOf(lead);
    const columns = reshape(transpose(reshape(y, [size, n, k]), [1, 0, 2]), [n, size * k]);
    return reshape(transpose(reshape(solve(t, columns), [n, size, k]), [1, 0, 2]), [...lead, n, k]);
  }
  return solve(broadcastTo(t, [...lead, ...t.shape.slice(-2)]), broadcastTo(y, [...lead, ...y.shape.slice(-2)]));
}

/** x with T x = v for vectors v [..., n]: `triangularSolve` of one column. */
export function triangularSolveVector(t: Tensor, v: Tensor, options: SolveOptions = {}): Tensor {
  const solved = triangularSolve(t, reshape(v, [...v.shape, 1]), options);
  return reshape(solved, solved.shape.slice(0, -1));
}

/** A⁻¹ Y from the Cholesky factor L of A: L [..., n, n], Y [..., n, k]. */
export const choleskySolve = (l: Tensor, y: Tensor): Tensor =>
  triangularSolve(l, triangularSolve(l, y), { transpose: true });

/** A⁻¹ [..., n, n] from the Cholesky factor of A. */
export const inverseFromCholesky = (l: Tensor): Tensor =>
  choleskySolve(l, identity(l, squareSize("inverseFromCholesky", l)));

/** log |A| [...] from the Cholesky factor of A: 2 Σ log L_ii. */
export const logDetCholesky = (l: Tensor): Tensor => mul(sum(log(diagonal(l)), -1), 2);

/** Row and column numbers (u32) of a matrix of n rows and m columns. */
const numbers = (like: Tensor, n: number, m: number): [Tensor, Tensor] => [
  iota(like, [n, m], 0),
  iota(like, [n, m], 1),
];

/** The unit matrix [n, n] of `like`'s dtype. */
export const identity = (like: Tensor, n: number): Tensor => diagonalMatrix(full(like, [n], 1));

/** The elements a_ii of matrices [..., n, n]: shape [..., n]. */
export function diagonal(a: Tensor): Tensor {
  const n = squareSize("diagonal", a);
  const lead = a.shape.slice(0, -2);
  // Element i stands at i (n + 1): all but the last are a column of the same numbers read in rows of n + 1.
  const flat = reshape(a, [...lead, n * n]);
  const rows = n > 1 ? reshape(narrow(flat, -1, 0, n * n - 1), [...lead, n - 1, n + 1]) : null;
  const first = rows ? [reshape(narrow(rows, -1, 0, 1), [...lead, n - 1])] : [];
  const value = concat([...first, narrow(flat, -1, n * n - 1, 1)], -1);
  // The gradient of this path would be built of padded pieces; the matrix itself is one elementwise expression.
  return customVjp(value, [a], (g) => [diagonalMatrix(g)]);
}

/** Matrices [..., n, n] with the elements of v [..., n] on the diagonal and zeros elsewhere. */
export function diagonalMatrix(v: Tensor): Tensor {
  const n = v.shape.at(-1);
  if (n === undefined) throw new ShapeError("diagonalMatrix of a scalar: needs [..., n]");
  const [i, j] = numbers(v, n, n);
  return where(eq(i, j), reshape(v, [...v.shape, 1]), 0);
}

/** The lower triangle with the diagonal, zeros above, whatever stood there. */
export const tril = (a: Tensor): Tensor => a.of(triangle(a.trace, a.node, true));

/** (A + Aᵀ) / 2. */
export const symmetrize = (a: Tensor): Tensor => mul(add(a, transpose(a)), 0.5);

/** Σ a_i b_i over the last axis; leading axes broadcast. */
export const dot = (a: Tensor, b: Tensor): Tensor => sum(mul(a, b), -1);

/** a_i b_j: [..., n] and [..., m] give [..., n, m]. */
export const outer = (a: Tensor, b: Tensor): Tensor =>
  mul(reshape(a, [...a.shape, 1]), reshape(b, [...b.shape.slice(0, -1), 1, b.shape.at(-1)!]));

/** Elements of a matrix from which on a product with a vector is faster in a kernel of its own, by measurement. */
const MATVEC_ELEMENTS = 128;

/** A v: [..., m, n] by [..., n] gives [..., m]; leading axes broadcast. */
export function matvec(a: Tensor, v: Tensor): Tensor {
  const lead = jointLead("matvec", a, v, 2, 1);
  const [m, n] = a.shape.slice(-2) as [number, number];
  if (n !== v.shape.at(-1)) {
    throw new ShapeError(
      `matvec of ${showShape(a.shape)} and ${showShape(v.shape)}: ${n} columns for ${v.shape.at(-1)} elements`,
    );
  }
  // Small ones become part of the loops around them.
  if (m * n < MATVEC_ELEMENTS) return sum(mul(a, reshape(v, [...v.shape.slice(0, -1), 1, n])), -1);
  return reshape(matmul(a, reshape(v, [...v.shape, 1])), [...lead, m]);
}

export interface CumsumOptions {
  /** Sums from the end. Default false. */
  readonly reverse?: boolean;
  /** Leaves the element itself out, so that the first is 0. Default false. */
  readonly exclusive?: boolean;
}

/** Running sums along an axis: f32, f64, i32 or u32. */
export function cumsum(x: Tensor, axis = -1, { reverse = false, exclusive = false }: CumsumOptions = {}): Tensor {
  extendOps(cumulative);
  return x.of(cumsumNode(x.trace, x.node, { axis: normalizeAxis(axis, x.shape.length), reverse, exclusive }));
}
