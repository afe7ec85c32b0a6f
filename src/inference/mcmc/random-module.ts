import {
  call,
  type Expr,
  type FuncRef,
  f64,
  i32,
  i32x4,
  lanes32,
  select,
  v128,
} from "../../backends/wasm/assembler/expr.ts";
import type { ModuleBuilder } from "../../backends/wasm/assembler/module.ts";
import { BUFFER_WORDS } from "../../base/generator.ts";
import { THREEFRY_PARITY, THREEFRY_ROTATIONS, THREEFRY_ROUNDS } from "../../base/rng.ts";
import { ZIGGURAT_LAYERS, zigguratTable } from "../../base/ziggurat.ts";

const TABLES = 32 + 4 * BUFFER_WORDS;
const EDGES = 8 * (ZIGGURAT_LAYERS + 1) + 8;

/**
 * Byte offsets within a stream of random numbers in wasm memory: a `GeneratorState` as i32, its words, and the edges and heights of
 * the ziggurat.
 */
export const STREAM = {
  key: 0,
  low: 8,
  high: 12,
  at: 16,
  words: 32,
  x: TABLES,
  f: TABLES + EDGES,
  bytes: TABLES + 2 * EDGES,
};

/** Writes the ziggurat's tables to the stream at `base`, a multiple of 8. */
export function writeZiggurat(buffer: ArrayBufferLike, base: number): void {
  const { x, f } = zigguratTable();
  new Float64Array(buffer, base + STREAM.x, x.length).set(x);
  new Float64Array(buffer, base + STREAM.f, f.length).set(f);
}

/** Functions of a stream's address: what base/generator.ts does, operation by operation, and so the same bits. */
export interface RandomFunctions {
  readonly word: FuncRef;
  readonly uniform: FuncRef;
  readonly normal: FuncRef;
}

export function randomFunctions(
  m: ModuleBuilder,
  math: { readonly exp: FuncRef; readonly log: FuncRef },
): RandomFunctions {
  const { exp, log } = math;

  /** Sixteen blocks of Threefry-2x32, four at a time. */
  const refill = m.function("refill", ["i32"], [], (f, base) => {
    const [k0, k1] = [f.let(i32.load(base!, STREAM.key)), f.let(i32.load(base!, STREAM.key + 4))];
    const keys = [k0, k1, i32.xor(i32.xor(k0, k1), i32.const(THREEFRY_PARITY))].map((k) => f.let(i32x4.splat(k)));
    const [low, high] = [f.let(i32.load(base!, STREAM.low)), f.let(i32.load(base!, STREAM.high))];
    const [group, to] = [f.local("i32"), f.local("i32")];
    f.set(to, base!);
    f.for(group, i32.const(0), i32.const(BUFFER_WORDS / 2), 4, () => {
      const counters = i32x4.add(i32x4.splat(i32.add(low, group)), i32x4.const(0, 1, 2, 3));
      const a = f.let(i32x4.add(counters, keys[0]!));
      const b = f.let(i32x4.add(i32x4.splat(high), keys[1]!));
      for (let round = 0; round < THREEFRY_ROUNDS; round++) {
        const r = THREEFRY_ROTATIONS[round % 8]!;
        f.set(a, i32x4.add(a, b));
        f.set(b, v128.xor(v128.or(i32x4.shl(b, r), i32x4.shr_u(b, 32 - r)), a));
        if (round % 4 === 3) {
          const s = (round + 1) / 4;
          f.set(a, i32x4.add(a, keys[s % 3]!));
          f.set(b, i32x4.add(i32x4.add(b, keys[(s + 1) % 3]!), i32x4.const(s)));
        }
      }
      f.do(v128.store(to, v128.shuffle(a, b, lanes32(0, 4, 1, 5)), STREAM.words));
      f.do(v128.store(to, v128.shuffle(a, b, lanes32(2, 6, 3, 7)), STREAM.words + 16));
      f.set(to, i32.add(to, i32.const(32)));
    });
    // Counters begin at 0 and grow by 16, so that the low word never wraps within a refill.
    const next = f.let(i32.add(low, i32.const(BUFFER_WORDS / 2)));
    f.do(i32.store(base!, next, STREAM.low));
    f.do(i32.store(base!, i32.add(high, i32.eqz(next)), STREAM.high));
    f.do(i32.store(base!, i32.const(0), STREAM.at));
  });

  const word = m.function("word", ["i32"], ["i32"], (f, base) => {
    f.if(i32.eq(i32.load(base!, STREAM.at), i32.const(BUFFER_WORDS)), () => f.do(call(refill, base!)));
    const at = f.let(i32.load(base!, STREAM.at));
    f.do(i32.store(base!, i32.add(at, i32.const(1)), STREAM.at));
    return i32.load(i32.add(base!, i32.shl(at, i32.const(2))), STREAM.words);
  });

  /** (high · factor + low + ½) · unit, of integers as unsigned. */
  const scaled = (high: Expr, factor: number, low: Expr, unit: number): Expr => {
    const whole = f64.add(f64.mul(f64.convert_i32_u(high), f64.const(factor)), f64.convert_i32_u(low));
    return f64.mul(f64.add(whole, f64.const(0.5)), f64.const(unit));
  };
  const six = i32.const(6);
  const uniform = m.function("uniform", ["i32"], ["f64"], (_, base) =>
    scaled(i32.shr_u(call(word, base!), six), 0x4000000, i32.shr_u(call(word, base!), six), 2 ** -52),
  );
  const exponential = m.function("exponential", ["i32"], ["f64"], (_, base) =>
    f64.neg(call(log, call(uniform, base!))),
  );

  const tail = m.function("tail", ["i32", "f64"], ["f64"], (f, base, r) => {
    const a = f.local("f64");
    f.doWhile(
      () => f.set(a, f64.div(call(exponential, base!), r!)),
      () => i32.eqz(f64.gt(f64.mul(f64.const(2), call(exponential, base!)), f64.mul(a, a))),
    );
    return f64.add(r!, a);
  });

  const normal = m.function("normal", ["i32"], ["f64"], (f, base) => {
    const [high, layer, value] = [f.local("i32"), f.local("i32"), f.local("f64")];
    const edge = (table: number, next: number) =>
      f64.load(i32.add(base!, i32.shl(layer, i32.const(3))), table + 8 * next);
    const signed = (x: Expr) => select(i32.and(high, i32.const(256)), f64.neg(x), x);
    f.doWhile(
      () => {
        f.set(high, call(word, base!));
        f.set(layer, i32.and(high, i32.const(255)));
        const u = scaled(i32.shr_u(high, i32.const(11)), 0x100000000, call(word, base!), 2 ** -53);
        f.set(value, f64.mul(u, edge(STREAM.x, 0)));
        f.if(f64.lt(value, edge(STREAM.x, 1)), () => f.return(signed(value)));
        f.if(i32.eqz(layer), () => {
          f.set(value, call(tail, base!, f64.load(base!, STREAM.x + 8)));
          f.return(signed(value));
        });
      },
      () => {
        const height = f64.sub(edge(STREAM.f, 1), edge(STREAM.f, 0));
        const at = f64.add(edge(STREAM.f, 0), f64.mul(call(uniform, base!), height));
        return i32.eqz(f64.lt(at, call(exp, f64.mul(f64.mul(f64.const(-0.5), value), value))));
      },
    );
    return signed(value);
  });
  return { word, uniform, normal };
}
