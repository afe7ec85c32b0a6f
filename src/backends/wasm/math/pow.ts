import { type Expr, f64x2, i64x2, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { logPair, twoProduct } from "./double-double.ts";
import { expFull, expNarrow } from "./exp.ts";
import { type Kernel, promoted } from "./kernel.ts";
import { F64 } from "./lanes.ts";
import { logNarrow } from "./log.ts";

const { abs, add, mul, eq, ne, lt, gt, nearest, pmin, pmax, const: constant } = f64x2;

/** y log|x| stays finite, and is beyond every result, once |y| is 2^64: |log x| is at least 2^-53 unless x = 1. */
const limited = (y: Expr): Expr => pmax(pmin(y, constant(2 ** 64)), constant(-(2 ** 64)));

/** The logarithm of a: −∞ of zero, a itself where it is infinite or NaN, else `value`. */
const logOfSpecial = (a: Local, value: Expr): Expr =>
  v128.bitselect(constant(-Infinity), v128.bitselect(value, a, lt(a, constant(Infinity))), eq(a, constant(0)));

/** e^(y log|x|) with the signs and special values of C99 (annex F.10.4.4). */
function withSpecialValues(f: FuncBuilder, x: Local, y: Local, magnitude: Expr): Expr {
  const whole = f.let(eq(nearest(y), y));
  const half = f.let(mul(y, constant(0.5)));
  const odd = v128.and(whole, ne(nearest(half), half));
  const value = v128.xor(magnitude, v128.and(v128.and(x, i64x2.const(F64.sign)), odd));
  const negative = v128.and(lt(x, constant(0)), gt(x, constant(-Infinity)));
  const real = v128.bitselect(constant(NaN), value, v128.andnot(negative, whole));
  const one = v128.or(eq(x, constant(1)), eq(y, constant(0)));
  return v128.bitselect(constant(1), real, one);
}

/** x^y: the logarithm in double-double, since an error of y log x is one of the result, and y log x reaches 745. */
const powF64: Kernel = (_m, f, x, y) => {
  const a = f.let(abs(x));
  const denormal = f.let(lt(a, constant(F64.minNormal)));
  const scaled = f.let(v128.bitselect(mul(a, constant(2 ** 54)), a, denormal));
  const log = logPair(f, scaled, v128.and(constant(-54), denormal));
  const bounded = f.let(limited(y));
  const high = f.let(logOfSpecial(a, log.high));
  const product = twoProduct(f, f64x2, bounded, high);
  const low = add(product.low, mul(bounded, log.low));
  // beyond the range of results, and at infinities, the low part is noise or NaN
  const tail = f.let(v128.and(low, lt(abs(product.high), constant(746))));
  return withSpecialValues(f, x, y, expFull(f, F64, product.high, tail));
};

/** The same for f32 operands in f64 lanes: there nothing is denormal, and 53 bits of logarithm are enough. */
const powNarrow: Kernel = (_m, f, x, y) => {
  const a = f.let(abs(x));
  const log = logOfSpecial(a, f.let(logNarrow(f, a)));
  const exponent = pmax(pmin(mul(limited(y), log), constant(200)), constant(-200));
  return withSpecialValues(f, x, y, expNarrow(f, f.let(exponent)));
};

export const POW_KERNELS = { pow: { f32: promoted("pow", 2, powNarrow), f64: powF64 } };
