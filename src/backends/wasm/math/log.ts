import { call, type Expr, f32x4, f64x2, i32x4, i64x2, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { LN2 } from "./exp.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { F32, F64, type Lanes } from "./lanes.ts";
import { evenOdd, horner } from "./polynomial.ts";

// log(1+f) = f − f²/2 + s (f²/2 + z P(z)), s = f/(2+f), z = s², on [√½, √2]: `python3 scripts/fit-math.py log`,
// error 2^-30.2 (f32), 2^-59.5 (f64), 2^-37.6 (f32 results from f64 arithmetic).
const LOG_F32 = [0.6666677594184875, 0.3997758626937866, 0.29870694875717163];
// biome-ignore format: coefficients
const LOG_F64 = [
  0.6666666666666734, 0.3999999999941705, 0.2857142874189544, 0.22222198620766084, 0.18183561981555751,
  0.15314107668178492, 0.14795403925535977,
];
const LOG_NARROW = [0.6666666564865831, 0.4000033452947951, 0.2853734374986199, 0.23581611254135182];

const SQRT_HALF = { f32: 0x3f3504f3n, f64: 0x3fe6a09e667f3bcdn } as const;

/** x = 2^exponent · mantissa with the mantissa in [√½, √2), for positive normal x. */
export function splitExponent(f: FuncBuilder, lanes: Lanes, x: Expr): { exponent: Expr; mantissa: Expr } {
  const root = SQRT_HALF[lanes.dtype];
  if (lanes.dtype === "f32") {
    const i = f.let(i32x4.sub(x, lanes.bits(root)));
    return {
      exponent: f32x4.convert_i32x4_s(i32x4.shr_s(i, 23)),
      mantissa: i32x4.add(v128.and(i, i32x4.const(0x7fffff)), lanes.bits(root)),
    };
  }
  // shifted by the bias the exponent is not negative, and or-ed under 2^52 it becomes a double without a conversion
  const i = f.let(i64x2.add(x, i64x2.const(F64.one - root)));
  const biased = v128.or(i64x2.shr_u(i, 52), i64x2.const(0x4330000000000000n));
  return {
    exponent: f64x2.sub(biased, f64x2.const(2 ** 52 + 1023)),
    mantissa: i64x2.add(v128.and(i, i64x2.const(0xfffffffffffffn)), i64x2.const(root)),
  };
}

/** e ln 2 + log(1 + fraction). */
function logSum(f: FuncBuilder, lanes: Lanes, e: Expr, fraction: Expr, c: readonly number[]): Expr {
  const { add, sub, mul, div, const: constant } = lanes.float;
  const exponent = f.let(e);
  const u = f.let(fraction);
  const s = f.let(div(u, add(u, constant(2))));
  const z = f.let(mul(s, s));
  const half = f.let(mul(mul(u, u), constant(0.5)));
  const tail = mul(z, c.length > 4 ? evenOdd(f, lanes, z, c) : horner(lanes, z, c));
  const { high, low } = LN2[lanes.dtype];
  const small = add(mul(s, add(half, tail)), mul(exponent, constant(low)));
  return add(sub(u, sub(half, small)), mul(exponent, constant(high)));
}

/** log x for positive normal x; anything for the rest. */
export function logNormal(f: FuncBuilder, lanes: Lanes, x: Expr, c?: readonly number[]): Expr {
  const { exponent, mantissa } = splitExponent(f, lanes, x);
  const fraction = lanes.float.sub(mantissa, lanes.float.const(1));
  return logSum(f, lanes, exponent, fraction, c ?? (lanes.dtype === "f32" ? LOG_F32 : LOG_F64));
}

/** The same in f64 lanes with an error of 2^-37, for results that become f32. */
export const logNarrow = (f: FuncBuilder, x: Expr): Expr => logNormal(f, F64, x, LOG_NARROW);

/** Where x is zero, negative, denormal, infinite or NaN. */
function notPositiveNormal({ dtype, float }: Lanes, x: Local): Expr {
  if (dtype === "f32") {
    return i32x4.ge_u(i32x4.sub(x, i32x4.const(0x00800000)), i32x4.const(0x7f000000));
  }
  const fine = v128.and(float.ge(x, float.const(F64.minNormal)), float.lt(x, float.const(Infinity)));
  return v128.not(fine);
}

/** log of any x: denormals are scaled first, then the special values are put in place. */
export function logAny(f: FuncBuilder, lanes: Lanes, x: Local): Expr {
  const { float, minNormal, mantissaBits } = lanes;
  const { add, sub, mul, const: constant } = float;
  const denormal = f.let(float.lt(x, constant(minNormal)));
  const scaled = v128.bitselect(mul(x, constant(2 ** mantissaBits)), x, denormal);
  const { exponent, mantissa } = splitExponent(f, lanes, f.let(scaled));
  const shifted = sub(exponent, v128.and(constant(mantissaBits), denormal));
  const c = lanes.dtype === "f32" ? LOG_F32 : LOG_F64;
  const value = f.let(logSum(f, lanes, shifted, sub(mantissa, constant(1)), c));
  return logSpecial(lanes, x, float.eq(x, constant(0)), float.lt(x, constant(0)), value, add(x, x));
}

const logSpecial = ({ float }: Lanes, x: Expr, pole: Expr, undefinedAt: Expr, value: Expr, large: Expr): Expr => {
  const finite = v128.bitselect(value, large, float.lt(x, float.const(Infinity)));
  const withPole = v128.bitselect(float.const(-Infinity), finite, pole);
  return v128.bitselect(float.const(NaN), withPole, undefinedAt);
};

export const log =
  (lanes: Lanes): Kernel =>
  (m, f, x) => {
    const value = f.let(logNormal(f, lanes, x));
    const rare = defineKernel(m, `log.any.${lanes.dtype}`, 1, (_, g, v) => logAny(g, lanes, v));
    f.if(v128.any_true(notPositiveNormal(lanes, x)), () => f.set(value, call(rare, x)));
    return value;
  };

/**
 * log(1 + x) with u = fl(1 + x) = 2^k m: the part of x that u lost comes back as c = x − (u − 1), so that
 * 1 + x = 2^k (m + 2^-k c) exactly; where k = 0 the fraction is x itself.
 */
export const log1p =
  (lanes: Lanes): Kernel =>
  (_m, f, x) => {
    const { float, int, bits, one, sign } = lanes;
    const { add, sub, mul, const: constant } = float;
    const u = f.let(add(x, constant(1)));
    const fromOne = sub(x, sub(u, constant(1)));
    const fromX = sub(constant(1), sub(u, x));
    const lost = v128.bitselect(fromX, fromOne, float.gt(x, constant(1)));
    const { exponent, mantissa } = splitExponent(f, lanes, u);
    const m = f.let(mantissa);
    // bits(2^-k) = bits(m) − bits(u) + bits(1); above 2^127 (2^1023) it is not a number, but there nothing is lost
    const scale = int.add(int.sub(m, u), bits(one));
    const correction = v128.and(mul(lost, scale), float.lt(x, constant(2 ** (lanes.mantissaBits + 2))));
    const fraction = add(sub(m, constant(1)), correction);
    const magnitude = logSum(f, lanes, exponent, fraction, lanes.dtype === "f32" ? LOG_F32 : LOG_F64);
    // log1p(x) has the sign of x, which keeps −0
    const value = f.let(v128.or(magnitude, v128.and(x, bits(sign))));
    const fine = v128.and(float.gt(x, constant(-1)), float.lt(x, constant(Infinity)));
    f.if(v128.any_true(v128.not(fine)), () => {
      const pole = float.eq(x, constant(-1));
      f.set(value, logSpecial(lanes, x, pole, float.lt(x, constant(-1)), value, add(x, x)));
    });
    return value;
  };

export const LOG_KERNELS = { log: { f32: log(F32), f64: log(F64) }, log1p: { f32: log1p(F32), f64: log1p(F64) } };
