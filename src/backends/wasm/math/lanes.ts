import { type Expr, f32x4, f64x2, i32x4, i64x2 } from "../assembler/expr.ts";

type FloatOp =
  | "const"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "neg"
  | "abs"
  | "sqrt"
  | "nearest"
  | "pmin"
  | "pmax"
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge";
type IntOp = "add" | "sub" | "shl" | "shr_u" | "all_true";

/** One vector type with its format, so that an algorithm can be written once for 4 × f32 and 2 × f64. */
export interface Lanes {
  readonly dtype: "f32" | "f64";
  readonly float: Pick<typeof f32x4, FloatOp>;
  readonly int: Pick<typeof i32x4, IntOp>;
  /** The bit pattern in every lane. */
  bits(pattern: bigint): Expr;
  /** Sign bit alone. */
  readonly sign: bigint;
  readonly mantissaBits: number;
  /** Pattern of 1, that is the exponent bias in place. */
  readonly one: bigint;
  /** Smallest normal number. */
  readonly minNormal: number;
  /** 1.5 · 2^mantissaBits: t = x + magic holds round(x) in its low bits, and t − magic is round(x). */
  readonly magic: number;
}

export const F32: Lanes = {
  dtype: "f32",
  float: f32x4,
  int: i32x4,
  bits: (pattern) => i32x4.const(Number(BigInt.asIntN(32, pattern))),
  sign: 0x80000000n,
  mantissaBits: 23,
  one: 0x3f800000n,
  minNormal: 2 ** -126,
  magic: 1.5 * 2 ** 23,
};

export const F64: Lanes = {
  dtype: "f64",
  float: f64x2,
  int: i64x2,
  bits: i64x2.const,
  sign: 0x8000000000000000n,
  mantissaBits: 52,
  one: 0x3ff0000000000000n,
  minNormal: 2 ** -1022,
  magic: 1.5 * 2 ** 52,
};
