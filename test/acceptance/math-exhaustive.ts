import {
  call,
  type Expr,
  f32x4,
  f64,
  f64x2,
  i32,
  i32x4,
  i64x2,
  lanes32,
  select,
  v128,
} from "../../src/backends/wasm/assembler/expr.ts";
import { type FuncBuilder, type Local, ModuleBuilder } from "../../src/backends/wasm/assembler/module.ts";
import { inlineMath, loadSpecialMath, mathFunction } from "../../src/backends/wasm/math/index.ts";

await loadSpecialMath();

import { type Expectation, expectations, type UnaryName } from "./math-regions.ts";

export { UNARY_NAMES, type UnaryName } from "./math-regions.ts";

export interface Worst {
  /**
   * Largest distance from the true result in ulps of f32 (in the regions with a known result: rounded up by half an
   * ulp).
   */
  readonly maxUlp: number;
  /** Where it is reached. */
  readonly worstInput: number;
}

type Loop = (first: number, stride: number, vectors: number, keep: number, bits: number) => number;

/** The kinds of expectation that need no function of their own. */
const PLAIN = ["known", "isNaN", "mirror"] as const;
type Plain = (typeof PLAIN)[number];

const BLOCK = 1 << 16;

/**
 * Accumulates, over pairs of lanes, the largest distance and whether there was a wrong sign or a NaN on one side
 * alone.
 */
function compare(f: FuncBuilder, actual: Expr, reference: Expr, leastUnit: number, worst: Local, wrong: Local): void {
  const { sub, abs, mul, pmin, pmax, ne, const: constant } = f64x2;
  // infinity counts as 2^128, which is what comes after the largest number
  const bounded = (v: Local) => pmax(pmin(v, constant(2 ** 128)), constant(-(2 ** 128)));
  const y = f.let(actual);
  const exact = f.let(reference);
  const r = f.let(bounded(exact));
  const binade = v128.and(
    pmax(pmin(abs(r), constant(2 ** 127)), constant(leastUnit)),
    i64x2.const(0x7ff0000000000000n),
  );
  // 1 / (2^-23 binade), by the exponents alone
  const inverse = i64x2.sub(i64x2.const(BigInt(2 * 1023 + 23) << 52n), binade);
  f.set(worst, pmax(worst, mul(abs(sub(bounded(y), r)), inverse)));
  const yNaN = f.let(ne(y, y));
  const rNaN = f.let(ne(exact, exact));
  const wrongSign = v128.andnot(v128.andnot(v128.xor(y, exact), yNaN), rNaN);
  f.set(wrong, v128.or(wrong, v128.or(wrongSign, v128.xor(yNaN, rNaN))));
}

/**
 * Loops over 4 · `vectors` inputs from bit pattern `first` on, which return the largest error in ulps. `known`: the
 * result is (x & keep) | bits. `isNaN`: it is NaN. `mirror`: it is that of −x, with the bits `bits` flipped.
 * `reference`: it is that of a function in f64.
 */
function compile(name: UnaryName, formulas: readonly Expectation[]): Map<Expectation | Plain, Loop> {
  const m = new ModuleBuilder();
  const kernel = mathFunction(m, name, "f32");
  const loop = (
    as: string,
    body: (f: FuncBuilder, x: Local, keep: Local, bits: Local) => () => void,
    result: (f: FuncBuilder) => Expr,
  ) => {
    const ref = m.function(
      as,
      ["i32", "i32", "i32", "i32", "i32"],
      ["f64"],
      (f, first, stride, vectors, keep, bits) => {
        const x = f.let(i32x4.add(i32x4.splat(first), i32x4.mul(i32x4.splat(stride), i32x4.const(0, 1, 2, 3))));
        const step = f.let(i32x4.mul(i32x4.splat(stride), i32x4.const(4)));
        const turn = body(f, x, keep, bits);
        f.for(f.local("i32"), i32.const(0), vectors, 1, () => {
          turn();
          f.set(x, i32x4.add(x, step));
        });
        return result(f);
      },
    );
    m.export(as, ref);
  };
  let worst: Local;
  let wrong: Local;
  const open = (f: FuncBuilder) => {
    [worst, wrong] = [f.local("v128"), f.local("v128")];
  };
  loop(
    "known",
    (f, x, keep, bits) => {
      open(f);
      const [mask, constant] = [f.let(i32x4.splat(keep)), f.let(i32x4.splat(bits))];
      return () => {
        const distance = i32x4.abs(i32x4.sub(call(kernel, x), v128.or(v128.and(x, mask), constant)));
        f.set(worst, i32x4.max_u(worst, distance));
      };
    },
    (f) => {
      const lanes = [0, 1, 2, 3].map((k) => f.let(i32x4.extract(worst, k)));
      return f64.convert_i32_u(lanes.reduce<Expr>((a, b) => select(i32.gt_u(f.let(a), b), f.let(a), b), i32.const(0)));
    },
  );
  loop(
    "isNaN",
    (f, x) => {
      open(f);
      return () => {
        const y = f.let(call(kernel, x));
        f.set(wrong, v128.or(wrong, f32x4.eq(y, y)));
      };
    },
    () => select(v128.any_true(wrong), f64.const(Infinity), f64.const(0)),
  );
  loop(
    "mirror",
    (f, x, _keep, bits) => {
      open(f);
      const flip = f.let(i32x4.splat(bits));
      return () => {
        const there = v128.xor(call(kernel, v128.xor(x, i32x4.const(0x80000000))), flip);
        f.set(wrong, v128.or(wrong, i32x4.ne(call(kernel, x), there)));
      };
    },
    () => select(v128.any_true(wrong), f64.const(Infinity), f64.const(0)),
  );
  formulas.forEach((formula, index) => {
    if (formula.kind !== "reference") return;
    loop(
      `reference${index}`,
      (f, x) => {
        open(f);
        return () => {
          const y = f.let(call(kernel, x));
          for (const lanes of [lanes32(0, 1, 0, 1), lanes32(2, 3, 2, 3)]) {
            const half = (v: Local) => f64x2.promote_low_f32x4(v128.shuffle(v, v, lanes));
            const wide = f.let(half(x));
            const exact = formula.evaluate ? formula.evaluate(m, f, wide) : inlineMath(m, f, name, "f64", wide);
            compare(f, half(y), exact, formula.leastBinade, worst, wrong);
          }
        };
      },
      (f) => {
        const [a, b] = [f.let(f64x2.extract(worst, 0)), f.let(f64x2.extract(worst, 1))];
        const signs = i64x2.bitmask(wrong);
        return select(signs, f64.const(Infinity), select(f64.gt(a, b), a, b));
      },
    );
  });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.encode()), { env: { memory } });
  const loops = new Map<Expectation | Plain, Loop>();
  for (const kind of PLAIN) loops.set(kind, exports[kind] as Loop);
  formulas.forEach((formula, index) => {
    if (formula.kind === "reference") loops.set(formula, exports[`reference${index}`] as Loop);
  });
  return loops;
}

/**
 * Runs a unary f32 function over every `stride`-th of all 2^32 bit patterns, `tailStride`-th where |x| < 2^-40 or ≥
 * 2^40 (half the time goes there, in arithmetic that underflows). The true result is that of the f64 function, which
 * the tables of mpmath hold to 4 ulps of f64 (2^-27 ulps of f32); where it is a constant, x itself or the first terms
 * of a series, these stand for it (math-regions.ts).
 */
export async function checkAllF32(
  name: UnaryName,
  { stride: everywhere = 1, tailStride = everywhere }: { stride?: number; tailStride?: number } = {},
): Promise<Worst> {
  const regions = expectations(name);
  const loops = compile(name, [...new Set(regions.map((r) => r.expect))]);
  let maxUlp = 0;
  let locate: (() => number) | undefined;
  let sinceRest = 0;
  for (const { from, to, expect, tail } of regions) {
    const stride = tail ? tailStride : everywhere;
    const loop = loops.get(expect.kind === "reference" ? expect : expect.kind)!;
    const keep = expect.kind === "known" ? expect.keep : 0;
    const bits = expect.kind === "known" ? expect.bits : expect.kind === "mirror" ? expect.flip : 0;
    const run = (first: number, step: number, vectors: number) => {
      const found = loop(first | 0, step, vectors, keep, bits);
      return expect.kind === "known" ? found + 0.5 : found;
    };
    for (let first = from; first < to; first += BLOCK * stride) {
      const count = Math.min(BLOCK, Math.ceil((to - first) / stride));
      // with a stride the last inputs that fill no vector are left out
      const found = run(first, stride, count >> 2);
      if (found > maxUlp) {
        maxUlp = found;
        locate = () => {
          for (let k = 0; k < count; k++) if (run(first + k * stride, 0, 1) === found) return first + k * stride;
          return first;
        };
      }
      if (++sinceRest % 1024 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, locate ? locate() : 0);
  return { maxUlp, worstInput: view.getFloat32(0) };
}
