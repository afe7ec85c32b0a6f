import { call, type Expr, type FuncRef, i32, memory, v128 } from "../assembler/expr.ts";
import type { Local, ModuleBuilder } from "../assembler/module.ts";
import { range } from "../gemm/lanes.ts";
import { advance, at, type Elements, emitDot, emitSubtract } from "./elements.ts";

export interface Triangle {
  readonly lower: boolean;
  readonly transpose: boolean;
}

/** Vectors of a row that are solved for together: as many as registers hold, for two rows. */
const WIDE = 4;

const keyOf = (t: Elements, { lower, transpose }: Triangle) => `${t.dtype}.${lower ? "lower" : "upper"}${transpose}`;

/**
 * Links the solution of op(T) x = y for one vector: parameters t, y, x, n (i32). Either way the matrix is read along its rows:
 * T by dot products, Tᵀ by taking each solved element out of what is left.
 */
export function solveVectorFunction(m: ModuleBuilder, t: Elements, triangle: Triangle): FuncRef {
  const { lower, transpose } = triangle;
  const { load, store, sub, div } = t.scalar;
  return m.once(`solve vector.${keyOf(t, triangle)}`, () =>
    m.function("solve vector", ["i32", "i32", "i32", "i32"], [], (f, matrix, y, x, n) => {
      const row = f.let(i32.mul(n!, i32.const(t.bytes)));
      if (transpose) f.do(memory.copy(x!, y!, row));
      const turn = f.local("i32");
      f.for(turn, i32.const(0), n!, 1, () => {
        const i = lower !== transpose ? turn : f.let(i32.sub(i32.sub(n!, turn), i32.const(1)));
        // Row i of the triangle, without the diagonal.
        const first = lower ? i32.const(0) : f.let(i32.add(i, i32.const(1)));
        const count = lower ? i : f.let(i32.sub(n!, first));
        const start = f.let(i32.add(matrix!, i32.mul(i, row)));
        const pivot = f.let(load(at(t, start, i)));
        const target = f.let(at(t, x!, i));
        const p = f.let(at(t, start, first));
        const q = f.let(at(t, x!, first));
        if (transpose) {
          const value = f.let(div(load(target), pivot));
          f.do(store(target, value));
          emitSubtract(f, t, q, p, value, count);
        } else {
          const source = f.let(at(t, y!, i));
          const total = emitDot(f, t, p, q, count);
          f.do(store(target, div(sub(load(source), total), pivot)));
        }
      });
    }),
  );
}

/**
 * Links the solution of op(T) X = Y for k columns: parameters t, y, x, n, k (i32). A strip of columns after the other, so that it
 * stays in the cache; in it two rows at a time, whose sums over the solved rows stay in registers.
 */
export function solveMatrixFunction(m: ModuleBuilder, t: Elements, triangle: Triangle): FuncRef {
  return m.once(`solve matrix.${keyOf(t, triangle)}`, () => {
    const strips = [WIDE, 1, 0].map((vectors) => stripFunction(m, t, triangle, vectors));
    return m.function("solve matrix", ["i32", "i32", "i32", "i32", "i32"], [], (f, matrix, y, x, n, k) => {
      const row = f.let(i32.mul(k!, i32.const(t.bytes)));
      const column = f.let(i32.const(0));
      for (const [i, vectors] of [WIDE, 1, 0].entries()) {
        const width = i32.const(vectors ? 16 * vectors : t.bytes);
        f.while(
          () => i32.le_u(i32.add(column, width), row),
          () => {
            f.do(call(strips[i]!, matrix!, i32.add(y!, column), i32.add(x!, column), n!, row));
            advance(f, column, width);
          },
        );
      }
    });
  });
}

/** One strip: `vectors` vectors wide, or one element where that is 0. Parameters t, y, x, n, bytes of a row of X and Y. */
function stripFunction(m: ModuleBuilder, t: Elements, triangle: Triangle, vectors: number): FuncRef {
  const { lower, transpose } = triangle;
  const forward = lower !== transpose;
  const s = t.scalar;
  const wide = vectors > 0;
  const parts = range(vectors || 1);
  const ops = wide
    ? { zero: t.zero, load: v128.load, store: v128.store, splat: t.splat, loadAll: t.loadSplat, sub: t.sub, mul: t.mul, madd: t.madd }
    : { zero: s.zero, load: s.load, store: s.store, splat: (x: Expr) => x, loadAll: s.load, sub: s.sub, mul: s.mul, madd: (a: Expr, b: Expr, c: Expr) => s.add(c, s.mul(a, b)) }; // biome-ignore format: a table
  return m.function(`solve strip ${vectors}`, ["i32", "i32", "i32", "i32", "i32"], [], (f, matrix, y, x, n, width) => {
    const row = f.let(i32.mul(n!, i32.const(t.bytes)));
    /** From op(T)_ij to op(T)_i,j+1, and to op(T)_i+1,j. */
    const [along, down] = transpose ? [row, i32.const(t.bytes)] : [i32.const(t.bytes), row];
    const element = (i: Expr, j: Expr) => i32.add(matrix!, i32.add(i32.mul(i, down), i32.mul(j, along)));
    const rowOf = (base: Expr, i: Expr) => i32.add(base, i32.mul(i, width!));
    const turn = f.local("i32");
    const rows = (count: number) => {
      const own = range(count).map((r) => {
        const at = i32.add(turn, i32.const(r));
        return f.let(forward ? at : i32.sub(i32.sub(n!, at), i32.const(1)));
      });
      const first = forward ? i32.const(0) : i32.add(own[0]!, i32.const(1));
      const solved = f.let(rowOf(x!, first));
      const factors = own.map((i) => f.let(element(i, first)));
      const sums = own.map(() => parts.map(() => f.let(ops.zero)));
      const left = f.let(turn);
      f.while(
        () => left,
        () => {
          const values = parts.map((v) => f.let(ops.load(solved, 16 * v)));
          for (const [r, factor] of factors.entries()) {
            const all = f.let(ops.loadAll(factor));
            for (const v of parts) f.set(sums[r]![v]!, ops.madd(all, values[v]!, sums[r]![v]!));
            advance(f, factor, along);
          }
          advance(f, solved, width!);
          f.set(left, i32.sub(left, i32.const(1)));
        },
      );
      const done: Local[][] = [];
      for (const [r, i] of own.entries()) {
        const inverse = f.let(ops.splat(s.div(s.one, s.load(element(i, i)))));
        const cross = done.map((_, b) => f.let(ops.loadAll(element(i, own[b]!))));
        const [source, target] = [f.let(rowOf(y!, i)), f.let(rowOf(x!, i))];
        done.push(
          parts.map((v) => {
            let value = ops.sub(ops.load(source, 16 * v), sums[r]![v]!);
            for (const [b, factor] of cross.entries()) value = ops.sub(value, ops.mul(factor, done[b]![v]!));
            return f.let(ops.mul(value, inverse));
          }),
        );
        for (const v of parts) f.do(ops.store(target, done[r]![v]!, 16 * v));
      }
    };
    f.set(turn, i32.const(0));
    f.while(
      () => i32.lt_s(i32.add(turn, i32.const(1)), n!),
      () => {
        rows(2);
        f.set(turn, i32.add(turn, i32.const(2)));
      },
    );
    f.if(i32.lt_s(turn, n!), () => rows(1));
  });
}
