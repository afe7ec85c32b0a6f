import { call, type Expr, type FuncRef, i32, memory, select } from "./assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "./assembler/module.ts";
import { blockedFunction } from "./gemm/blocked.ts";
import { i32s, type Locals, lanesOf } from "./gemm/lanes.ts";
import { smallFunction } from "./gemm/small.ts";
import { matrixTimesColumnFunction, rowTimesMatrixFunction } from "./gemm/vector.ts";

export { gemmScratchBytes } from "./gemm/blocked.ts";

/** Up to this many products a plain loop is done before the packing would be. */
const SMALL = 64;
/** Up to this many rows of A and B stored transposed, dot products with its rows beat packing. */
const DOT_ROWS = 3;

/**
 * Links the general matrix product into the module and returns it: row-major C[m, n] = op(A)[m, k] op(B)[k, n], where op
 * transposes. Parameters (all i32): transA, transB, m, n, k, a, lda, b, ldb, c, ldc, scratch. Addresses in bytes, leading
 * dimensions in elements; A is stored [k, m] where transA is not 0, B [n, k] where transB is not 0. C is overwritten and must
 * not overlap A, B or the scratch, which has `gemmScratchBytes` bytes. m, n or k may be 0 (k = 0 writes zeros). Nothing outside
 * the operands is read.
 *
 * The order of summation depends on the shapes and transpositions alone, so equal calls give equal bits; across machines
 * that holds where `relaxed` is false (a relaxed multiply-add may round once or twice).
 *
 * Method: the blocking of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008), in the shape
 * of BLIS (Van Zee and van de Geijn 2015), with what small problems need: a plain loop, matrix-vector products, and operands
 * that are read where they stand when packing would cost more than it saves.
 */
export function gemmFunction(m: ModuleBuilder, dtype: "f32" | "f64", options: { relaxed: boolean }): FuncRef {
  const name = `gemm.${dtype}.${options.relaxed ? "relaxed" : "strict"}`;
  return m.once(name, () => {
    const t = lanesOf(dtype, options.relaxed);
    const blocked = blockedFunction(m, t);
    const small = smallFunction(m, t);
    const rowTimesMatrix = rowTimesMatrixFunction(m, t);
    const matrixTimesColumn = matrixTimesColumnFunction(m, t);
    return m.function(name, i32s(12), [], (f, ...params) => {
      const [transA, transB, rows, cols, k, a, lda, b, ldb, c, ldc, scratch] = params as Locals<12>;
      const bytes = (elements: Expr) => i32.mul(elements, i32.const(t.bytes));
      f.if(i32.or(i32.le_s(rows, i32.const(0)), i32.le_s(cols, i32.const(0))), () => f.return());
      f.if(i32.le_s(k, i32.const(0)), () => {
        f.while(
          () => rows,
          () => {
            f.do(memory.fill(c, i32.const(0), bytes(cols)));
            f.set(c, i32.add(c, bytes(ldc)));
            f.set(rows, i32.sub(rows, i32.const(1)));
          },
        );
        f.return();
      });
      // The first condition keeps the product of the sizes from overflowing.
      const short = i32.lt_u(i32.or(i32.or(rows, cols), k), i32.const(2 * SMALL));
      const few = i32.le_u(i32.mul(i32.mul(rows, cols), k), i32.const(SMALL));
      f.if(i32.and(short, few), () => {
        f.do(call(small, transA, transB, rows, cols, k, a, lda, b, ldb, c, ldc));
        f.return();
      });
      // One column: Cᵀ = op(B)ᵀ op(A)ᵀ is one row, and lies in memory like it where ldc is 1.
      f.if(i32.and(i32.eq(cols, i32.const(1)), i32.eq(ldc, i32.const(1))), () => {
        swap(f, a, b);
        swap(f, lda, ldb);
        swap(f, rows, cols);
        swap(f, transA, transB);
        f.set(transA, i32.eqz(transA));
        f.set(transB, i32.eqz(transB));
      });
      // One row, stored [k, 1] without gaps, is [1, k].
      f.if(i32.and(i32.eq(rows, i32.const(1)), i32.eq(lda, i32.const(1))), () => f.set(transA, i32.const(0)));
      f.if(i32.and(i32.eq(rows, i32.const(1)), i32.eqz(transB)), () => {
        const stride = select(transA, bytes(lda), i32.const(t.bytes));
        f.do(call(rowTimesMatrix, a, stride, b, bytes(ldb), k, cols, c));
        f.return();
      });
      f.if(i32.and(i32.le_s(rows, i32.const(DOT_ROWS)), i32.and(transBit(transB), i32.eqz(transA))), () => {
        f.while(
          () => rows,
          () => {
            f.do(call(matrixTimesColumn, a, b, bytes(ldb), k, cols, c));
            f.set(a, i32.add(a, bytes(lda)));
            f.set(c, i32.add(c, bytes(ldc)));
            f.set(rows, i32.sub(rows, i32.const(1)));
          },
        );
        f.return();
      });
      f.do(call(blocked, transA, transB, rows, cols, k, a, bytes(lda), b, bytes(ldb), c, bytes(ldc), scratch));
    });
  });
}

/** 1 where the flag is not 0. */
const transBit = (flag: Expr): Expr => i32.ne(flag, i32.const(0));

function swap(f: FuncBuilder, x: Local, y: Local): void {
  const kept = f.let(x);
  f.set(x, y);
  f.set(y, kept);
}
