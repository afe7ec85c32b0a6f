import { v128 } from "../assembler/expr.ts";
import { expInRange } from "./exp.ts";
import type { Kernel } from "./kernel.ts";
import { F32, F64, type Lanes } from "./lanes.ts";
import { evenOdd, horner } from "./polynomial.ts";

// erf x = x + x E(x²) below the switch, log(1 − erf x) = L(x) above it: `python3 scripts/fit-math.py erf`,
// error of erf 2^-29.9 and 2^-29.5 (f32), 2^-56.2 and 2^-55.3 (f64).
// biome-ignore format: coefficients
const ERF_F32 = [
  0.12837916612625122, -0.3761262893676758, 0.11283624917268753, -0.026855675503611565, 0.005192281678318977,
  -0.000804892391897738, 7.996390922926366e-05,
];
// biome-ignore format: coefficients
const LOG_ERFC_F32 = [
  -0.0002564388851169497, -1.1274261474609375, -0.6375998854637146, -0.10356706380844116, 0.022052094340324402,
  -0.002999567426741123, 0.00019150697335135192,
];
// biome-ignore format: coefficients
const ERF_F64 = [
  0.1283791670955126, -0.3761263890318411, 0.11283791670972064, -0.026866170648280844, 0.005223977655681396,
  -0.000854832873497048, 0.00012055394314110725, -1.4927094336211785e-05, 1.6484719752545735e-06,
  -1.659820566669601e-07, 1.6302780299996286e-08, -1.7628717916914037e-09, 1.6378725124929004e-10,
];
// biome-ignore format: coefficients
const LOG_ERFC_F64 = [
  -6.161820653382085e-07, -1.1283730595149843, -0.6366479338318053, -0.10269247896819257, 0.01897124331179733,
  0.0004340097673383419, -0.0019370356431685598, 0.0007844876387344008, -0.00014135966845851917, -1.863223084218274e-05,
  2.2930727998272175e-05, -9.000222506535092e-06, 2.310934624095179e-06, -4.293050335490733e-07, 5.8664026340314376e-08,
  -5.7857790146003106e-09, 3.9097880922395523e-10, -1.622170214657169e-11, 3.1168566712481555e-13,
];

/** Where the two forms meet, and beyond what erf is 1. */
const RANGE = { f32: { meet: 0.95, end: 4 }, f64: { meet: 1, end: 6 } } as const;

/** Of |x|, then the sign of x. */
const erf =
  (lanes: Lanes): Kernel =>
  (_m, f, x) => {
    const { abs, add, sub, mul, lt, pmin, const: constant } = lanes.float;
    const { meet, end } = RANGE[lanes.dtype];
    const poly = (v: typeof x, c: readonly number[]) => (c.length > 8 ? evenOdd(f, lanes, v, c) : horner(lanes, v, c));
    const a = f.let(pmin(abs(x), constant(end)));
    const z = f.let(mul(a, a));
    const small = add(a, mul(a, poly(z, lanes.dtype === "f32" ? ERF_F32 : ERF_F64)));
    const complement = expInRange(f, lanes, f.let(poly(a, lanes.dtype === "f32" ? LOG_ERFC_F32 : LOG_ERFC_F64)));
    const value = v128.bitselect(small, sub(constant(1), complement), lt(a, constant(meet)));
    return v128.or(value, v128.and(x, lanes.bits(lanes.sign)));
  };

export const ERF_KERNELS = { erf: { f32: erf(F32), f64: erf(F64) } };
