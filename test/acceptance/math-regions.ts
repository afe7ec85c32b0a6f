import { type Expr, f64x2 } from "../../src/backends/wasm/assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../../src/backends/wasm/assembler/module.ts";
import { inlineMath, type MathName } from "../../src/backends/wasm/math/index.ts";

export type UnaryName = Exclude<MathName, "pow">;

/** What the result must be in a range of inputs. */
export type Expectation =
  | { readonly kind: "known"; readonly keep: number; readonly bits: number }
  | { readonly kind: "isNaN" }
  /** The result at −x, with its sign bit flipped or not. */
  | { readonly kind: "mirror"; readonly flip: number }
  | {
      readonly kind: "reference";
      /** The result in f64, for two f32 inputs in f64 form; without it the f64 function. */
      readonly evaluate?: (m: ModuleBuilder, f: FuncBuilder, x: Local) => Expr;
      /**
       * An ulp is at least that of this power of two: 2^-126, where denormals begin, unless an absolute error is
       * asked.
       */
      readonly leastBinade: number;
    };

export interface Region {
  /** Bit patterns from … to − 1, both multiples of 2^16. */
  readonly from: number;
  readonly to: number;
  readonly expect: Expectation;
  /** |x| < 2^-40 or ≥ 2^40: results are first terms of a series, limits, or repeat from one binade to the next. */
  readonly tail: boolean;
}

const SIGN = 0x80000000;
const INFINITY = 0x7f800000;

const bitsOf = (x: number): number => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, x);
  return view.getUint32(0);
};

const REFERENCE: Expectation = { kind: "reference", leastBinade: 2 ** -126 };
/**
 * Near their zeros on the negative axis lgamma and digamma may err by 4 ulps of 1, that is by 2 of the unit of [2,
 * 4).
 */
const LENIENT: Expectation = { kind: "reference", leastBinade: 2 };
const IS_NAN: Expectation = { kind: "isNaN" };
const X: Expectation = { kind: "known", keep: -1, bits: 0 };
const constant = (value: number): Expectation => ({ kind: "known", keep: 0, bits: bitsOf(value) | 0 });
const ofSign = (value: number): Expectation => ({ kind: "known", keep: SIGN | 0, bits: bitsOf(value) });

const ODD: Expectation = { kind: "mirror", flip: SIGN | 0 };
const EVEN: Expectation = { kind: "mirror", flip: 0 };

const { add, sub, mul, div, neg, abs, const: c } = f64x2;
const formula = (evaluate: (m: ModuleBuilder, f: FuncBuilder, x: Local) => Expr): Expectation => ({
  kind: "reference",
  evaluate,
  leastBinade: 2 ** -126,
});
const times = (factor: number): Expectation => formula((_m, _f, x) => mul(x, c(factor)));
const EULER = 0.5772156649015329;
/** −log|x| − γ x, but +∞ at 0. */
const lgammaNearZero = formula((m, f, x) => sub(neg(inlineMath(m, f, "log", "f64", f.let(abs(x)))), mul(x, c(EULER))));
/** Stirling's formula to its first correction, which at 2^10 leaves 2^-48 of the result. */
const lgammaFar = formula((m, f, x) => {
  const main = mul(sub(x, c(0.5)), sub(inlineMath(m, f, "log", "f64", x), c(1)));
  return add(main, add(c(0.4189385332046727), div(c(1 / 12), x)));
});
const digammaNearZero = formula((_m, _f, x) => sub(neg(div(c(1), x)), c(EULER)));
const digammaFar = formula((m, f, x) => sub(inlineMath(m, f, "log", "f64", x), div(c(0.5), x)));

/** By magnitude: up to this power of two (excluded), what positive and what negative inputs give. */
type Row = readonly [upTo: number, positive: Expectation, negative: Expectation];

const ROWS: Record<UnaryName, readonly Row[]> = {
  exp: [
    [2 ** -26, constant(1), constant(1)],
    [2 ** 7, REFERENCE, REFERENCE],
    [Infinity, constant(Infinity), constant(0)],
  ],
  expm1: [
    [2 ** -26, X, X],
    [2 ** 7, REFERENCE, REFERENCE],
    [Infinity, constant(Infinity), constant(-1)],
  ],
  log: [
    [2 ** -149 * 2 ** 16, REFERENCE, REFERENCE],
    [Infinity, REFERENCE, IS_NAN],
  ],
  log1p: [
    [2 ** -26, X, X],
    [2, REFERENCE, REFERENCE],
    [Infinity, REFERENCE, IS_NAN],
  ],
  tanh: [
    [2 ** -13, X, X],
    [2 ** 4, REFERENCE, ODD],
    [Infinity, ofSign(1), ofSign(1)],
  ],
  sigmoid: [
    [2 ** -26, constant(0.5), constant(0.5)],
    [2 ** 7, REFERENCE, REFERENCE],
    [Infinity, constant(1), constant(0)],
  ],
  softplus: [
    [2 ** -26, constant(Math.LN2), constant(Math.LN2)],
    [2 ** 7, REFERENCE, REFERENCE],
    [Infinity, X, constant(0)],
  ],
  sin: [
    [2 ** -13, X, X],
    [Infinity, REFERENCE, ODD],
  ],
  cos: [
    [2 ** -13, constant(1), constant(1)],
    [Infinity, REFERENCE, EVEN],
  ],
  erf: [
    [2 ** -16, times(2 / Math.sqrt(Math.PI)), times(2 / Math.sqrt(Math.PI))],
    [2 ** 3, REFERENCE, ODD],
    [Infinity, ofSign(1), ofSign(1)],
  ],
  erfinv: [
    [2 ** -16, times(Math.sqrt(Math.PI) / 2), times(Math.sqrt(Math.PI) / 2)],
    [2, REFERENCE, ODD],
    [Infinity, IS_NAN, IS_NAN],
  ],
  lgamma: [
    [2 ** -20, lgammaNearZero, lgammaNearZero],
    [2 ** 10, REFERENCE, LENIENT],
    [2 ** 24, lgammaFar, LENIENT],
    [Infinity, lgammaFar, constant(Infinity)],
  ],
  digamma: [
    [2 ** -20, digammaNearZero, digammaNearZero],
    [2 ** 24, REFERENCE, LENIENT],
    [Infinity, digammaFar, IS_NAN],
  ],
};

export const UNARY_NAMES = Object.keys(ROWS) as UnaryName[];

const TAILS = [2 ** -40, 2 ** 40].map(bitsOf) as [number, number];

/**
 * The regions of all 2^32 patterns; infinities and the first NaNs go with the f64 function, the other NaNs give NaN.
 */
export function expectations(name: UnaryName): Region[] {
  const out: Region[] = [];
  for (const side of [0, 1] as const) {
    const push = (from: number, to: number, expect: Expectation): void => {
      const cuts = [from, ...TAILS.filter((t) => t > from && t < to), to];
      cuts.slice(1).forEach((end, i) => {
        const tail = end <= TAILS[0] || cuts[i]! >= TAILS[1];
        out.push({ from: side * SIGN + cuts[i]!, to: side * SIGN + end, expect, tail });
      });
    };
    let from = 0;
    for (const [upTo, ...expect] of ROWS[name]) {
      const to = upTo === Infinity ? INFINITY : bitsOf(upTo);
      push(from, to, expect[side]);
      from = to;
    }
    push(INFINITY, INFINITY + (1 << 16), REFERENCE);
    push(INFINITY + (1 << 16), SIGN, IS_NAN);
  }
  return out;
}
