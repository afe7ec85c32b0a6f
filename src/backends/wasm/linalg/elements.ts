import { type Expr, f32, f32x4, f64, f64x2, i32, memory, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { type Lanes, lanesOf } from "../gemm/lanes.ts";

type Unary = (a: Expr) => Expr;
type Binary = (a: Expr, b: Expr) => Expr;

/** What the kernels of this folder need of an element type beyond what products do. */
export interface Elements extends Lanes {
  readonly sub: Binary;
  readonly mul: Binary;
  readonly splat: Unary;
  readonly scalar: Lanes["scalar"] & {
    readonly one: Expr;
    readonly nan: Expr;
    readonly half: Expr;
    readonly sub: Binary;
    readonly div: Binary;
    readonly sqrt: Unary;
    readonly gt: Binary;
  };
}

/** Never fused: these kernels are bound by loads and by what waits for what. */
export function elementsOf(dtype: "f32" | "f64"): Elements {
  const lanes = lanesOf(dtype, false);
  const [vector, s] = dtype === "f32" ? [f32x4, f32] : [f64x2, f64];
  const { sub, div, sqrt, gt } = s;
  const [one, half, nan] = [s.const(1), s.const(0.5), s.const(NaN)];
  return {
    ...lanes,
    sub: vector.sub,
    mul: vector.mul,
    splat: vector.splat,
    scalar: { ...lanes.scalar, one, half, nan, sub, div, sqrt, gt },
  };
}

/** `pointer + elements · size`. */
export const at = (t: Elements, pointer: Expr, elements: Expr): Expr =>
  i32.add(pointer, i32.mul(elements, i32.const(t.bytes)));

/** Adds bytes to a pointer. */
export const advance = (f: FuncBuilder, pointer: Local, bytes: Expr): void => f.set(pointer, i32.add(pointer, bytes));

/** Σ of products of two runs of `count` elements; the pointers end behind them. */
export function emitDot(f: FuncBuilder, t: Elements, x: Local, y: Local, count: Expr): Local {
  const sums = [f.let(t.zero), f.let(t.zero)] as const;
  const end = f.let(at(t, x, count));
  const step = (vectors: number) => {
    f.while(
      () => i32.le_u(i32.add(x, i32.const(16 * vectors)), end),
      () => {
        for (let i = 0; i < vectors; i++) {
          const sum = sums[i % 2]!;
          f.set(sum, t.madd(v128.load(x, 16 * i), v128.load(y, 16 * i), sum));
        }
        advance(f, x, i32.const(16 * vectors));
        advance(f, y, i32.const(16 * vectors));
      },
    );
  };
  step(4);
  step(1);
  const total = f.let(t.sum(t.add(...sums)));
  const { add, mul, load } = t.scalar;
  f.while(
    () => i32.lt_u(x, end),
    () => {
      f.set(total, add(total, mul(load(x), load(y))));
      advance(f, x, i32.const(t.bytes));
      advance(f, y, i32.const(t.bytes));
    },
  );
  return total;
}

/** target −= factor · x over `count` elements; the pointers end behind them. */
export function emitSubtract(f: FuncBuilder, t: Elements, target: Local, x: Local, factor: Local, count: Expr): void {
  const end = f.let(at(t, x, count));
  const all = f.let(t.splat(factor));
  const both = (bytes: number) => {
    advance(f, x, i32.const(bytes));
    advance(f, target, i32.const(bytes));
  };
  const step = (vectors: number) => {
    f.while(
      () => i32.le_u(i32.add(x, i32.const(16 * vectors)), end),
      () => {
        for (let i = 0; i < vectors; i++) {
          f.do(v128.store(target, t.sub(v128.load(target, 16 * i), t.mul(all, v128.load(x, 16 * i))), 16 * i));
        }
        both(16 * vectors);
      },
    );
  };
  step(2);
  step(1);
  const { sub, mul, load, store } = t.scalar;
  f.while(
    () => i32.lt_u(x, end),
    () => {
      f.do(store(target, sub(load(target), mul(factor, load(x)))));
      both(t.bytes);
    },
  );
}

/** Copies the lower triangle of a matrix of n rows and puts zeros above it. */
export function emitLowerCopy(f: FuncBuilder, t: Elements, from: Expr, to: Expr, n: Expr): void {
  const row = f.let(i32.mul(n, i32.const(t.bytes)));
  const [source, target] = [f.let(from), f.let(to)];
  const length = f.let(i32.const(t.bytes));
  f.while(
    () => i32.le_u(length, row),
    () => {
      f.do(memory.copy(target, source, length));
      f.do(memory.fill(i32.add(target, length), i32.const(0), i32.sub(row, length)));
      advance(f, source, row);
      advance(f, target, row);
      advance(f, length, i32.const(t.bytes));
    },
  );
}
