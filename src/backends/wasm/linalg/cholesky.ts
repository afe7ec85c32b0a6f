import { call, type Expr, type FuncRef, i32, memory, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { advance, at, type Elements, emitDot, emitLowerCopy } from "./elements.ts";

/** Columns that are done together. */
const BLOCK = 4;
const block = [0, 1, 2, 3];

/** Up to this size a matrix lives in locals, and all is written out. */
export const WRITTEN_OUT = 4;

/** One matrix of a size that is known here, at addresses that change. Assigns 0 to `positive` where it is not positive definite. */
export function emitSmallCholesky(f: FuncBuilder, t: Elements, a: Expr, out: Expr, n: number): void {
  const { load, store, sub, mul, div, sqrt, gt, zero, nan } = t.scalar;
  const offset = (i: number, j: number) => (i * n + j) * t.bytes;
  const l: Local[][] = [];
  const positive = f.let(i32.const(1));
  for (let i = 0; i < n; i++) {
    l.push([]);
    for (let j = 0; j <= i; j++) {
      let sum = load(a, offset(i, j));
      for (let k = 0; k < j; k++) sum = sub(sum, mul(l[i]![k]!, l[j]![k]!));
      if (i !== j) l[i]!.push(f.let(div(sum, l[j]![j]!)));
      else {
        const pivot = f.let(sum);
        f.set(positive, i32.and(positive, gt(pivot, zero)));
        l[i]!.push(f.let(sqrt(pivot)));
      }
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) f.do(store(out, j <= i ? l[i]![j]! : zero, offset(i, j)));
  }
  f.if(i32.eqz(positive), () => {
    for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) f.do(store(out, nan, offset(i, j)));
  });
}

/**
 * Links the factorisation of one matrix of n rows: parameters a, out, n (i32). By columns, four at a time; what stands left of
 * them is in dot products of rows, which lie in memory as vectors do: the "dot" form of Golub and Van Loan (2013), section 4.2.
 */
export function choleskyFunction(m: ModuleBuilder, t: Elements): FuncRef {
  const factor = factorFunction(m, t);
  return m.once(`cholesky.${t.dtype}`, () =>
    m.function("cholesky", ["i32", "i32", "i32"], [], (f, a, out, n) => {
      const row = f.let(i32.mul(n!, i32.const(t.bytes)));
      f.do(memory.fill(out!, i32.const(0), i32.mul(n!, row)));
      const [positive] = f.letCall(factor, a!, out!, n!);
      f.if(i32.eqz(positive!), () => emitNotPositive(f, t, out!, n!));
    }),
  );
}

/** Links the same by LAPACK. Its pivot may be NaN without a complaint; then so is the last one. */
export function nativeCholeskyFunction(m: ModuleBuilder, t: Elements): FuncRef {
  const potrf = m.importFunction("blas", `potrf_${t.dtype}`, ["i32", "i32"], ["i32"]);
  return m.once(`native cholesky.${t.dtype}`, () =>
    m.function("native cholesky", ["i32", "i32", "i32"], [], (f, a, out, n) => {
      emitLowerCopy(f, t, a!, out!, n!);
      const info = f.let(call(potrf, n!, out!));
      const last = t.scalar.load(at(t, out!, i32.sub(i32.mul(n!, n!), i32.const(1))));
      f.if(i32.or(info, i32.eqz(t.scalar.gt(last, t.scalar.zero))), () => emitNotPositive(f, t, out!, n!));
    }),
  );
}

/** NaN in all of the lower triangle. */
function emitNotPositive(f: FuncBuilder, t: Elements, out: Expr, n: Expr): void {
  const [i, j] = [f.local("i32"), f.local("i32")];
  const to = f.let(out);
  f.for(i, i32.const(0), n, 1, () => {
    f.for(j, i32.const(0), n, 1, () => {
      f.if(i32.le_s(j, i), () => f.do(t.scalar.store(to, t.scalar.nan)));
      advance(f, to, i32.const(t.bytes));
    });
  });
}

/** The lower triangle of the factor, and 1; or 0 as soon as a pivot is not positive. */
function factorFunction(m: ModuleBuilder, t: Elements): FuncRef {
  const { load, store, sub, mul, div, sqrt, gt, zero, one } = t.scalar;
  return m.once(`cholesky factor.${t.dtype}`, () =>
    m.function("cholesky factor", ["i32", "i32", "i32"], ["i32"], (f, a, out, n) => {
      const row = f.let(i32.mul(n!, i32.const(t.bytes)));
      const rowOf = (pointer: Expr, i: Expr) => i32.add(pointer, i32.mul(i, row));
      const [i, j, k] = [f.local("i32"), f.local("i32"), f.local("i32")];
      /** Stops where the pivot is not positive; NaN is not. */
      const pivotOf = (square: Expr): Local => {
        const pivot = f.let(square);
        f.if(i32.eqz(gt(pivot, zero)), () => f.return(i32.const(0)));
        return f.let(sqrt(pivot));
      };
      /** Products of rows over all columns left of j: sums[r][c] of left row r and right row c. */
      const products = (left: Local[], right: Local[], wanted: (r: number, c: number) => boolean): Local[][] => {
        const sums = left.map((_, r) => right.map((_, c) => (wanted(r, c) ? f.let(t.zero) : f.local("v128"))));
        const end = f.let(i32.mul(j, i32.const(t.bytes)));
        f.set(k, i32.const(0));
        f.while(
          () => i32.lt_u(k, end),
          () => {
            const rights = right.map((p) => f.let(v128.load(i32.add(p, k))));
            const lefts = left.map((p) => (right.includes(p) ? rights[right.indexOf(p)]! : f.let(v128.load(i32.add(p, k))))); // biome-ignore format: one row
            for (const [r, x] of lefts.entries()) {
              for (const [c, y] of rights.entries()) {
                if (wanted(r, c)) f.set(sums[r]![c]!, t.madd(x, y, sums[r]![c]!));
              }
            }
            f.set(k, i32.add(k, i32.const(16)));
          },
        );
        return sums;
      };
      /** Rows below a block, given its factor and the inverses of its pivots. */
      const rowsBelow = (count: number, rows: Local[], l: Local[][], inverse: Local[]) => {
        const left = block.slice(0, count).map((r) => f.let(rowOf(out!, i32.add(i, i32.const(r)))));
        const sums = products(left, rows, () => true);
        const column = f.let(i32.mul(j, i32.const(t.bytes)));
        for (const [r, pointer] of left.entries()) {
          const source = f.let(i32.add(rowOf(a!, i32.add(i, i32.const(r))), column));
          const target = f.let(i32.add(pointer, column));
          const x: Local[] = [];
          for (const c of block) {
            let value = sub(load(source, c * t.bytes), t.sum(sums[r]![c]!));
            for (const [b, known] of x.entries()) value = sub(value, mul(known, l[c]![b]!));
            x.push(f.let(mul(value, inverse[c]!)));
            f.do(store(target, x[c]!, c * t.bytes));
          }
        }
      };

      f.set(j, i32.const(0));
      f.while(
        () => i32.le_s(i32.add(j, i32.const(BLOCK)), n!),
        () => {
          const rows = block.map((r) => f.let(rowOf(out!, i32.add(j, i32.const(r)))));
          const sums = products(rows, rows, (r, c) => c <= r);
          const column = f.let(i32.mul(j, i32.const(t.bytes)));
          const l: Local[][] = [];
          const inverse: Local[] = [];
          for (const r of block) {
            const source = f.let(i32.add(rowOf(a!, i32.add(j, i32.const(r))), column));
            const target = f.let(i32.add(rows[r]!, column));
            l.push([]);
            for (let c = 0; c <= r; c++) {
              let value = sub(load(source, c * t.bytes), t.sum(sums[r]![c]!));
              for (let b = 0; b < c; b++) value = sub(value, mul(l[r]![b]!, l[c]![b]!));
              l[r]!.push(c === r ? pivotOf(value) : f.let(mul(value, inverse[c]!)));
              f.do(store(target, l[r]![c]!, c * t.bytes));
            }
            inverse.push(f.let(div(one, l[r]![r]!)));
          }
          f.set(i, i32.add(j, i32.const(BLOCK)));
          f.while(
            () => i32.lt_s(i32.add(i, i32.const(1)), n!),
            () => {
              rowsBelow(2, rows, l, inverse);
              f.set(i, i32.add(i, i32.const(2)));
            },
          );
          f.if(i32.lt_s(i, n!), () => rowsBelow(1, rows, l, inverse));
          f.set(j, i32.add(j, i32.const(BLOCK)));
        },
      );
      // The last columns, fewer than a block.
      f.while(
        () => i32.lt_s(j, n!),
        () => {
          const rest = (r: Expr): Expr => {
            const [x, y] = [f.let(rowOf(out!, r)), f.let(rowOf(out!, j))];
            const source = f.let(at(t, rowOf(a!, r), j));
            const total = emitDot(f, t, x, y, j);
            return sub(load(source), total);
          };
          const diagonal = f.let(at(t, rowOf(out!, j), j));
          const pivot = pivotOf(rest(j));
          f.do(store(diagonal, pivot));
          f.for(i, i32.add(j, i32.const(1)), n!, 1, () => {
            const value = f.let(div(rest(i), pivot));
            f.do(store(at(t, rowOf(out!, i), j), value));
          });
          f.set(j, i32.add(j, i32.const(1)));
        },
      );
      return i32.const(1);
    }),
  );
}
