import { bytesOf } from "../../../base/dtype.ts";
import { sizeOf } from "../../../base/shape.ts";
import type { Node } from "../../../ir/node.ts";
import { axisSizes, type CumsumAttrs } from "../../../ops/cumulative.ts";
import { matrixSizes } from "../../../ops/linalg.ts";
import { call, type Expr, f32, f32x4, f64, f64x2, i32, i32x4, memory, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { addressOf, type RoutineContext, type RoutineEmitter, type WasmOptions } from "../routines.ts";
import { choleskyFunction, emitSmallCholesky, nativeCholeskyFunction, WRITTEN_OUT } from "./cholesky.ts";
import { choleskyGradientFunction } from "./cholesky-gradient.ts";
import { elementsOf } from "./elements.ts";
import { solveMatrixFunction, solveVectorFunction, type Triangle } from "./triangular-solve.ts";

/** Runs `once` for each matrix, with the addresses of the operands' and the result's. */
function eachMatrix(
  c: RoutineContext,
  f: FuncBuilder,
  table: Expr,
  node: Node,
  once: (operands: readonly Local[], out: Local) => void,
): void {
  const { batch } = matrixSizes(node);
  if (sizeOf(node.shape) === 0) return;
  const all = [...node.inputs, node];
  const pointers = all.map((x) => f.let(addressOf(c.plan, table, x)));
  const turn = f.local("i32");
  f.for(turn, i32.const(0), i32.const(batch), 1, () => {
    once(pointers.slice(0, -1), pointers.at(-1)!);
    for (const [i, x] of all.entries()) {
      const { rows, columns } = matrixSizes(x);
      f.set(pointers[i]!, i32.add(pointers[i]!, i32.const(rows * columns * bytesOf(x.dtype))));
    }
  });
}

/**
 * Sizes from which on LAPACK's factorisation and BLAS's solves are faster than the wasm kernels, measured with OpenBLAS on one thread
 * of an AVX-512 server: rules of the shape alone, so that equal programs take equal routes. The step back through the factorisation
 * has no counterpart there; made of products and solves it would do six times the arithmetic.
 */
const NATIVE_CHOLESKY_ROWS = 256;
const NATIVE_SOLVE_PRODUCTS = 128 ** 3;

const byLibrary = ({ blas }: WasmOptions, node: Node): boolean => {
  const { rows: n, columns: k } = matrixSizes(node);
  if (!blas?.factorises) return false;
  return node.op === "cholesky" ? n >= NATIVE_CHOLESKY_ROWS : k > 1 && n * n * k >= NATIVE_SOLVE_PRODUCTS;
};
const backend = (options: WasmOptions, node: Node): string => (byLibrary(options, node) ? "blas" : "wasm");

const cholesky: RoutineEmitter = (c, f, table, _part, node) => {
  const t = elementsOf(node.dtype as "f64");
  const n = matrixSizes(node).rows;
  const large =
    n <= WRITTEN_OUT ? null : byLibrary(c, node) ? nativeCholeskyFunction(c.m, t) : choleskyFunction(c.m, t);
  eachMatrix(c, f, table, node, ([a], out) => {
    if (large) f.do(call(large, a!, out, i32.const(n)));
    else emitSmallCholesky(f, t, a!, out, n);
  });
};
cholesky.backend = backend;

const choleskyGradient: RoutineEmitter = (c, f, table, _part, node) => {
  const run = choleskyGradientFunction(c.m, elementsOf(node.dtype as "f64"));
  eachMatrix(c, f, table, node, ([l, g], out) => f.do(call(run, l!, g!, out, i32.const(matrixSizes(node).rows))));
};

const triangularSolve: RoutineEmitter = (c, f, table, _part, node) => {
  const t = elementsOf(node.dtype as "f64");
  const triangle = node.attrs as unknown as Triangle;
  const { rows: n, columns: k } = matrixSizes(node);
  if (byLibrary(c, node)) {
    const trsm = c.m.importFunction("blas", `trsm_${t.dtype}`, Array(6).fill("i32"), []);
    const flags = [triangle.lower, triangle.transpose].map((flag) => i32.const(flag ? 1 : 0));
    eachMatrix(c, f, table, node, ([a, y], x) => {
      f.do(memory.copy(x, y!, i32.const(n * k * t.bytes)));
      f.do(call(trsm, ...flags, i32.const(n), i32.const(k), a!, x));
    });
    return;
  }
  const vector = k === 1 ? solveVectorFunction(c.m, t, triangle) : null;
  const matrix = vector ? null : solveMatrixFunction(c.m, t, triangle);
  eachMatrix(c, f, table, node, ([a, y], x) => {
    if (vector) f.do(call(vector, a!, y!, x, i32.const(n)));
    else f.do(call(matrix!, a!, y!, x, i32.const(n), i32.const(k)));
  });
};

triangularSolve.backend = backend;

const element = { f32, f64, i32, u32: i32 };
const vector = { f32: f32x4, f64: f64x2, i32: i32x4, u32: i32x4 };

/** Running sums: along the last axis one by one, along others in whole vectors. */
const cumsum: RoutineEmitter = (c, f, table, _part, node) => {
  if (sizeOf(node.shape) === 0) return;
  const { axis, reverse, exclusive } = node.attrs as unknown as CumsumAttrs;
  const { outer, length, stride } = axisSizes(node, axis);
  const e = element[node.dtype as keyof typeof element];
  const v = { ...v128, add: vector[node.dtype as keyof typeof vector].add };
  const bytes = bytesOf(node.dtype);
  const step = (reverse ? -1 : 1) * stride * bytes;
  const start = reverse ? (length - 1) * stride * bytes : 0;
  const source = f.let(i32.add(addressOf(c.plan, table, node.inputs[0]!), i32.const(start)));
  const target = f.let(i32.add(addressOf(c.plan, table, node), i32.const(start)));
  const [o, i, s] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.for(o, i32.const(0), i32.const(outer), 1, () => {
    const [from, to] = [f.let(source), f.let(target)];
    if (stride === 1) {
      const sum = f.let(node.dtype === "f32" ? f32.const(0) : node.dtype === "f64" ? f64.const(0) : i32.const(0));
      f.for(i, i32.const(0), i32.const(length), 1, () => {
        if (exclusive) f.do(e.store(to, sum));
        f.set(sum, e.add(sum, e.load(from)));
        if (!exclusive) f.do(e.store(to, sum));
        f.set(from, i32.add(from, i32.const(step)));
        f.set(to, i32.add(to, i32.const(step)));
      });
    } else {
      // Each row is the one before plus a row of the operand; the first is that row, or zeros.
      const row = stride * bytes;
      if (exclusive) f.do(memory.fill(to, i32.const(0), i32.const(row)));
      else f.do(memory.copy(to, from, i32.const(row)));
      f.for(i, i32.const(1), i32.const(length), 1, () => {
        const before = f.let(to);
        if (!exclusive) f.set(from, i32.add(from, i32.const(step)));
        f.set(to, i32.add(to, i32.const(step)));
        const whole = row - (row % 16);
        for (const [x, first, end, size] of [
          [v, 0, whole, 16],
          [e, whole, row, bytes],
        ] as const) {
          if (first === end) continue;
          f.for(s, i32.const(first), i32.const(end), size, () => {
            const value = x.add(x.load(i32.add(before, s)), x.load(i32.add(from, s)));
            f.do(x.store(i32.add(to, s), value));
          });
        }
        if (exclusive) f.set(from, i32.add(from, i32.const(step)));
      });
    }
    f.set(source, i32.add(source, i32.const(length * stride * bytes)));
    f.set(target, i32.add(target, i32.const(length * stride * bytes)));
  });
};

/** Routines of linear algebra and running sums, by op. */
export const emitters: Readonly<Record<string, RoutineEmitter>> = {
  cholesky,
  choleskyGradient,
  triangularSolve,
  cumsum,
};
