import { type Expr, f32, f32x4, f64, f64x2, i32, lanes32, lanes64, v128 } from "../assembler/expr.ts";
import type { Local } from "../assembler/module.ts";

/** What the matrix kernels need to know of an element type: one 128-bit vector holds `count` elements of `bytes` bytes. */
export interface Lanes {
  readonly dtype: "f32" | "f64";
  readonly bytes: number;
  readonly count: number;
  readonly relaxed: boolean;
  readonly zero: Expr;
  readonly loadSplat: (address: Expr, offset?: number) => Expr;
  readonly add: (a: Expr, b: Expr) => Expr;
  /** a·b + c: fused where `relaxed`, else rounded twice. */
  readonly madd: (a: Expr, b: Expr, c: Expr) => Expr;
  readonly scalar: {
    readonly zero: Expr;
    readonly load: (address: Expr, offset?: number) => Expr;
    readonly store: (address: Expr, value: Expr, offset?: number) => Expr;
    readonly add: (a: Expr, b: Expr) => Expr;
    readonly mul: (a: Expr, b: Expr) => Expr;
  };
  readonly extract: (v: Expr, lane: number) => Expr;
  /** Sum of the lanes, pairwise: (0+2)+(1+3) for f32, 0+1 for f64. */
  readonly sum: (v: Expr) => Expr;
  /** One step of a transposition: the low or high halves of a and b, interleaved lane by lane. */
  readonly interleaveLow: (a: Expr, b: Expr) => Expr;
  readonly interleaveHigh: (a: Expr, b: Expr) => Expr;
}

export function lanesOf(dtype: "f32" | "f64", relaxed: boolean): Lanes {
  return dtype === "f32"
    ? {
        dtype,
        relaxed,
        bytes: 4,
        count: 4,
        zero: f32x4.const(0),
        loadSplat: v128.load32_splat,
        add: f32x4.add,
        madd: relaxed ? f32x4.relaxed_madd : (a, b, c) => f32x4.add(c, f32x4.mul(a, b)),
        scalar: { zero: f32.const(0), load: f32.load, store: f32.store, add: f32.add, mul: f32.mul },
        extract: f32x4.extract,
        sum: (v) =>
          f32.add(f32.add(f32x4.extract(v, 0), f32x4.extract(v, 2)), f32.add(f32x4.extract(v, 1), f32x4.extract(v, 3))),
        interleaveLow: (a, b) => v128.shuffle(a, b, lanes32(0, 4, 1, 5)),
        interleaveHigh: (a, b) => v128.shuffle(a, b, lanes32(2, 6, 3, 7)),
      }
    : {
        dtype,
        relaxed,
        bytes: 8,
        count: 2,
        zero: f64x2.const(0),
        loadSplat: v128.load64_splat,
        add: f64x2.add,
        madd: relaxed ? f64x2.relaxed_madd : (a, b, c) => f64x2.add(c, f64x2.mul(a, b)),
        scalar: { zero: f64.const(0), load: f64.load, store: f64.store, add: f64.add, mul: f64.mul },
        extract: f64x2.extract,
        sum: (v) => f64.add(f64x2.extract(v, 0), f64x2.extract(v, 1)),
        interleaveLow: (a, b) => v128.shuffle(a, b, lanes64(0, 2)),
        interleaveHigh: (a, b) => v128.shuffle(a, b, lanes64(1, 3)),
      };
}

/** `value` plus a constant, which costs nothing where it is 0. */
export const plus = (value: Expr, constant: number): Expr =>
  constant === 0 ? value : i32.add(value, i32.const(constant));

/** 0, 1, … count−1. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The types of a function of `count` sizes and addresses, and its parameters as they arrive. */
export const i32s = (count: number): "i32"[] => Array<"i32">(count).fill("i32");
export type Locals<N extends number, T extends Local[] = []> = T["length"] extends N ? T : Locals<N, [...T, Local]>;
