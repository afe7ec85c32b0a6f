import { type Expr, type FuncRef, f64, i32, i64 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { twoProduct } from "./double-double.ts";

/** The first 1216 bits of 2/π after the point (mpmath, 600 digits). */
const TWO_OVER_PI =
  "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73e" +
  "e88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b7" +
  "4f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6bab";

/** Word 0 stands before the point, so that arguments below 2^53 need no case of their own. */
const WORDS = [0n, ...Array.from({ length: 19 }, (_, i) => BigInt(`0x${TWO_OVER_PI.slice(16 * i, 16 * i + 16)}`))];

/** Words i … i + 3 of 2/π; an index beyond gives the last ones, or zeros. */
const words = (m: ModuleBuilder): FuncRef =>
  m.once("math.two-over-pi", () =>
    m.function("math.two-over-pi", ["i32"], ["i64", "i64", "i64", "i64"], (f, index) => {
      const out = [0, 1, 2, 3].map(() => f.local("i64"));
      const cases = WORDS.slice(0, -3).map((_, i) => () => {
        out.forEach((word, k) => f.set(word, i64.const(WORDS[i + k]!)));
      });
      f.switch(index, cases);
      return out;
    }),
  );

const { add, and, or, shl, shr_s, shr_u, sub, mul } = i64;

/** The 64 bits that start `shift` bits into a‖b; shift may be 0. */
const window64 = (a: Expr, b: Expr, shift: Local): Expr =>
  or(shl(a, shift), shr_u(shr_u(b, i64.const(1n)), sub(i64.const(63n), shift)));

/** The upper 64 bits of m · c, for m below 2^53. */
function mulHigh(f: FuncBuilder, m: Local, c: Local): Local {
  const low32 = (a: Expr) => and(a, i64.const(0xffffffffn));
  const high32 = (a: Expr) => shr_u(a, i64.const(32n));
  const [ml, mh, cl, ch] = [low32(m), high32(m), low32(c), high32(c)].map((e) => f.let(e)) as [
    Local,
    Local,
    Local,
    Local,
  ];
  const middle = f.let(add(mul(mh, cl), high32(mul(ml, cl))));
  const other = f.let(add(mul(ml, ch), low32(middle)));
  return f.let(add(mul(mh, ch), add(high32(middle), high32(other))));
}

interface Position {
  readonly mantissa: Local;
  readonly shift: Local;
  readonly words: Local[];
}

/**
 * a = mantissa · 2^e. Bits of 2/π with weight 2^(2−e) and more contribute multiples of 4 quadrants and are skipped: the
 * fraction begins at bit e − 1, which is at position e + 62 of the words above.
 */
function position(m: ModuleBuilder, f: FuncBuilder, a: Local): Position {
  const bits = f.let(i64.reinterpret_f64(a));
  const mantissa = f.let(or(and(bits, i64.const(0xfffffffffffffn)), i64.const(1n << 52n)));
  const at = f.let(sub(and(shr_u(bits, i64.const(52n)), i64.const(0x7ffn)), i64.const(1075n - 62n)));
  const shift = f.let(and(at, i64.const(63n)));
  return { mantissa, shift, words: f.letCall(words(m), i32.wrap_i64(shr_s(at, i64.const(6n)))) };
}

/**
 * a mod π/2 in (−π/4, π/4] as high + low, and the quadrant in the low bits of an i64, for a ≥ 1/2 (Payne & Hanek
 * 1983).
 */
export const payneHanek = (m: ModuleBuilder): FuncRef =>
  m.once("math.payne-hanek", () =>
    m.function("math.payne-hanek", ["f64"], ["i64", "f64", "f64"], (f, a) => {
      const { mantissa, shift, words: w } = position(m, f, a);
      const [c2, c1, c0] = [0, 1, 2].map((k) => f.let(window64(w[k]!, w[k + 1]!, shift))) as [Local, Local, Local];
      // the low 192 bits of mantissa · c, of which the upper two count quadrants
      const p0 = f.let(mul(mantissa, c0));
      const lower = f.let(mul(mantissa, c1));
      const p1 = f.let(add(lower, mulHigh(f, mantissa, c0)));
      const carry = i64.extend_i32_u(i64.lt_u(p1, lower));
      const p2 = f.let(add(add(mul(mantissa, c2), mulHigh(f, mantissa, c1)), carry));
      const quadrant = f.let(shr_u(add(p2, i64.const(1n << 61n)), i64.const(62n)));
      // the signed fraction of a quadrant, 128 bits, made positive and shifted up to its first bit
      const two = f.let(i64.const(2n));
      const top = f.let(window64(p2, p1, two));
      const bottom = f.let(window64(p1, p0, two));
      const negative = f.let(shr_s(top, i64.const(63n)));
      f.set(bottom, i64.xor(bottom, negative));
      f.set(top, i64.xor(top, negative));
      const zeros = f.let(i64.clz(i64.or(top, i64.const(1n))));
      const first = f.let(window64(top, bottom, zeros));
      const unit = f.let(f64.reinterpret_i64(shl(sub(i64.const(1023n - 64n), zeros), i64.const(52n))));
      const head = f64.convert_i64_u(and(first, i64.const(~0x7ffn)));
      const rest = f64.convert_i64_u(and(first, i64.const(0x7ffn)));
      const high = f.let(f64.mul(head, unit));
      const low = f.let(f64.mul(rest, unit));
      // times π/2, with the sign; infinity and NaN give NaN
      const r = twoProduct(f, f64, high, f.let(f64.const(Math.PI / 2)));
      const rLow = f64.add(
        r.low,
        f64.add(f64.mul(low, f64.const(Math.PI / 2)), f64.mul(high, f64.const(6.123233995736766e-17))),
      );
      const signed = f.let(f64.copysign(f64.const(1), f64.reinterpret_i64(negative)));
      const invalid = f64.sub(a, a);
      return [quadrant, f64.add(f64.mul(r.high, signed), invalid), f64.mul(rLow, signed)];
    }),
  );

/**
 * The same for an f32 in f64 form, with about 30 bits: of 24-bit mantissas none comes nearer to a multiple than
 * 2^-33.
 */
export const payneHanekNarrow = (m: ModuleBuilder): FuncRef =>
  m.once("math.payne-hanek.narrow", () =>
    m.function("math.payne-hanek.narrow", ["f64"], ["i64", "f64", "f64"], (f, a) => {
      const { mantissa, shift, words: w } = position(m, f, a);
      const [c1, c0] = [0, 1].map((k) => f.let(window64(w[k]!, w[k + 1]!, shift))) as [Local, Local];
      const p = f.let(add(mul(mantissa, c1), mulHigh(f, mantissa, c0)));
      const quadrant = shr_u(add(p, i64.const(1n << 61n)), i64.const(62n));
      const fraction = f64.convert_i64_s(shl(p, i64.const(2n)));
      return [quadrant, f64.add(f64.mul(fraction, f64.const(2 ** -65 * Math.PI)), f64.sub(a, a)), f64.const(0)];
    }),
  );
