import { v128 } from "../assembler/expr.ts";
import { expInRange, expOfNegative } from "./exp.ts";
import type { Kernel } from "./kernel.ts";
import { F32, F64, type Lanes } from "./lanes.ts";
import { evenOdd, horner } from "./polynomial.ts";

// log(1+e) = e − e²/2 + s (e²/2 + z P(z)), s = e/(2+e), z = s², on [0, 1]: `python3 scripts/fit-math.py softplus`,
// error 2^-33.0 (f32), 2^-66.3 (f64).
// biome-ignore format: coefficients
const SOFTPLUS_F32 = [
  0.6666667461395264, 0.3999894857406616, 0.286152184009552, 0.21443718671798706, 0.24246343970298767,
];
// biome-ignore format: coefficients
const SOFTPLUS_F64 = [
  0.6666666666666666, 0.40000000000001984, 0.285714285710585, 0.2222222225671595, 0.1818181630787275,
  0.15384679709439988, 0.13331876363800918, 0.1178689576878811, 0.10299590687757577, 0.11036488659834053,
  0.02535303915099021, 0.2099144668801081,
];
// tanh x = x + x³ T(x²) on [0, 0.55]: `python3 scripts/fit-math.py tanh`, error 2^-29.8 (f32), 2^-60.6 (f64).
// biome-ignore format: coefficients
const TANH_F32 = [
  -0.33333319425582886, 0.13332636654376984, -0.05385684221982956, 0.021088233217597008, -0.006295476108789444,
];
// biome-ignore format: coefficients
const TANH_F64 = [
  -0.333333333333333, 0.1333333333332656, -0.05396825396371523, 0.021869488384277404, -0.008863232571288421,
  0.003592091684967375, -0.0014555403713816327, 0.000588433325358198, -0.00023335077836191266, 8.326902999093392e-05,
  -1.94634572163588e-05,
];

/**
 * 1 / (1 + e^-x) as e/(1 + e) for negative x, with e = e^-|x| ≤ 1: no overflow, and tails down to denormals. What e and
 * 1 + e lost in rounding comes back to first order: (a + δa)/(b + δb) = q + (δa − q δb)/b, where 1/b is q or 1 − q.
 */
export const sigmoid =
  (lanes: Lanes): Kernel =>
  (_m, f, x) => {
    const { add, sub, mul, div, lt, const: constant } = lanes.float;
    const e = expOfNegative(f, lanes, v128.or(x, lanes.bits(lanes.sign)));
    const negative = f.let(lt(x, constant(0)));
    const below = f.let(add(e.high, constant(1)));
    const belowLow = add(sub(e.high, sub(below, constant(1))), e.low);
    const q = f.let(div(v128.bitselect(e.high, constant(1), negative), below));
    const inverse = v128.bitselect(sub(constant(1), q), q, negative);
    const residual = sub(v128.and(e.low, negative), mul(q, belowLow));
    return add(q, mul(residual, inverse));
  };

/**
 * log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|, with 1 − e/2 for the slope 1/(1 + e) at what the rounding of e
 * lost.
 */
export const softplus =
  (lanes: Lanes): Kernel =>
  (_m, f, x) => {
    const { add, sub, mul, div, pmax, const: constant } = lanes.float;
    const { high: e, low } = expOfNegative(f, lanes, v128.or(x, lanes.bits(lanes.sign)));
    const s = f.let(div(e, add(e, constant(2))));
    const z = f.let(mul(s, s));
    const halfE = f.let(mul(e, constant(0.5)));
    const half = f.let(mul(e, halfE));
    const poly = lanes.dtype === "f32" ? horner(lanes, z, SOFTPLUS_F32) : evenOdd(f, lanes, z, SOFTPLUS_F64);
    const tail = add(mul(s, add(half, mul(z, poly))), mul(low, sub(constant(1), halfE)));
    return add(pmax(x, constant(0)), sub(e, sub(half, tail)));
  };

/** Beyond this tanh is 1 in the format. */
const TANH_LIMIT = { f32: 10, f64: 20 } as const;

/** tanh |x| = 1 − 2/(e^{2|x|} + 1), or the polynomial below 0.55 where that would cancel; then the sign of x. */
export const tanh =
  (lanes: Lanes): Kernel =>
  (_m, f, x) => {
    const { abs, add, sub, mul, div, pmin, lt, const: constant } = lanes.float;
    const a = f.let(abs(x));
    const limited = pmin(a, constant(TANH_LIMIT[lanes.dtype]));
    const twice = f.let(add(limited, limited));
    const e = expInRange(f, lanes, twice);
    const large = sub(constant(1), div(constant(2), add(e, constant(1))));
    const z = f.let(mul(a, a));
    const tail = lanes.dtype === "f32" ? horner(lanes, z, TANH_F32) : evenOdd(f, lanes, z, TANH_F64);
    const small = add(a, mul(a, mul(z, tail)));
    const value = v128.bitselect(small, large, lt(a, constant(0.55)));
    return v128.or(value, v128.and(x, lanes.bits(lanes.sign)));
  };

export const LOGISTIC_KERNELS = {
  sigmoid: { f32: sigmoid(F32), f64: sigmoid(F64) },
  softplus: { f32: softplus(F32), f64: softplus(F64) },
  tanh: { f32: tanh(F32), f64: tanh(F64) },
};
