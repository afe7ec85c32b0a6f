import { type Expr, f64x2, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { logPair, type Pair, twoProduct, twoSum } from "./double-double.ts";
import { type Kernel, promoted } from "./kernel.ts";
import { F64 } from "./lanes.ts";
import { logNarrow, logNormal } from "./log.ts";
import { horner, type Rational, rational } from "./polynomial.ts";

// ψ(1 + t) = (t − t0)(7/8 + R(t)) on [0, 2]; ψ(x) = log x − 1/(2x) − z S(z), z = 1/x², for x ≥ 4;
// π cot(πd) = 1/d − 2d/(1 − d²) − d C(d²) for |d| ≤ 1/2: `python3 scripts/fit-math.py digamma cot`,
// errors 2^-56.0, 2^-61.2, 2^-52.5 (f64), 2^-32.6, 2^-42.0, 2^-29.7 (f32 results from f64 arithmetic).
// biome-ignore format: coefficients
const BASE_F64: Rational = {
  p: [
    0.3753801375034054, 0.004723369171068331, -0.4902665789187842, -0.33716897637824417, -0.08910127964953193,
    -0.010361737530692406, -0.0004858827081430933, -6.414643051999133e-06,
  ],
  q: [
    1, 2.2894571233542136, 1.9022022748824643, 0.7470495002328587, 0.14810832904594673, 0.014396602345897333,
    0.0006000004112100302, 7.3778476243478865e-06,
  ],
};
// biome-ignore format: coefficients
const BASE_NARROW: Rational = {
  p: [
    0.37538013731053504, -0.18456725667958027, -0.4176428572797066, -0.1172492075349122, -0.0066675159350359095,
  ],
  q: [
    1, 1.7851932506911972, 0.9475246387926375, 0.1700455267530177, 0.00778485794345524,
  ],
};
// biome-ignore format: coefficients
const SERIES_F64: Rational = {
  p: [
    0.08333333333333333, 1.5631450476870568, 8.60346970013832, 16.015044311034618, 8.580842318312945,
    0.6215069068611672,
  ],
  q: [
    1, 18.85774057224468, 105.07979141126701, 201.84052322677667, 119.00233855615937, 13.539620422083951,
  ],
};
// biome-ignore format: coefficients
const SERIES_NARROW: Rational = {
  p: [
    0.08333333332774866, 0.1732964876256289, 0.030920339823146813,
  ],
  q: [
    1, 2.1795577974942977, 0.5413879951323564,
  ],
};
// biome-ignore format: coefficients
const COT_F64 = [
  1.289868133696453, 0.16464646742218045, 0.03468612397828937, 0.008154712042511772, 0.0019891569018286523,
  0.0004921031394732068, 0.00012292627590452572, 2.904301153527908e-05, 1.045072658418387e-05,
];
// biome-ignore format: coefficients
const COT_NARROW = [
  1.2898681348303558, 0.16464624336126119, 0.034693196700794, 0.008077019815270989, 0.002331723058247182,
];

/** The positive root less 1, in two parts. */
const ROOT = { high: 0.46163214496836236, low: -1.5522348162858677e-17 };

const { abs, add, sub, mul, div, eq, lt, ge, nearest, const: constant } = f64x2;
const { bitselect, and, any_true } = v128;
const zero = constant(0);
const one = constant(1);

interface Variant {
  readonly base: Rational;
  readonly series: Rational;
  readonly cot: readonly number[];
  readonly log: (f: FuncBuilder, x: Expr) => Expr;
  /** Whether the terms of the reflection formula are added in double-double. */
  readonly exactReflection: boolean;
}

const FAR = 4;

/** ψ(1 + z) for 0 ≤ z < 4: at most two steps down to [0, 2], ψ(1 + t) = ψ(t) + 1/t, where both terms are positive. */
function near(f: FuncBuilder, z: Expr, base: Rational): Expr {
  const t = f.let(z);
  const sum = f.let(zero);
  for (let k = 0; k < 2; k++) {
    const above = f.let(ge(t, constant(2)));
    f.set(sum, add(sum, and(div(one, t), above)));
    f.set(t, sub(t, and(one, above)));
  }
  const fromRoot = sub(sub(t, constant(ROOT.high)), constant(ROOT.low));
  return add(mul(fromRoot, add(constant(7 / 8), rational(f, F64, t, base))), sum);
}

/** π cot(πd) with its leading term 1/d as a pair, and the rest. */
function cotangent(f: FuncBuilder, d: Local, cot: readonly number[]): { pole: Pair; rest: Expr } {
  const high = f.let(div(one, d));
  const product = twoProduct(f, f64x2, high, d);
  const low = div(sub(sub(one, product.high), product.low), d);
  const z = f.let(mul(d, d));
  const rest = add(div(add(d, d), mul(sub(one, d), add(one, d))), mul(d, horner(F64, z, cot)));
  return { pole: { high, low: f.let(low) }, rest };
}

/**
 * ψ(−z) = ψ(1 + z) + π cot(πz), from ψ(1 + z) = log z + small (far) or `value` (near), the logarithm in
 * double-double.
 */
function reflected(f: FuncBuilder, z: Local, far: Local, value: Local, small: Local, variant: Variant): Expr {
  const d = f.let(sub(z, nearest(z)));
  const { pole, rest } = cotangent(f, d, variant.cot);
  if (!variant.exactReflection) return add(value, sub(pole.high, rest));
  const log = logPair(f, bitselect(z, one, far));
  const sum = twoSum(f, f64x2, pole.high, f.let(bitselect(log.high, value, far)));
  // where 1/d is huge the low parts are out of reach, or not numbers
  const visible = and(add(sum.low, pole.low), lt(abs(pole.high), constant(2 ** 100)));
  const lower = add(visible, and(add(log.low, small), far));
  return add(sum.high, sub(lower, rest));
}

const digamma =
  (variant: Variant): Kernel =>
  (_m, f, x) => {
    const a = f.let(abs(x));
    const negative = f.let(lt(x, zero));
    const belowOne = f.let(lt(x, one));
    const far = f.let(ge(a, constant(FAR)));
    const value = f.let(x);
    const small = f.let(zero);
    f.if(any_true(v128.not(far)), () => {
      // ψ(x) = ψ(1 + (x − 1)) from 1 on; below 1, ψ(x) = ψ(1 + x) − 1/x; for negative x, ψ(1 − x) is what reflection
      // needs
      f.set(value, near(f, sub(a, bitselect(zero, one, belowOne)), variant.base));
      // 1/x with the sign of a zero: ψ(+0) = −∞, ψ(−0) = +∞
      f.set(value, sub(value, and(div(one, x), v128.andnot(belowOne, negative))));
    });
    f.if(any_true(far), () => {
      const inverse = f.let(div(one, a));
      const z = f.let(mul(inverse, inverse));
      const half = v128.xor(mul(inverse, constant(0.5)), v128.andnot(constant(-0), negative));
      f.set(small, sub(half, mul(z, rational(f, F64, z, variant.series))));
      f.set(value, bitselect(add(variant.log(f, a), small), value, far));
    });
    f.if(any_true(negative), () => {
      const integer = f.let(eq(x, nearest(x)));
      f.if(any_true(v128.andnot(negative, integer)), () => {
        f.set(value, bitselect(reflected(f, a, far, value, small, variant), value, negative));
      });
      f.set(value, bitselect(constant(NaN), value, and(negative, integer)));
    });
    return bitselect(value, x, lt(x, constant(Infinity)));
  };

const FULL: Variant = {
  base: BASE_F64,
  series: SERIES_F64,
  cot: COT_F64,
  log: (f, x) => logNormal(f, F64, x),
  exactReflection: true,
};
const NARROW: Variant = {
  base: BASE_NARROW,
  series: SERIES_NARROW,
  cot: COT_NARROW,
  log: logNarrow,
  exactReflection: false,
};

export const DIGAMMA_KERNELS = { digamma: { f32: promoted("digamma", 1, digamma(NARROW)), f64: digamma(FULL) } };
