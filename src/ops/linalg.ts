import { allocate, isFloat, type TypedArray } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { sameShape, showShape, sizeOf } from "../base/shape.ts";
import type { Attrs, Node } from "../ir/node.ts";
import type { Op, Trace } from "./vocabulary.ts";

// Matrices are the last two axes; what stands before them counts as many matrices. These ops are not in the core: what appends one
// calls extendOps(linalg) first.

/** The product of the leading axes, and the last two sizes. */
export function matrixSizes({ shape }: Node): { batch: number; rows: number; columns: number } {
  return { batch: sizeOf(shape.slice(0, -2)), rows: shape.at(-2)!, columns: shape.at(-1)! };
}

export const choleskyNode = (b: Trace, a: Node): Node => b.builder.append("cholesky", [a]);
const gradientNode = (b: Trace, l: Node, g: Node): Node => b.builder.append("choleskyGradient", [l, g]);
export const solveNode = (b: Trace, t: Node, y: Node, lower: boolean, transpose: boolean): Node =>
  b.builder.append("triangularSolve", [t, y], { lower, transpose });

/** Exchanges the last two axes. */
export function turned(b: Trace, x: Node): Node {
  const r = x.shape.length;
  return b.transpose(x, x.shape.map((_, d) => (d < r - 2 ? d : 2 * r - 3 - d))); // biome-ignore format: short
}

/** Row and column numbers of each element of a matrix. */
const rowAndColumn = (b: Trace, { shape }: Node): [Node, Node] => [
  b.iota("i32", shape, shape.length - 2),
  b.iota("i32", shape, shape.length - 1),
];

/** The lower triangle with the diagonal, or the upper; zeros elsewhere, whatever stood there. */
export function triangle(b: Trace, x: Node, lower: boolean): Node {
  const [i, j] = rowAndColumn(b, x);
  return b.select(lower ? b.ge(i, j) : b.le(i, j), x, 0);
}

/** Φ of Murray 2016: the lower triangle with half the diagonal. */
function halfTriangle(b: Trace, x: Node): Node {
  const [i, j] = rowAndColumn(b, x);
  return b.select(b.ge(i, j), b.mul(x, b.select(b.eq(i, j), b.fill(x, 0.5), 1)), 0);
}

const plusTurned = (b: Trace, x: Node): Node => b.add(x, turned(b, x));

function checkSquare(name: string, a: Node): void {
  if (!isFloat(a.dtype)) throw new ShapeError(`${name} takes f32 or f64, not ${a.dtype}: cast it first`);
  if (a.shape.length < 2 || a.shape.at(-1) !== a.shape.at(-2)) {
    throw new ShapeError(`${name} of ${showShape(a.shape)}: the last two axes must be those of a square matrix`);
  }
}

/** Gives an operand that is not batched a new leading axis. */
const grow = (b: Trace, x: Node, size: number): Node => b.broadcast(x, [size, ...x.shape], x.shape.map((_, d) => d + 1)); // biome-ignore format: short

/** Calls `visit` with the number of the first element of each matrix. */
function eachMatrix(node: Node, visit: (at: number, n: number) => void): void {
  const { batch, rows, columns } = matrixSizes(node);
  for (let p = 0; p < batch; p++) visit(p * rows * columns, rows);
}

const cholesky: Op = {
  infer: ([a]) => {
    checkSquare("cholesky", a!);
    return { shape: a!.shape, dtype: a!.dtype };
  },
  vjp: (b, g, node) => [gradientNode(b, node, g)],
  batch: (b, [a]) => choleskyNode(b, a!),
  evaluate: ([a], node) => {
    const out = allocate(node.dtype, sizeOf(node.shape));
    eachMatrix(node, (at, n) => {
      const l = new Float64Array(n * n);
      let positive = true;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = a![at + i * n + j]!;
          for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
          if (i === j) positive &&= sum > 0;
          l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j]!;
        }
      }
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) out[at + i * n + j] = positive ? l[i * n + j]! : NaN;
    });
    return out;
  },
};

/**
 * From L and the cotangent of L to that of the matrix's lower triangle: Ā = Φ(S + Sᵀ) with S = L⁻ᵀ Φ(Lᵀ L̄) L⁻¹ (Murray 2016,
 * "Differentiation of the Cholesky decomposition", eqs. 9 and 10).
 */
const choleskyGradient: Op = {
  infer: ([l, g]) => {
    checkSquare("choleskyGradient", l!);
    if (!sameShape(l!.shape, g!.shape) || l!.dtype !== g!.dtype) {
      throw new ShapeError(`choleskyGradient of ${showShape(l!.shape)} by ${showShape(g!.shape)}: one shape and dtype`);
    }
    return { shape: l!.shape, dtype: l!.dtype };
  },
  // The adjoint of L̄ ↦ Ā is the derivative of the factor, L Φ(L⁻¹ dA L⁻ᵀ), here with dA = H = Φ(G) + Φ(G)ᵀ. By L itself:
  // the lower triangle of L̄ Φ(L⁻¹ H L⁻ᵀ)ᵀ − (S + Sᵀ) H L⁻ᵀ, where S + Sᵀ = Ā + Āᵀ.
  vjp: (b, g, node) => {
    const [l, cotangent] = node.inputs as [Node, Node];
    const symmetric = plusTurned(b, halfTriangle(b, g));
    const half = solveNode(b, l, symmetric, true, false);
    const inner = halfTriangle(b, solveNode(b, l, turned(b, half), true, false));
    const byFactor = b.sub(
      b.matmul(triangle(b, cotangent, true), inner, false, true),
      b.matmul(plusTurned(b, node), half, false, true),
    );
    return [triangle(b, byFactor, true), b.matmul(triangle(b, l, true), inner)];
  },
  batch: (b, [l, g], batched, _node, size) =>
    gradientNode(b, batched[0] ? l! : grow(b, l!, size), batched[1] ? g! : grow(b, g!, size)),
  evaluate: ([l, g], node) => {
    const out = allocate(node.dtype, sizeOf(node.shape));
    eachMatrix(node, (at, n) => {
      // Backwards through the factorisation, element by element: what the factor's elements were made of gets its share.
      const bar = new Float64Array(n * n);
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) bar[i * n + j] = g![at + i * n + j]!;
      for (let i = n - 1; i >= 0; i--) {
        for (let j = i; j >= 0; j--) {
          const own = bar[i * n + j]!;
          const pivot = l![at + j * n + j]!;
          const share = i === j ? own / (2 * pivot) : own / pivot;
          if (i !== j) bar[j * n + j]! -= share * l![at + i * n + j]!;
          bar[i * n + j] = share;
          for (let k = 0; k < j; k++) {
            bar[i * n + k]! -= share * l![at + j * n + k]!;
            bar[j * n + k]! -= share * l![at + i * n + k]!;
          }
        }
      }
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) out[at + i * n + j] = bar[i * n + j]!;
    });
    return out;
  },
};

const flags = (attrs: Attrs) => attrs as { lower: boolean; transpose: boolean };

/** X with T X = Y, or Tᵀ X = Y where `transpose`; T is the lower or upper triangle of the first operand, which alone is read. */
const triangularSolve: Op = {
  infer: ([t, y]) => {
    checkSquare("triangularSolve", t!);
    const fits =
      y!.shape.length === t!.shape.length && sameShape(y!.shape.slice(0, -1), t!.shape.slice(0, -1)) && y!.dtype === t!.dtype; // biome-ignore format: short
    if (!fits) {
      throw new ShapeError(
        `triangularSolve of ${t!.dtype}${showShape(t!.shape)} and ${y!.dtype}${showShape(y!.shape)}: ` +
          "the right side needs the matrix's dtype, its leading axes and its number of rows",
      );
    }
    return { shape: y!.shape, dtype: y!.dtype };
  },
  // Ȳ solves the transposed system with X̄; T̄ is the triangle of −Ȳ Xᵀ, or of −X Ȳᵀ where transposed (Giles 2008).
  vjp: (b, g, node) => {
    const t = node.inputs[0]!;
    const { lower, transpose } = flags(node.attrs);
    const bar = solveNode(b, t, g, lower, !transpose);
    const outer = transpose ? b.matmul(node, bar, false, true) : b.matmul(bar, node, false, true);
    return [b.neg(triangle(b, outer, lower)), bar];
  },
  batch: (b, [t, y], batched, node, size) => {
    const { lower, transpose } = flags(node.attrs);
    if (!batched[0] && t!.shape.length === 2) {
      // One matrix for all: the new axis joins the columns.
      const [n, k] = node.shape as [number, number];
      const columns = b.reshape(b.transpose(y!, [1, 0, 2]), [n, size * k]);
      const solved = b.reshape(solveNode(b, t!, columns, lower, transpose), [n, size, k]);
      return b.transpose(solved, [1, 0, 2]);
    }
    return solveNode(b, batched[0] ? t! : grow(b, t!, size), batched[1] ? y! : grow(b, y!, size), lower, transpose);
  },
  evaluate: ([t, y], node) => {
    const { lower, transpose } = flags(node.attrs);
    const { rows: n, columns: k } = matrixSizes(node);
    const out = allocate(node.dtype, sizeOf(node.shape));
    eachMatrix(node.inputs[0]!, (at) => {
      const from = (at / n) * k;
      for (let c = 0; c < k; c++) {
        const x = new Float64Array(n);
        for (let turn = 0; turn < n; turn++) {
          const forward = lower !== transpose;
          const i = forward ? turn : n - 1 - turn;
          let sum = y![from + i * k + c]!;
          for (let j = forward ? 0 : i + 1; j < (forward ? i : n); j++) {
            sum -= t![at + (transpose ? j * n + i : i * n + j)]! * x[j]!;
          }
          x[i] = sum / t![at + i * n + i]!;
          out[from + i * k + c] = x[i]!;
        }
      }
    });
    return out as TypedArray;
  },
};

/** Rows of the op table for linear algebra. */
export const linalg: Readonly<Record<string, Op>> = { cholesky, choleskyGradient, triangularSolve };
