import { type Expr, f64x2, i64x2, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { type Kernel, promoted } from "./kernel.ts";
import { F64 } from "./lanes.ts";
import { logNarrow, logNormal } from "./log.ts";
import { type Rational, rational } from "./polynomial.ts";

// erfinv x = x R(9/16 − x²) for x ≤ 3/4; R(w − 37/32) and R(w − 11/4) in w = √(−log(1 − x)) beyond, in the manner of
// Wichura's AS 241: `python3 scripts/fit-math.py erfinv`, errors 2^-53.6, 2^-54.6, 2^-54.6 (f64), 2^-30.4, 2^-28.2 (f32).
// biome-ignore format: coefficients
const CORE_F64: Rational = {
  p: [
    1.0845597967968248, 7.160921199707379, 18.039487150473597, 21.727106021614006, 12.832151510619875, 3.408658782601145,
    0.31730417194039606, 0.004629517836199464,
  ],
  q: [
    1, 7.121354241112377, 19.70783200731746, 26.78300806716227, 18.607684554381887, 6.247619308964538, 0.8535064285470091,
    0.030108495873496597,
  ],
};
// biome-ignore format: coefficients
const TAIL_F64: Rational = {
  p: [
    0.7920571815302806, 2.83230540013032, 4.148109120303539, 3.1432315281364382, 1.240359669848771, 0.19393012980847077,
    -0.01615364155912143, -0.007119747464682382, -0.0004130263122752279,
  ],
  q: [
    1, 2.303225055783, 2.2109815236552275, 1.0325443655396194, 0.19734261664342329, -0.009354007474481374,
    -0.006648223383884356, -0.00041295949477242156,
  ],
};
// biome-ignore format: coefficients
const FAR_F64: Rational = {
  p: [
    2.453983256287524, 4.774534969466791, 3.9207097265924107, 1.7568275931482442, 0.46307253813545396, 0.07198634350275399,
    0.006244213095630488, 0.0002631796318033634, 3.818731354598065e-06,
  ],
  q: [
    1, 1.5200084610304239, 0.9529176899366646, 0.3138085448232571, 0.057193990431876424, 0.005559899120808048,
    0.00025269562012062823, 3.818662944731156e-06,
  ],
};
// biome-ignore format: coefficients
const CORE_NARROW: Rational = {
  p: [1.0845597961026865, 3.187364245103567, 2.3484663555878127, 0.3079453064139121, -0.009507896073223568],
  q: [1, 3.457603171319833, 3.3396342165068806, 0.8119406409598796],
};
// biome-ignore format: coefficients
const TAIL_NARROW: Rational = {
  p: [0.7920571776819095, 2.082072091615274, 1.968911680775587, 0.7717998664619794, 0.09593362064633125],
  q: [1, 1.3560288744560476, 0.6651305021443639, 0.09576744337410709, 4.7042192695480745e-06],
};

const { abs, sub, mul, neg, lt, ge, eq, gt, sqrt, const: constant } = f64x2;
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
  const value = f.let(rational(f, F64, f.let(sub(w, constant(TAIL_START))), tail));
  if (far) {
    const beyond = f.let(ge(w, constant(FAR_START)));
    f.if(v128.any_true(beyond), () => {
      const u = f.let(sub(w, constant(FAR_START)));
      f.set(value, v128.bitselect(rational(f, F64, u, far), value, beyond));
    });
  }
  return value;
}

const erfinv =
  (variant: Variant): Kernel =>
  (_m, f, x) => {
    const a = f.let(abs(x));
    const u = f.let(sub(constant(9 / 16), mul(a, a)));
    const value = f.let(mul(a, rational(f, F64, u, variant.core)));
    const core = f.let(lt(a, constant(CORE_END)));
    f.if(v128.any_true(v128.not(core)), () => {
      const tail = v128.bitselect(value, tailOf(f, a, variant), core);
      const withPole = v128.bitselect(constant(Infinity), tail, eq(a, constant(1)));
      f.set(value, v128.bitselect(v128.bitselect(constant(NaN), x, gt(a, constant(1))), withPole, v128.not(ge(constant(1), a))));
    });
    return v128.or(value, v128.and(x, i64x2.const(F64.sign)));
  };

const FULL: Variant = { core: CORE_F64, log: (f, x) => logNormal(f, F64, x), tail: TAIL_F64, far: FAR_F64 };
const NARROW: Variant = { core: CORE_NARROW, log: logNarrow, tail: TAIL_NARROW, far: undefined };

export const ERFINV_KERNELS = { erfinv: { f32: promoted("erfinv", 1, erfinv(NARROW)), f64: erfinv(FULL) } };
