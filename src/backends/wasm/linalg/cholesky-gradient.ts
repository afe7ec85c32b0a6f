import { type Expr, type FuncRef, i32, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { range } from "../gemm/lanes.ts";
import { advance, at, type Elements, emitLowerCopy, emitSubtract } from "./elements.ts";

/** Columns that are done together. */
const BLOCK = 4;
const block = range(BLOCK);

/**
 * Links the step back through the factorisation of one matrix: parameters l, g, out, n (i32); the lower triangle of g is the
 * cotangent of L, and out becomes that of the matrix's lower triangle. The blocked algorithm of Murray 2016, "Differentiation of
 * the Cholesky decomposition", figure 2, in the names used there: block row [R D] and below it [B C]; Rb … are their cotangents.
 */
export function choleskyGradientFunction(m: ModuleBuilder, t: Elements): FuncRef {
  const { load, store, add, sub, mul, div, half } = t.scalar;
  return m.once(`cholesky gradient.${t.dtype}`, () =>
    m.function("cholesky gradient", ["i32", "i32", "i32", "i32"], [], (f, l, g, out, n) => {
      const row = f.let(i32.mul(n!, i32.const(t.bytes)));
      const rowOf = (pointer: Expr, i: Expr) => i32.add(pointer, i32.mul(i, row));
      const [i, j] = [f.local("i32"), f.let(n!)];
      emitLowerCopy(f, t, g!, out!, n!);

      // The last columns, fewer than a block, one by one.
      const blocked = f.let(i32.mul(i32.div_u(n!, i32.const(BLOCK)), i32.const(BLOCK)));
      f.while(
        () => i32.gt_s(j, blocked),
        () => {
          f.set(j, i32.sub(j, i32.const(1)));
          emitColumn(f, t, rowOf, l!, out!, n!, i, j);
        },
      );

      f.while(
        () => i32.gt_s(j, i32.const(0)),
        () => {
          f.set(j, i32.sub(j, i32.const(BLOCK)));
          const column = f.let(i32.mul(j, i32.const(t.bytes)));
          const below = f.let(i32.add(j, i32.const(BLOCK)));
          const rows = block.map((r) => f.let(rowOf(l!, i32.add(j, i32.const(r)))));
          const rowsBar = block.map((r) => f.let(rowOf(out!, i32.add(j, i32.const(r)))));
          const lower = (pointers: Local[]) =>
            pointers.map((p, r) => range(r + 1).map((c) => f.let(load(i32.add(p, column), c * t.bytes))));
          const d = lower(rows);
          const bar = lower(rowsBar);
          const inverse = block.map((r) => f.let(div(t.scalar.one, d[r]![r]!)));

          // Cb ← Cb D⁻¹, and Db ← Db − tril(Cbᵀ C).
          f.for(i, below, n!, 1, () => {
            const source = f.let(i32.add(rowOf(l!, i), column));
            const target = f.let(i32.add(rowOf(out!, i), column));
            const x: Local[] = [];
            for (const c of block.toReversed()) {
              let value = load(target, c * t.bytes);
              for (let b = BLOCK - 1; b > c; b--) value = sub(value, mul(x[b]!, d[b]![c]!));
              x[c] = f.let(mul(value, inverse[c]!));
              f.do(store(target, x[c]!, c * t.bytes));
            }
            const own = block.map((c) => f.let(load(source, c * t.bytes)));
            for (const r of block) {
              for (const c of range(r + 1)) f.set(bar[r]![c]!, sub(bar[r]![c]!, mul(x[r]!, own[c]!)));
            }
          });

          // The block itself, element by element.
          for (const r of block.toReversed()) {
            for (const c of range(r + 1).reverse()) {
              const share = bar[r]![c]!;
              f.set(share, mul(share, r === c ? mul(half, inverse[c]!) : inverse[c]!));
              if (r !== c) f.set(bar[c]![c]!, sub(bar[c]![c]!, mul(share, d[r]![c]!)));
              for (const k of range(c)) {
                f.set(bar[r]![k]!, sub(bar[r]![k]!, mul(share, d[c]![k]!)));
                f.set(bar[c]![k]!, sub(bar[c]![k]!, mul(share, d[r]![k]!)));
              }
              f.do(store(i32.add(rowsBar[r]!, column), share, c * t.bytes));
            }
          }

          f.if(column, () => {
            emitBelow(f, t, rowOf, out!, n!, i, below, column, rows);
            emitLeft(f, t, l!, out!, n!, row, i, below, column, rows, rowsBar, bar, add);
          });
        },
      );
    }),
  );
}

/** Bb ← Bb − Cb R, two rows at a time, four columns in registers. */
function emitBelow(
  f: FuncBuilder,
  t: Elements,
  rowOf: (pointer: Expr, i: Expr) => Expr,
  out: Expr,
  n: Expr,
  i: Local,
  below: Expr,
  column: Expr,
  rows: readonly Local[],
): void {
  const vectors = range(BLOCK / t.count);
  const k = f.local("i32");
  const some = (count: number) => {
    const targets = range(count).map((r) => f.let(rowOf(out, i32.add(i, i32.const(r)))));
    const factors = targets.map((p) => block.map((c) => f.let(t.loadSplat(i32.add(p, column), c * t.bytes))));
    f.set(k, i32.const(0));
    f.while(
      () => i32.lt_u(k, column),
      () => {
        for (const v of vectors) {
          const values = rows.map((p) => f.let(v128.load(i32.add(p, k), 16 * v)));
          for (const [r, target] of targets.entries()) {
            let sum = t.mul(factors[r]![0]!, values[0]!);
            for (const c of block.slice(1)) sum = t.madd(factors[r]![c]!, values[c]!, sum);
            const place = i32.add(target, k);
            f.do(v128.store(place, t.sub(v128.load(place, 16 * v), sum), 16 * v));
          }
        }
        advance(f, k, i32.const(BLOCK * t.bytes));
      },
    );
  };
  f.set(i, below);
  f.while(
    () => i32.lt_s(i32.add(i, i32.const(1)), n),
    () => {
      some(2);
      f.set(i, i32.add(i, i32.const(2)));
    },
  );
  f.if(i32.lt_s(i, n), () => some(1));
}

/** Rb ← Rb − Cbᵀ B − (Db + Dbᵀ) R, four columns in registers while the rows below pass by. */
function emitLeft(
  f: FuncBuilder,
  t: Elements,
  l: Expr,
  out: Expr,
  n: Expr,
  row: Expr,
  i: Local,
  below: Expr,
  column: Expr,
  rows: readonly Local[],
  rowsBar: readonly Local[],
  bar: readonly Local[][],
  add: (a: Expr, b: Expr) => Expr,
): void {
  const vectors = range(BLOCK / t.count);
  const both = block.map((r) =>
    block.map((c) => f.let(t.splat(r === c ? add(bar[r]![r]!, bar[r]![r]!) : bar[Math.max(r, c)]![Math.min(r, c)]!))),
  );
  const k = f.let(i32.const(0));
  f.while(
    () => i32.lt_u(k, column),
    () => {
      const values = rows.map((p) => vectors.map((v) => f.let(v128.load(i32.add(p, k), 16 * v))));
      const sums = block.map((r) =>
        vectors.map((v) => {
          let sum = t.mul(both[r]![0]!, values[0]![v]!);
          for (const c of block.slice(1)) sum = t.madd(both[r]![c]!, values[c]![v]!, sum);
          return f.let(sum);
        }),
      );
      const source = f.let(i32.add(i32.add(l, i32.mul(below, row)), k));
      const factor = f.let(i32.add(i32.add(out, i32.mul(below, row)), column));
      f.for(i, below, n, 1, () => {
        const passing = vectors.map((v) => f.let(v128.load(source, 16 * v)));
        for (const r of block) {
          const all = f.let(t.loadSplat(factor, r * t.bytes));
          for (const v of vectors) f.set(sums[r]![v]!, t.madd(all, passing[v]!, sums[r]![v]!));
        }
        advance(f, source, row);
        advance(f, factor, row);
      });
      for (const [r, pointer] of rowsBar.entries()) {
        const place = i32.add(pointer, k);
        for (const v of vectors) f.do(v128.store(place, t.sub(v128.load(place, 16 * v), sums[r]![v]!), 16 * v));
      }
      advance(f, k, i32.const(BLOCK * t.bytes));
    },
  );
}

/** The same for a block of one column. */
function emitColumn(
  f: FuncBuilder,
  t: Elements,
  rowOf: (pointer: Expr, i: Expr) => Expr,
  l: Expr,
  out: Expr,
  n: Expr,
  i: Local,
  j: Local,
): void {
  const { load, store, add, sub, mul, div, half } = t.scalar;
  const [own, ownBar] = [f.let(rowOf(l, j)), f.let(rowOf(out, j))];
  const pivot = f.let(load(at(t, own, j)));
  const pivotBar = f.let(load(at(t, ownBar, j)));
  const minus = (target: Expr, source: Expr, factor: Local) =>
    emitSubtract(f, t, f.let(target), f.let(source), factor, j);
  f.for(i, i32.add(j, i32.const(1)), n, 1, () => {
    const [other, otherBar] = [f.let(rowOf(l, i)), f.let(rowOf(out, i))];
    const share = f.let(div(load(at(t, otherBar, j)), pivot));
    f.do(store(at(t, otherBar, j), share));
    f.set(pivotBar, sub(pivotBar, mul(share, load(at(t, other, j)))));
    minus(otherBar, own, share);
    minus(ownBar, other, share);
  });
  const share = f.let(div(mul(half, pivotBar), pivot));
  f.do(store(at(t, ownBar, j), share));
  minus(ownBar, own, f.let(add(share, share)));
}
