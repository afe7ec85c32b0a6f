import { type Expr, type f64, f64x2 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { F64 } from "./lanes.ts";
import { splitExponent } from "./log.ts";
import { evenOdd } from "./polynomial.ts";

/** Scalar or vector doubles: the error-free transformations below are the same for both. */
type Doubles = Pick<typeof f64, "add" | "sub" | "mul" | "const">;

/** An unevaluated sum high + low with |low| at most half an ulp of high: about 106 bits. */
export interface Pair {
  readonly high: Local;
  readonly low: Local;
}

/** a + b exactly (Knuth). */
export function twoSum(f: FuncBuilder, { add, sub }: Doubles, a: Local, b: Local): Pair {
  const high = f.let(add(a, b));
  const ofB = f.let(sub(high, a));
  return { high, low: f.let(add(sub(a, sub(high, ofB)), sub(b, ofB))) };
}

/** a + b exactly where |a| ≥ |b| or a = 0 (Dekker). */
export function fastTwoSum(f: FuncBuilder, { add, sub }: Doubles, a: Local, b: Local): Pair {
  const high = f.let(add(a, b));
  return { high, low: f.let(sub(b, sub(high, a))) };
}

/** a in two halves of 26 bits (Veltkamp), for |a| < 2^996. */
function halves(f: FuncBuilder, { sub, mul, const: constant }: Doubles, a: Local): Pair {
  const scaled = f.let(mul(a, constant(2 ** 27 + 1)));
  const high = f.let(sub(scaled, sub(scaled, a)));
  return { high, low: f.let(sub(a, high)) };
}

/** a · b exactly (Dekker), while nothing overflows or falls below 2^-1022. */
export function twoProduct(f: FuncBuilder, ops: Doubles, a: Local, b: Local): Pair {
  const { add, sub, mul } = ops;
  const high = f.let(mul(a, b));
  const x = halves(f, ops, a);
  const y = halves(f, ops, b);
  const cross = add(add(sub(mul(x.high, y.high), high), mul(x.high, y.low)), mul(x.low, y.high));
  return { high, low: f.let(add(cross, mul(x.low, y.low))) };
}

// 2 atanh(s) = 2s + s z (2/3 + z Q(z)), z = s²: `python3 scripts/fit-math.py log-double`, error 2^-73.5.
// biome-ignore format: coefficients
const LOG_DOUBLE = [
  0.3999999999999998, 0.28571428571443835, 0.22222222217791793, 0.18181818843696868, 0.15384558450102007,
  0.13336263654257663, 0.11675797703223328, 0.11981615617450342,
];
/** ln 2: 21 bits, so that products with an exponent are exact, and the next 53. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** log x with about 68 bits, for two positive normal doubles times 2^extraExponent. */
export function logPair(f: FuncBuilder, x: Expr, extraExponent?: Expr): Pair {
  const { add, sub, mul, div, const: constant } = f64x2;
  const split = splitExponent(f, F64, x);
  const e = f.let(extraExponent ? add(split.exponent, extraExponent) : split.exponent);
  const m = f.let(split.mantissa);
  const u = f.let(sub(m, constant(1)));
  // s = u / (m + 1) with one correction: the remainder over the rounded denominator
  const below = f.let(add(m, constant(1)));
  const belowLow = sub(m, sub(below, constant(1)));
  const s = f.let(div(u, below));
  const product = twoProduct(f, f64x2, s, below);
  const remainder = sub(sub(sub(u, product.high), product.low), mul(s, belowLow));
  const sLow = f.let(div(remainder, below));
  const z = twoProduct(f, f64x2, s, s);
  const zLow = f.let(add(z.low, mul(add(s, s), sLow)));
  // t = 2/3 + z Q(z)
  const rest = f.let(mul(z.high, evenOdd(f, F64, z.high, LOG_DOUBLE)));
  const t = fastTwoSum(f, f64x2, f.let(constant(2 / 3)), rest);
  const tLow = f.let(add(t.low, constant(3.700743415417188e-17)));
  // w = s z t
  const sz = twoProduct(f, f64x2, s, z.high);
  const szLow = f.let(add(sz.low, add(mul(s, zLow), mul(sLow, z.high))));
  const w = twoProduct(f, f64x2, sz.high, t.high);
  const wLow = add(w.low, add(mul(sz.high, tLow), mul(szLow, t.high)));
  const low = f.let(add(add(sLow, sLow), wLow));
  // e ln 2 + 2s + w, largest first
  const mantissaLog = fastTwoSum(f, f64x2, f.let(add(s, s)), w.high);
  const sum = twoSum(f, f64x2, f.let(mul(e, constant(LN2_HIGH))), mantissaLog.high);
  const all = add(sum.low, add(mantissaLog.low, add(low, mul(e, constant(LN2_LOW)))));
  return fastTwoSum(f, f64x2, sum.high, f.let(all));
}
