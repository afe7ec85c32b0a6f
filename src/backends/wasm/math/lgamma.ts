import { type Expr, f64x2, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { twoProduct } from "./double-double.ts";
import { type Kernel, promoted } from "./kernel.ts";
import { F64 } from "./lanes.ts";
import { logNarrow, logNormal } from "./log.ts";
import { evenOdd, horner, type Rational, rational } from "./polynomial.ts";

// lgamma(1 + t) = t (t − 1)(1/2 + R(t + 1/2)) on −1/2 ≤ t ≤ 3/2; lgamma x = (x − 1/2)(log x − 1) + (log 2π − 1)/2 +
// S(1/x²)/x for x ≥ 8; sin(πd) = d W(d²) for |d| ≤ 1/2: `python3 scripts/fit-math.py lgamma stirling sinpi`, errors
// 2^-54.7, 2^-57.6, 2^-52.9 (f64), 2^-29.2, 2^-33.8 (f32 results from f64 arithmetic).
// biome-ignore format: coefficients
const BASE_F64: Rational = {
  p: [
    0.2631532572329334, 1.4900265990383534, 2.882849251998793, 1.47165503754835, -2.2614414745071265,
    -3.7399344075449608, -2.206770234557521, -0.6190470713985734, -0.08130159658897662, -0.0043168728702338245,
    -6.258315676139252e-05,
  ],
  q: [
    1, 7.877404354569129, 25.677275292344017, 44.968305277525275, 46.05275113125072, 28.209793186329843,
    10.190750357456809, 2.070421720955095, 0.21587015236504556, 0.009714411077082338, 0.00012660710538094422,
  ],
};
// biome-ignore format: coefficients
const BASE_NARROW: Rational = {
  p: [
    0.2631532559884898, 0.47521537387458546, -0.1985999631703349, -0.56713119432515, -0.19440753248504689,
    -0.012733243753111884,
  ],
  q: [
    1, 4.021053144322122, 5.424973641475745, 2.877004535978356, 0.5502662210159827, 0.026448554224011864,
  ],
};
// biome-ignore format: coefficients
const STIRLING_F64 = [
  0.08333333333333333, -0.0027777777777547802, 0.0007936507750282704, -0.0005952324820731092, 0.0008409556187130183,
  -0.0018607371301343823, 0.004426722342610832,
];
const STIRLING_NARROW = [0.08333333326543982, -0.002777698973039954, 0.0007800614265556817];
// biome-ignore format: coefficients
const SIN_PI = [
  Math.PI, -5.167712780049907, 2.550164039872056, -0.5992645291510988, 0.082145883935222, -0.00737040799320092,
  0.0004661933787020423, -2.1641463685083102e-05, 5.077173523168328e-07,
];

const { abs, add, sub, mul, div, eq, lt, le, gt, ge, nearest, const: constant } = f64x2;
const { bitselect, and, any_true } = v128;
const zero = constant(0);
const one = constant(1);

interface Variant {
  readonly base: Rational;
  readonly stirling: readonly number[];
  readonly log: (f: FuncBuilder, x: Expr) => Expr;
  /** Reach of the exact product for negative arguments, 0 for none. */
  readonly productReach: number;
}

/** (log 2π − 1) / 2 */
const STIRLING_CONSTANT = 0.4189385332046727;
const STIRLING_START = 8;
const BASE_END = 2.5;

/** lgamma(1 + t) for −1/2 ≤ t ≤ 3/2. */
function onBase(f: FuncBuilder, t: Local, base: Rational): Expr {
  const u = f.let(add(t, constant(0.5)));
  return mul(mul(t, sub(t, one)), add(constant(0.5), rational(f, F64, u, base)));
}

/** lgamma of a > 0 (NaN for NaN). Below 1/2 through Γ(a) = Γ(1 + a)/a, between 5/2 and 8 through products of a − k. */
function positive(f: FuncBuilder, a: Local, { base, stirling, log }: Variant): Expr {
  const far = f.let(ge(a, constant(STIRLING_START)));
  const near = f.let(lt(a, constant(0.5)));
  // y = a − k below 5/2, product = (a − 1) … (a − k)
  const y = f.let(a);
  const product = f.let(one);
  f.if(any_true(v128.andnot(ge(a, constant(BASE_END)), far)), () => {
    for (let k = 1; k < STIRLING_START - 1; k++) {
      const above = f.let(ge(y, constant(BASE_END)));
      f.set(y, sub(y, and(above, one)));
      f.set(product, mul(product, bitselect(y, one, above)));
    }
  });
  // denormals are out of reach of the plain logarithm
  const denormal = f.let(lt(a, constant(F64.minNormal)));
  const argument = bitselect(a, product, v128.or(far, near));
  const scaled = bitselect(mul(a, constant(2 ** 54)), argument, denormal);
  const logarithm = f.let(sub(log(f, f.let(scaled)), and(denormal, constant(54 * Math.LN2))));

  const value = f.let(a);
  f.if(any_true(v128.not(far)), () => {
    const t = f.let(bitselect(a, sub(y, one), near));
    f.set(value, add(onBase(f, t, base), bitselect(v128.xor(logarithm, constant(-0)), logarithm, near)));
  });
  f.if(any_true(far), () => {
    const inverse = f.let(div(one, a));
    const z = f.let(mul(inverse, inverse));
    const series = mul(inverse, stirling.length > 4 ? evenOdd(f, F64, z, stirling) : horner(F64, z, stirling));
    const main = mul(sub(a, constant(0.5)), sub(logarithm, one));
    f.set(value, bitselect(add(main, add(series, constant(STIRLING_CONSTANT))), value, far));
  });
  return bitselect(value, a, lt(a, constant(Infinity)));
}

/** log|Γ(x)| = log(π / (a |sin πa|)) − lgamma(a) for x = −a (reflection). */
function reflected(f: FuncBuilder, a: Local, lgammaOfA: Local, { log }: Variant): Expr {
  const d = f.let(abs(sub(a, nearest(a))));
  const z = f.let(mul(d, d));
  const sine = mul(d, evenOdd(f, F64, z, SIN_PI));
  return sub(log(f, f.let(div(constant(Math.PI), mul(a, sine)))), lgammaOfA);
}

/**
 * For −reach < x < 0, lgamma(x) = lgamma(1 + y) − log|x (x+1) … y| with y = x + n in [−1/2, 1/2). Every x + k is
 * exact and the product carries its rounding errors along, so that near the zeros, where the product is about 1, the
 * error stays below an ulp of 1 although the terms of the reflection formula are large there.
 */
function byProduct(f: FuncBuilder, x: Local, inReach: Local, { base, log }: Variant): Expr {
  const y = f.let(bitselect(x, zero, inReach));
  const product = f.let(one);
  const low = f.let(zero);
  const below = f.let(lt(y, constant(-0.5)));
  f.while(
    () => any_true(below),
    () => {
      const factor = f.let(bitselect(y, one, below));
      const exact = twoProduct(f, f64x2, product, factor);
      f.set(low, add(mul(low, factor), exact.low));
      f.set(product, exact.high);
      f.set(y, add(y, and(below, one)));
      f.set(below, lt(y, constant(-0.5)));
    },
  );
  const exact = twoProduct(f, f64x2, product, y);
  const total = exact.high;
  const correction = div(add(mul(low, y), exact.low), total);
  const logarithm = add(log(f, f.let(abs(total))), correction);
  return sub(onBase(f, y, base), logarithm);
}

const lgamma =
  (variant: Variant): Kernel =>
  (_m, f, x) => {
    const a = f.let(abs(x));
    const value = f.let(positive(f, a, variant));
    const pole = f.let(and(eq(x, nearest(x)), le(x, zero)));
    // nearer to 0 it is −log|x| on both sides
    const negative = f.let(v128.andnot(lt(x, constant(-(2 ** -60))), pole));
    f.if(any_true(negative), () => {
      const result = f.let(reflected(f, a, value, variant));
      if (variant.productReach) {
        const inReach = f.let(and(negative, gt(x, constant(-variant.productReach))));
        f.if(any_true(inReach), () => f.set(result, bitselect(byProduct(f, x, inReach, variant), result, inReach)));
      }
      f.set(value, bitselect(result, value, negative));
    });
    return bitselect(constant(Infinity), value, pole);
  };

const FULL: Variant = { base: BASE_F64, stirling: STIRLING_F64, log: (f, x) => logNormal(f, F64, x), productReach: 32 };
const NARROW: Variant = { base: BASE_NARROW, stirling: STIRLING_NARROW, log: logNarrow, productReach: 0 };

export const LGAMMA_KERNELS = { lgamma: { f32: promoted("lgamma", 1, lgamma(NARROW)), f64: lgamma(FULL) } };
