import { type Expr, type FuncRef, i32, memory, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { lanesOf } from "../gemm/lanes.ts";
import { advance, type Elements, elementsOf } from "../linalg/elements.ts";

// What is done with one tile of rows. Each is a function that is called tile after tile, so that it is soon replaced by optimised code.

/** Vectors that are written out; more go in a loop. */
const WRITTEN_OUT = 16;

/** Parameters y [count, k, p], b [k, p], out [count, k], count: out = Σ_p (y − b)². */
export function squaresFunction(
  m: ModuleBuilder,
  dtype: "f32" | "f64",
  relaxed: boolean,
  k: number,
  p: number,
): FuncRef {
  const t: Elements = { ...elementsOf(dtype), madd: lanesOf(dtype, relaxed).madd };
  return m.once(`row squares.${dtype}.${relaxed}.${k}.${p}`, () =>
    m.function("row squares", ["i32", "i32", "i32", "i32"], [], (f, ...params) => {
      const [y, shift, out, count] = params as [Local, Local, Local, Local];
      const b = f.local("i32");
      const j = f.local("i32");
      f.while(
        () => count,
        () => {
          f.set(b, shift);
          f.for(j, i32.const(0), i32.const(k), 1, () => {
            f.do(t.scalar.store(out, squaredResidual(f, t, y, b, p)));
            advance(f, out, i32.const(t.bytes));
            advance(f, y, i32.const(p * t.bytes));
            advance(f, b, i32.const(p * t.bytes));
          });
          f.set(count, i32.sub(count, i32.const(1)));
        },
      );
    }),
  );
}

/** Σ (y − b)² over p elements, in two running sums. */
function squaredResidual(f: FuncBuilder, t: Elements, y: Local, b: Local, p: number): Expr {
  const vectors = Math.floor(p / t.count);
  const sums = [f.let(t.zero), f.let(t.zero)] as const;
  const residual = f.local("v128");
  const step = (a: Expr, s: Expr, offset: number, turn: number) => {
    f.set(residual, t.sub(v128.load(a, offset), v128.load(s, offset)));
    const sum = sums[turn % 2]!;
    f.set(sum, t.madd(residual, residual, sum));
  };
  if (vectors <= WRITTEN_OUT) for (let v = 0; v < vectors; v++) step(y, b, 16 * v, v);
  else {
    const at = f.local("i32");
    f.for(at, i32.const(0), i32.const(16 * vectors), 16, () => step(i32.add(y, at), i32.add(b, at), 0, 0));
  }
  let total: Expr = t.sum(t.add(sums[0], sums[1]));
  for (let rest = vectors * t.count; rest < p; rest++) {
    const r = f.let(t.scalar.sub(t.scalar.load(y, rest * t.bytes), t.scalar.load(b, rest * t.bytes)));
    total = t.scalar.add(total, t.scalar.mul(r, r));
  }
  return total;
}

/** Parameters x [count, d], out [count, 1 + d + d (d + 1) / 2], count: 1, x and the upper triangle of x xᵀ, row by row. */
export function momentsFunction(m: ModuleBuilder, dtype: "f32" | "f64", d: number): FuncRef {
  const t = elementsOf(dtype);
  return m.once(`row moments.${dtype}.${d}`, () =>
    m.function("row moments", ["i32", "i32", "i32"], [], (f, ...params) => {
      const [row, out, count] = params as [Local, Local, Local];
      const bytes = i32.const(d * t.bytes);
      const [p, q, end, value] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("v128")];
      f.while(
        () => count,
        () => {
          f.do(t.scalar.store(out, t.scalar.one));
          advance(f, out, i32.const(t.bytes));
          f.do(memory.copy(out, row, bytes));
          advance(f, out, bytes);
          f.set(p, row);
          f.set(end, i32.add(row, bytes));
          f.while(
            () => i32.lt_u(p, end),
            () => {
              f.set(value, t.loadSplat(p));
              f.set(q, p);
              f.while(
                () => i32.le_u(i32.add(q, i32.const(16)), end),
                () => {
                  f.do(v128.store(out, t.mul(value, v128.load(q))));
                  advance(f, q, i32.const(16));
                  advance(f, out, i32.const(16));
                },
              );
              f.while(
                () => i32.lt_u(q, end),
                () => {
                  f.do(t.scalar.store(out, t.scalar.mul(t.extract(value, 0), t.scalar.load(q))));
                  advance(f, q, i32.const(t.bytes));
                  advance(f, out, i32.const(t.bytes));
                },
              );
              advance(f, p, i32.const(t.bytes));
            },
          );
          f.set(row, end);
          f.set(count, i32.sub(count, i32.const(1)));
        },
      );
    }),
  );
}

/** Parameters to, from, bytes: adds one run of elements to another. */
export function addFunction(m: ModuleBuilder, dtype: "f32" | "f64"): FuncRef {
  const t = elementsOf(dtype);
  return m.once(`row add.${dtype}`, () =>
    m.function("row add", ["i32", "i32", "i32"], [], (f, ...params) => {
      const [to, from, bytes] = params as [Local, Local, Local];
      const end = f.let(i32.add(to, bytes));
      f.while(
        () => i32.le_u(i32.add(to, i32.const(16)), end),
        () => {
          f.do(v128.store(to, t.add(v128.load(to), v128.load(from))));
          advance(f, to, i32.const(16));
          advance(f, from, i32.const(16));
        },
      );
      f.while(
        () => i32.lt_u(to, end),
        () => {
          f.do(t.scalar.store(to, t.scalar.add(t.scalar.load(to), t.scalar.load(from))));
          advance(f, to, i32.const(t.bytes));
          advance(f, from, i32.const(t.bytes));
        },
      );
    }),
  );
}
