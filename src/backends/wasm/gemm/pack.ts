import { type Expr, type FuncRef, i32, i64, select, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { i32s, type Lanes, type Locals, plus, range } from "./lanes.ts";

/**
 * Copies a panel of `width` columns and k rows so that its rows lie one after the other, without gaps, at `target`.
 * Parameters (all i32): source, stride (bytes from one row to the next), k, cols, target. Where fewer than `width` columns
 * exist (`cols`), the last one stands again in the others: nothing outside the operand is read, and no denormal or NaN of an
 * earlier use of the scratch slows the kernel down.
 */
export function packRowsFunction(m: ModuleBuilder, t: Lanes, width: number): FuncRef {
  const name = `gemm.${t.dtype}.packRows${width}`;
  return m.once(name, () =>
    m.function(name, i32s(5), [], (f, ...params) => {
      const [source, stride, k, cols, target] = params as Locals<5>;
      const end = f.let(i32.add(target, i32.mul(k, i32.const(width * t.bytes))));
      const rows = (copyRow: () => void) =>
        f.while(
          () => i32.lt_u(target, end),
          () => {
            copyRow();
            f.set(source, i32.add(source, stride));
            f.set(target, plus(target, width * t.bytes));
          },
        );
      f.if(
        i32.ge_s(cols, i32.const(width)),
        () => rows(() => copyBytes(f, target, source, width * t.bytes)),
        () => {
          const offsets = range(width).map((i) => f.let(i32.mul(i32.const(t.bytes), clamp(i, cols))));
          rows(() => {
            offsets.forEach((offset, i) => {
              f.do(t.scalar.store(target, t.scalar.load(i32.add(source, offset)), i * t.bytes));
            });
          });
        },
      );
    }),
  );
}

/**
 * The same panel from a source that is stored transposed: column i is contiguous and lies at source + i·stride.
 * `target` holds, for each p < k, the p-th element of every column side by side. Same parameters.
 */
export function packColumnsFunction(m: ModuleBuilder, t: Lanes, width: number): FuncRef {
  const name = `gemm.${t.dtype}.packColumns${width}`;
  return m.once(name, () =>
    m.function(name, i32s(5), [], (f, ...params) => {
      const [source, stride, k, cols, target] = params as Locals<5>;
      const columns = range(width).map((i) => f.let(i32.add(source, i32.mul(stride, clamp(i, cols)))));
      const groups = range(Math.floor(width / t.count)).map((g) => columns.slice(g * t.count, (g + 1) * t.count));
      const single = columns.slice(groups.length * t.count);

      f.while(
        () => i32.ge_s(k, i32.const(t.count)),
        () => {
          groups.forEach((group, g) => {
            const square = group.map((column) => f.let(v128.load(column)));
            transpose(f, t, square).forEach((vector, p) => {
              f.do(v128.store(target, vector, (p * width + g * t.count) * t.bytes));
            });
          });
          single.forEach((column, i) => {
            for (let p = 0; p < t.count; p++) {
              const offset = (p * width + groups.length * t.count + i) * t.bytes;
              f.do(t.scalar.store(target, t.scalar.load(column, p * t.bytes), offset));
            }
          });
          for (const column of columns) f.set(column, plus(column, 16));
          f.set(target, plus(target, 16 * width));
          f.set(k, plus(k, -t.count));
        },
      );
      f.while(
        () => k,
        () => {
          columns.forEach((column, i) => {
            f.do(t.scalar.store(target, t.scalar.load(column), i * t.bytes));
            f.set(column, plus(column, t.bytes));
          });
          f.set(target, plus(target, width * t.bytes));
          f.set(k, plus(k, -1));
        },
      );
    }),
  );
}

/** min(i, cols − 1) */
const clamp = (i: number, cols: Local): Expr => select(i32.gt_s(cols, i32.const(i)), i32.const(i), plus(cols, -1));

/** Copies a constant number of bytes, a multiple of 4. */
function copyBytes(f: FuncBuilder, target: Expr, source: Expr, bytes: number): void {
  let at = 0;
  for (; at + 16 <= bytes; at += 16) f.do(v128.store(target, v128.load(source, at), at));
  for (; at + 8 <= bytes; at += 8) f.do(i64.store(target, i64.load(source, at), at));
  for (; at + 4 <= bytes; at += 4) f.do(i32.store(target, i32.load(source, at), at));
}

/** The transpose of a square of 4×4 or 2×2 elements given as its rows. */
function transpose(f: FuncBuilder, t: Lanes, rows: readonly Local[]): readonly Expr[] {
  const [r0, r1, r2, r3] = rows as Locals<4>;
  if (t.count === 2) return [t.interleaveLow(r0, r1), t.interleaveHigh(r0, r1)];
  // Interleaving rows 0 with 2 and 1 with 3, then the results with each other, moves element (i, j) to (j, i).
  const evenLow = f.let(t.interleaveLow(r0, r2));
  const evenHigh = f.let(t.interleaveHigh(r0, r2));
  const oddLow = f.let(t.interleaveLow(r1, r3));
  const oddHigh = f.let(t.interleaveHigh(r1, r3));
  return [
    t.interleaveLow(evenLow, oddLow),
    t.interleaveHigh(evenLow, oddLow),
    t.interleaveLow(evenHigh, oddHigh),
    t.interleaveHigh(evenHigh, oddHigh),
  ];
}
