import { type Expr, i32x4, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import type { Kernel } from "./kernel.ts";
import { F32, F64, type Lanes } from "./lanes.ts";
import { evenOdd, horner } from "./polynomial.ts";

// e^r = 1 + r + r² q(r) on |r| ≤ ln(2)/2: `python3 scripts/fit-math.py exp`, error 2^-28.0 (exp, f32), 2^-28.8
// (expm1, f32), 2^-54.7 (both, f64), 2^-34.2 (f32 results from f64 arithmetic).
// biome-ignore format: coefficients
const EXP_F32 = [
  0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368710055947304, 0.001381460577249527,
];
// biome-ignore format: coefficients
const EXPM1_F32 = [
  0.5, 0.1666666567325592, 0.041666362434625626, 0.008333389647305012, 0.001394061604514718, 0.00019845755014102906,
];
// biome-ignore format: coefficients
const EXP_F64 = [
  0.5000000000000006, 0.16666666666666588, 0.04166666666657681, 0.008333333333389663, 0.0013888888931543313,
  0.00019841269718770855, 2.4801505301729978e-05, 2.7557407757546686e-06, 2.762602604804426e-07,
  2.505370301231614e-08,
];
// biome-ignore format: coefficients
const EXP_NARROW = [
  0.500000006764865, 0.16666665869795647, 0.04166629508026391, 0.00833349691218827, 0.001394464933268774,
  0.0001979040665867315,
];

/** ln 2 in two parts; the first has so few bits that its product with any exponent is exact. */
export const LN2 = {
  f32: { high: 0.693145751953125, low: Math.LN2 - 0.693145751953125 },
  f64: { high: 0.6931471803691238, low: 1.9082149292705877e-10 },
} as const;

interface Reduced {
  /** n + magic: the integer in the low bits. */
  readonly t: Local;
  readonly n: Local;
  /** x − n·ln2.high, exact. */
  readonly high: Local;
  /** n·ln2.low: r = high − low. */
  readonly low: Local;
}

/** x = n ln 2 + r with |r| ≤ ln(2)/2 (Cody & Waite's two-part reduction). */
function reduce(f: FuncBuilder, { dtype, float, magic }: Lanes, x: Local): Reduced {
  const t = f.let(float.add(float.mul(x, float.const(Math.LOG2E)), float.const(magic)));
  const n = f.let(float.sub(t, float.const(magic)));
  const high = f.let(float.sub(x, float.mul(n, float.const(LN2[dtype].high))));
  const low = f.let(float.mul(n, float.const(LN2[dtype].low)));
  return { t, n, high, low };
}

/** 2^k from the low bits of k + magic, for k in the range of normal exponents. */
const powerOfTwo = ({ int, bits, mantissaBits, one }: Lanes, t: Expr): Expr =>
  int.add(int.shl(t, mantissaBits), bits(one));

/** 2^n, n + magic = t, as two factors, so that n may leave the range of normal exponents on both sides. */
function factors(f: FuncBuilder, lanes: Lanes, { t, n }: Reduced): readonly [Expr, Expr] {
  const { float, magic } = lanes;
  if (lanes.dtype === "f32") {
    const i = f.let(i32x4.sub(t, i32x4.const(0x4b400000)));
    const half = f.let(i32x4.shr_s(i, 1));
    return [powerOfTwo(lanes, half), powerOfTwo(lanes, i32x4.sub(i, half))];
  }
  const half = f.let(float.add(float.mul(n, float.const(0.5)), float.const(magic)));
  const other = float.sub(n, float.sub(half, float.const(magic)));
  return [powerOfTwo(lanes, half), powerOfTwo(lanes, float.add(other, float.const(magic)))];
}

/** e^r − 1 = r + r² q(r), for r = high − low. */
function excess(f: FuncBuilder, lanes: Lanes, { high, low }: Reduced, q: readonly number[], tail?: Expr): Expr {
  const { float } = lanes;
  const exact = float.sub(high, low);
  const r = f.let(tail ? float.add(exact, tail) : exact);
  const sum = q.length > 6 ? evenOdd(f, lanes, r, q) : horner(lanes, r, q);
  return float.add(float.mul(float.mul(r, r), sum), r);
}

/** e^x where |x| is known to be at most 80 (f32) or 700 (f64), or NaN: one factor scales. */
export function expInRange(f: FuncBuilder, lanes: Lanes, x: Local): Expr {
  const reduced = reduce(f, lanes, x);
  const q = lanes.dtype === "f32" ? EXP_F32 : EXP_F64;
  const onePlus = lanes.float.add(excess(f, lanes, reduced, q), lanes.float.const(1));
  return lanes.float.mul(onePlus, powerOfTwo(lanes, reduced.t));
}

/** The same in f64 lanes with an error of 2^-34, for results that become f32. */
export function expNarrow(f: FuncBuilder, x: Local): Expr {
  const reduced = reduce(f, F64, x);
  const onePlus = F64.float.add(excess(f, F64, reduced, EXP_NARROW), F64.float.const(1));
  return F64.float.mul(onePlus, powerOfTwo(F64, reduced.t));
}

/** Beyond these e^x is 0 or infinite in the format. */
export const EXP_LIMITS = { f32: [-104, 89], f64: [-746, 710] } as const;

/** e^(x + tail), tail far below x, from denormals to infinity. */
export function expFull(f: FuncBuilder, lanes: Lanes, x: Expr, tail?: Expr): Expr {
  const { float, dtype } = lanes;
  const [lowest, highest] = EXP_LIMITS[dtype];
  // pmin and pmax hand on a NaN in their first operand
  const clamped = f.let(float.pmax(float.pmin(x, float.const(highest)), float.const(lowest)));
  const reduced = reduce(f, lanes, clamped);
  const onePlus = float.add(excess(f, lanes, reduced, dtype === "f32" ? EXP_F32 : EXP_F64, tail), float.const(1));
  const [first, second] = factors(f, lanes, reduced);
  return float.mul(float.mul(unlessZero(lanes, onePlus, clamped), first), second);
}

/** 0 at the lower limit before the scaling: a product that underflows altogether would cost the processor a detour. */
const unlessZero = ({ float, dtype }: Lanes, value: Expr, x: Local): Expr =>
  v128.andnot(value, float.le(x, float.const(EXP_LIMITS[dtype][0])));

/** e^x for x ≤ 0 as high + low, where low is what the last addition of high rounded away: for use in sums. */
export function expOfNegative(f: FuncBuilder, lanes: Lanes, x: Expr): { high: Local; low: Local } {
  const { add, sub, mul, pmax, const: constant } = lanes.float;
  const clamped = f.let(pmax(x, constant(EXP_LIMITS[lanes.dtype][0])));
  const reduced = reduce(f, lanes, clamped);
  const p = f.let(excess(f, lanes, reduced, lanes.dtype === "f32" ? EXP_F32 : EXP_F64));
  const onePlus = f.let(add(p, constant(1)));
  const [first, second] = factors(f, lanes, reduced).map((factor) => f.let(factor)) as [Local, Local];
  const scaled = (v: Expr): Local => f.let(mul(mul(v, first), second));
  const low = sub(p, sub(onePlus, constant(1)));
  return { high: scaled(unlessZero(lanes, onePlus, clamped)), low: scaled(unlessZero(lanes, low, clamped)) };
}

export const exp =
  (lanes: Lanes): Kernel =>
  (_m, f, x) =>
    expFull(f, lanes, x);

/**
 * e^x − 1 = 2 (2^(n−1) r + (2^(n−1) − 1/2)), where the exact part of r goes into the sum that cancels. The half keeps
 * 2^n finite for the last arguments before infinity; below 2^-30 (2^-60) the result is x.
 */
export const expm1 =
  (lanes: Lanes): Kernel =>
  (_m, f, x) => {
    const { float, dtype, int, bits, one, mantissaBits } = lanes;
    const { add, sub, mul } = float;
    const x0 = f.let(
      float.pmax(float.pmin(x, float.const(EXP_LIMITS[dtype][1])), float.const(dtype === "f32" ? -20 : -40)),
    );
    const { t, high, low } = reduce(f, lanes, x0);
    const r = f.let(sub(high, low));
    const q = dtype === "f32" ? EXPM1_F32 : EXP_F64;
    const sum = q.length > 6 ? evenOdd(f, lanes, r, q) : horner(lanes, r, q);
    const halfPower = f.let(int.add(int.shl(t, mantissaBits), bits(one - (1n << BigInt(mantissaBits)))));
    const tail = f.let(sub(mul(mul(r, r), sum), low));
    const head = add(mul(halfPower, high), sub(halfPower, float.const(0.5)));
    const value = f.let(add(head, mul(halfPower, tail)));
    const tiny = float.lt(float.abs(x), float.const(dtype === "f32" ? 2 ** -30 : 2 ** -60));
    return v128.bitselect(x, add(value, value), tiny);
  };

export const EXP_KERNELS = { exp: { f32: exp(F32), f64: exp(F64) }, expm1: { f32: expm1(F32), f64: expm1(F64) } };
