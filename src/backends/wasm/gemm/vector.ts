import { call, type Expr, type FuncRef, i32, v128 } from "../assembler/expr.ts";
import type { Local, ModuleBuilder } from "../assembler/module.ts";
import { i32s, type Lanes, type Locals, plus } from "./lanes.ts";

/** Rows of B taken together: one load of x (or of y) serves them all. */
const ROWS = 4;

/**
 * y[n] = xᵀ B with B stored [k, n]: rows of B are streamed four at a time, and y collects them.
 * Parameters (all i32): x, xStride (bytes), b, bStride (bytes), k, n, y.
 */
export function rowTimesMatrixFunction(m: ModuleBuilder, t: Lanes): FuncRef {
  const name = `gemm.${t.dtype}.${t.relaxed}.rowTimesMatrix`;
  return m.once(name, () => {
    // The first group of rows overwrites y (`fresh`), the others add to it.
    const group = (rows: number): FuncRef =>
      m.function(`${name}${rows}`, i32s(7), [], (f, ...params) => {
        const [x, xStride, b, bStride, n, y, fresh] = params as Locals<7>;
        const row: Local[] = [];
        const factor: Local[] = [];
        const scalarFactor: Local[] = [];
        for (let i = 0; i < rows; i++) {
          row.push(f.let(i === 0 ? b : i32.add(row[i - 1]!, bStride)));
          factor.push(f.let(t.loadSplat(x)));
          scalarFactor.push(f.let(t.scalar.load(x)));
          f.set(x, i32.add(x, xStride));
        }
        const advance = (count: number) => {
          for (const pointer of [...row, y]) f.set(pointer, plus(pointer, count * t.bytes));
          f.set(n, plus(n, -count));
        };
        const vectors = (loadY: (v: number) => Expr) =>
          f.while(
            () => i32.ge_s(n, i32.const(2 * t.count)),
            () => {
              for (const v of [0, 1]) {
                const sum = f.let(loadY(v));
                for (let i = 0; i < rows; i++) f.set(sum, t.madd(factor[i]!, v128.load(row[i]!, 16 * v), sum));
                f.do(v128.store(y, sum, 16 * v));
              }
              advance(2 * t.count);
            },
          );
        const scalars = (loadY: () => Expr) =>
          f.while(
            () => n,
            () => {
              let sum = loadY();
              for (let i = 0; i < rows; i++)
                sum = t.scalar.add(sum, t.scalar.mul(scalarFactor[i]!, t.scalar.load(row[i]!)));
              f.do(t.scalar.store(y, sum));
              advance(1);
            },
          );
        f.if(
          fresh,
          () => {
            vectors(() => t.zero);
            scalars(() => t.scalar.zero);
          },
          () => {
            vectors((v) => v128.load(y, 16 * v));
            scalars(() => t.scalar.load(y));
          },
        );
      });
    const [four, one] = [group(ROWS), group(1)];
    return m.function(name, i32s(7), [], (f, ...params) => {
      const [x, xStride, b, bStride, k, n, y] = params as Locals<7>;
      const fresh = f.let(i32.const(1));
      const run = (ref: FuncRef, rows: number) =>
        f.while(
          () => i32.ge_s(k, i32.const(rows)),
          () => {
            f.do(call(ref, x, xStride, b, bStride, n, y, fresh));
            f.set(fresh, i32.const(0));
            f.set(x, i32.add(x, i32.mul(xStride, i32.const(rows))));
            f.set(b, i32.add(b, i32.mul(bStride, i32.const(rows))));
            f.set(k, plus(k, -rows));
          },
        );
      run(four, ROWS);
      run(one, 1);
    });
  });
}

/**
 * y[n] = B x with B stored [n, k] and x contiguous: dot products of four rows of B at a time with x.
 * Parameters (all i32): x, b, bStride (bytes), k, n, y.
 */
export function matrixTimesColumnFunction(m: ModuleBuilder, t: Lanes): FuncRef {
  const name = `gemm.${t.dtype}.${t.relaxed}.matrixTimesColumn`;
  return m.once(name, () => {
    const group = (rows: number): FuncRef =>
      m.function(`${name}${rows}`, i32s(5), [], (f, ...params) => {
        const [x, b, bStride, k, y] = params as Locals<5>;
        const row: Local[] = [];
        for (let i = 0; i < rows; i++) row.push(f.let(i === 0 ? b : i32.add(row[i - 1]!, bStride)));
        // Two sums per row: one alone would wait for its own latency.
        const even = row.map(() => f.local("v128"));
        const odd = row.map(() => f.local("v128"));
        const advance = (count: number) => {
          for (const pointer of [...row, x]) f.set(pointer, plus(pointer, count * t.bytes));
          f.set(k, plus(k, -count));
        };
        f.while(
          () => i32.ge_s(k, i32.const(2 * t.count)),
          () => {
            const low = f.let(v128.load(x));
            const high = f.let(v128.load(x, 16));
            row.forEach((pointer, i) => {
              f.set(even[i]!, t.madd(low, v128.load(pointer), even[i]!));
              f.set(odd[i]!, t.madd(high, v128.load(pointer, 16), odd[i]!));
            });
            advance(2 * t.count);
          },
        );
        const sums = row.map((_, i) => f.let(t.sum(f.let(t.add(even[i]!, odd[i]!)))));
        f.while(
          () => k,
          () => {
            const factor = f.let(t.scalar.load(x));
            row.forEach((pointer, i) => {
              f.set(sums[i]!, t.scalar.add(sums[i]!, t.scalar.mul(factor, t.scalar.load(pointer))));
            });
            advance(1);
          },
        );
        sums.forEach((sum, i) => {
          f.do(t.scalar.store(y, sum, i * t.bytes));
        });
      });
    const [four, one] = [group(ROWS), group(1)];
    return m.function(name, i32s(6), [], (f, ...params) => {
      const [x, b, bStride, k, n, y] = params as Locals<6>;
      const run = (ref: FuncRef, rows: number) =>
        f.while(
          () => i32.ge_s(n, i32.const(rows)),
          () => {
            f.do(call(ref, x, b, bStride, k, y));
            f.set(b, i32.add(b, i32.mul(bStride, i32.const(rows))));
            f.set(y, plus(y, rows * t.bytes));
            f.set(n, plus(n, -rows));
          },
        );
      run(four, ROWS);
      run(one, 1);
    });
  });
}
