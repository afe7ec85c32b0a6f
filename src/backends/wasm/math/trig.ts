import { type Expr, type FuncRef, f64x2, i32x4, i64x2, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { twoSum } from "./double-double.ts";
import { type Kernel, promoted } from "./kernel.ts";
import { F64 } from "./lanes.ts";
import { payneHanek, payneHanekNarrow } from "./payne-hanek.ts";
import { horner } from "./polynomial.ts";

// sin r = r + r³ S(r²), cos r = 1 − r²/2 + r⁴ C(r²) on |r| ≤ π/4: `python3 scripts/fit-math.py sin cos`,
// error 2^-58.0 and 2^-64.2 (f64), 2^-28.1 and 2^-33.3 (f32 results from f64 arithmetic).
// biome-ignore format: coefficients
const SIN_F64 = [
  -0.16666666666666632, 0.008333333333322488, -0.00019841269829855618, 2.755731370602177e-06, -2.505076005632949e-08,
  1.589689680210272e-10,
];
// biome-ignore format: coefficients
const COS_F64 = [
  0.0416666666666666, -0.0013888888888874472, 2.4801587289669287e-05, -2.7557314400192467e-07, 2.0875729147238308e-09,
  -1.1359926443111954e-11,
];
const SIN_NARROW = [-0.16666654940297093, 0.008332177903126346, -0.00019517263666942087];
const COS_NARROW = [0.04166664686160433, -0.0013887367269345622, 2.4438422353596038e-5];

/** π/2 = A + B + C with 33 bits in A and in B: products with n < 2^20 are exact. */
const HALF_PI = {
  a: 1.5707963267341256,
  b: 6.077100506303966e-11,
  c: 2.0222662487959506e-21,
  bc: 6.077100506506192e-11,
};

const { abs, add, sub, mul, lt, gt, const: constant } = f64x2;
const MAGIC = constant(F64.magic);

interface Angle {
  /** The quadrant in the low two bits of each lane. */
  readonly quadrant: Local;
  /** The angle within ±π/4 of the quadrant's middle, as high + low. */
  readonly high: Local;
  readonly low: Local | undefined;
}

/** Replaces the lanes where `bad` by the slow reduction. */
function reduceAgain(f: FuncBuilder, slow: FuncRef, a: Local, bad: Expr, angle: Angle): void {
  const mask = f.let(bad);
  f.if(v128.any_true(mask), () => {
    for (const lane of [0, 1]) {
      f.if(i32x4.extract(mask, 2 * lane), () => {
        const [q, high, low] = f.letCall(slow, f64x2.extract(a, lane)) as [Local, Local, Local];
        f.set(angle.quadrant, i64x2.replace(angle.quadrant, lane, q));
        f.set(angle.high, f64x2.replace(angle.high, lane, high));
        if (angle.low) f.set(angle.low, f64x2.replace(angle.low, lane, low));
      });
    }
  });
}

/**
 * Cody & Waite in three parts below 2^20; Payne & Hanek beyond, and where a comes so near to a multiple that bits go.
 */
function reduce(m: ModuleBuilder, f: FuncBuilder, a: Local): Angle {
  const quadrant = f.let(add(mul(a, constant(2 / Math.PI)), MAGIC));
  const n = f.let(sub(quadrant, MAGIC));
  const first = f.let(sub(a, mul(n, constant(HALF_PI.a))));
  const second = twoSum(f, f64x2, first, f.let(mul(n, constant(-HALF_PI.b))));
  const third = f.let(mul(n, constant(HALF_PI.c)));
  const high = f.let(sub(second.high, third));
  const low = f.let(add(sub(sub(second.high, high), third), second.low));
  const fine = v128.or(gt(abs(high), constant(2 ** -20)), lt(a, constant(0.5)));
  const bad = v128.not(v128.and(fine, lt(a, constant(2 ** 20))));
  const angle = { quadrant, high, low };
  reduceAgain(f, payneHanek(m), a, bad, angle);
  return angle;
}

function reduceNarrow(m: ModuleBuilder, f: FuncBuilder, a: Local): Angle {
  const quadrant = f.let(add(mul(a, constant(2 / Math.PI)), MAGIC));
  const n = f.let(sub(quadrant, MAGIC));
  const high = f.let(sub(sub(a, mul(n, constant(HALF_PI.a))), mul(n, constant(HALF_PI.bc))));
  const angle = { quadrant, high, low: undefined };
  reduceAgain(f, payneHanekNarrow(m), a, v128.not(lt(a, constant(2 ** 20))), angle);
  return angle;
}

interface Variant {
  readonly reduce: (m: ModuleBuilder, f: FuncBuilder, a: Local) => Angle;
  readonly sin: readonly number[];
  readonly cos: readonly number[];
}
const FULL: Variant = { reduce, sin: SIN_F64, cos: COS_F64 };
const NARROW: Variant = { reduce: reduceNarrow, sin: SIN_NARROW, cos: COS_NARROW };

/** sin(a + quarterTurns · π/2) for a = |x|. */
function wave(m: ModuleBuilder, f: FuncBuilder, a: Local, quarterTurns: bigint, variant: Variant): Expr {
  const { quadrant, high: r, low } = variant.reduce(m, f, a);
  const z = f.let(mul(r, r));
  const half = f.let(mul(z, constant(0.5)));
  const ofSin = mul(r, mul(z, horner(F64, z, variant.sin)));
  const ofCos = mul(mul(z, z), horner(F64, z, variant.cos));
  const sin = add(r, low ? add(ofSin, mul(low, sub(constant(1), half))) : ofSin);
  const cos = sub(constant(1), sub(half, low ? sub(ofCos, mul(r, low)) : ofCos));
  const q = f.let(quarterTurns ? i64x2.add(quadrant, i64x2.const(quarterTurns)) : quadrant);
  const odd = i64x2.sub(i64x2.const(0n), v128.and(q, i64x2.const(1n)));
  const flip = i64x2.shl(v128.and(q, i64x2.const(2n)), 62);
  return v128.xor(v128.bitselect(cos, sin, odd), flip);
}

const sin =
  (variant: Variant): Kernel =>
  (m, f, x) =>
    v128.xor(wave(m, f, f.let(abs(x)), 0n, variant), v128.and(x, i64x2.const(F64.sign)));

const cos =
  (variant: Variant): Kernel =>
  (m, f, x) =>
    wave(m, f, f.let(abs(x)), 1n, variant);

export const TRIG_KERNELS = {
  sin: { f32: promoted("sin", 1, sin(NARROW)), f64: sin(FULL) },
  cos: { f32: promoted("cos", 1, cos(NARROW)), f64: cos(FULL) },
};
