import { type Expr, f64x2, i64x2, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { type Kernel, promoted } from "./kernel.ts";
import { F64 } from "./lanes.ts";
import { logNarrow, logNormal } from "./log.ts";
import { type Rational, rational } from "./polynomial.ts";

// erfinv x = x (1 + R(9/16 − x²)) for x ≤ 3/4; beyond, with w = √(−log(1 − x)), w (13/16 + R(w − 37/32)) and from w =
// 11/4 on w (15/16 + R(w − 11/4)), much as in Wichura's AS 241: `python3 scripts/fit-math.py erfinv`, errors 2^-57.3,
// 2^-55.8, 2^-59.7 (f64), 2^-30.4, 2^-27.9 (f32 results from f64 arithmetic).
// biome-ignore format: coefficients
const CORE_F64: Rational = {
  p: [
    0.08455979679682472, 0.03956695859500148, -1.6683448568438621, -5.055902045548265, -5.775533043762014,
    -2.8389605263633926, -0.536202256606613, -0.025478978037297133,
  ],
  q: [
    1, 7.121354241112377, 19.70783200731746, 26.78300806716227, 18.607684554381887, 6.247619308964538,
    0.8535064285470091, 0.030108495873496597,
  ],
};
// biome-ignore format: coefficients
const TAIL_F64: Rational = {
  p: [
    -0.12747757273056814, -0.140357017499085, 0.14751660651379647, 0.34308778933663897, 0.24038937099496538,
    0.07685182394543931, 0.010832428986085597, 0.0005201495025668791, -1.713691869193411e-08,
  ],
  q: [
    1, 3.2923893073793615, 4.672494695908862, 3.666394222328087, 1.6856439450650271, 0.4415326581762434,
    0.05802754228806539, 0.002768998811229055,
  ],
};
// biome-ignore format: coefficients
const FAR_F64: Rational = {
  p: [
    -0.045142452259082116, -0.012902854703458153, 0.018866673517773557, 0.012742178000754072, 0.0030924321281177772,
    0.0003394659003781145, 1.615771490404116e-05, 2.4987241976462335e-07,
  ],
  q: [
    1, 1.5110546522596024, 0.9450450860493377, 0.3116138032919201, 0.05710187883264785, 0.005607296862162167,
    0.00025882514340939007, 3.996737978742701e-06,
  ],
};
// biome-ignore format: coefficients
const CORE_NARROW: Rational = {
  p: [
    0.08455979610268656, -0.27023892621626644, -0.991167860919068, -0.5039953345459676, -0.009507896073223568,
  ],
  q: [
    1, 3.457603171319833, 3.3396342165068806, 0.8119406409598796,
  ],
};
// biome-ignore format: coefficients
const TAIL_NARROW: Rational = {
  p: [
    -0.12747757684514704, -0.014409738389642058, 0.2195272196263332, 0.13088006094659563, 0.01667237459584321,
    -3.875319666557645e-06,
  ],
  q: [
    1, 2.3043960026609005, 1.9425308726310617, 0.7173861965599804, 0.08818060457356888,
  ],
};

const { abs, add, sub, mul, neg, eq, lt, le, ge, sqrt, const: constant } = f64x2;
const CORE_END = 0.75;
const TAIL_START = 37 / 32;
const FAR_START = 11 / 4;

interface Variant {
  readonly core: Rational;
  readonly log: (f: FuncBuilder, x: Expr) => Expr;
  readonly tail: Rational;
  readonly far: Rational | undefined;
}

/** R(w), w = √(−log(1 − a)); 1 − a is exact there. */
function tailOf(f: FuncBuilder, a: Local, { log, tail, far }: Variant): Expr {
  const w = f.let(sqrt(neg(log(f, f.let(sub(constant(1), a))))));
  const value = f.let(add(constant(13 / 16), rational(f, F64, f.let(sub(w, constant(TAIL_START))), tail)));
  if (far) {
    const beyond = f.let(ge(w, constant(FAR_START)));
    f.if(v128.any_true(beyond), () => {
      const u = f.let(sub(w, constant(FAR_START)));
      f.set(value, v128.bitselect(add(constant(15 / 16), rational(f, F64, u, far)), value, beyond));
    });
  }
  return mul(w, value);
}

const erfinv =
  (variant: Variant): Kernel =>
  (_m, f, x) => {
    const a = f.let(abs(x));
    const u = f.let(sub(constant(9 / 16), mul(a, a)));
    const value = f.let(mul(a, add(constant(1), rational(f, F64, u, variant.core))));
    const beyondCore = f.let(v128.and(ge(a, constant(CORE_END)), lt(a, constant(1))));
    f.if(v128.any_true(beyondCore), () => f.set(value, v128.bitselect(tailOf(f, a, variant), value, beyondCore)));
    f.set(value, v128.bitselect(constant(Infinity), value, eq(a, constant(1))));
    f.set(value, v128.bitselect(value, constant(NaN), le(a, constant(1))));
    return v128.or(value, v128.and(x, i64x2.const(F64.sign)));
  };

const FULL: Variant = { core: CORE_F64, log: (f, x) => logNormal(f, F64, x), tail: TAIL_F64, far: FAR_F64 };
const NARROW: Variant = { core: CORE_NARROW, log: logNarrow, tail: TAIL_NARROW, far: undefined };

export const ERFINV_KERNELS = { erfinv: { f32: promoted("erfinv", 1, erfinv(NARROW)), f64: erfinv(FULL) } };
