import { siteWord, THREEFRY_PARITY, THREEFRY_ROTATIONS, THREEFRY_ROUNDS } from "../base/rng.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import * as f from "./functions.ts";
import type { Value } from "./value.ts";

/**
 * A key of the counter-based generator: what is drawn depends on the key and on each element's own counter, never on the
 * order of calls, the batch layout or the number of workers. Derive keys by site and step, and give data rows their identity.
 */
export class Key<T extends Value = Value> {
  /** Two u32 scalars. */
  readonly words: readonly [T, T];

  constructor(words: readonly [T, T]) {
    this.words = words;
  }

  /** The key of a named site. */
  site(name: string): Key<T> {
    return this.derive(f.full(this.words[0], [], siteWord(name), "u32"), SITE);
  }

  /** The key of step `t` (u32 scalar), particle, or any other count. */
  fold(t: T): Key<T> {
    return this.derive(f.cast(t, "u32"), FOLD);
  }

  private derive(word: T, domain: number): Key<T> {
    return new Key(threefry(this.words, [word, f.full(word, [], domain, "u32")]));
  }
}

/** Second counter words that keep derived keys apart from each other and from draws, whose second word counts columns. */
const SITE = 0xffffffff;
const FOLD = 0xfffffffe;

/** Threefry-2x32-20 on tensors: see base/rng.ts. Key words are scalars; counter words have one common shape. */
export function threefry<T extends Value>(key: readonly [T, T], counter: readonly [T, T]): [T, T] {
  const ks = [key[0], key[1], f.xor(f.xor(key[0], key[1]), THREEFRY_PARITY)];
  let x0 = f.add(counter[0], ks[0]!);
  let x1 = f.add(counter[1], ks[1]!);
  for (let round = 0; round < THREEFRY_ROUNDS; round++) {
    x0 = f.add(x0, x1);
    x1 = f.xor(x1.of(x1.trace.rotl(x1.node, THREEFRY_ROTATIONS[round % 8]!)), x0);
    if (round % 4 === 3) {
      const s = (round + 1) / 4;
      x0 = f.add(x0, ks[s % 3]!);
      x1 = f.add(x1, f.add(ks[(s + 1) % 3]!, s));
    }
  }
  return [x0, x1];
}

export interface DrawOptions<T extends Value> {
  /** Identity of each element of the first axis, u32 of shape [shape[0]]: a data row's draw then follows it into any batch. */
  readonly rows?: T;
}

/** Two random words for each element of `shape`: counter (row, place within the row). `high` is added to the second. */
function words<T extends Value>(key: Key<T>, shape: Shape, { rows }: DrawOptions<T>, high = 0): [T, T] {
  const like = key.words[0];
  const lead = shape.slice(0, 1);
  const rest = shape.slice(1);
  const row = rows ?? f.iota(like, lead, 0);
  const c0 = f.broadcastTo(f.reshape(row, [...lead, ...rest.map(() => 1)]), shape);
  const column = rest.length ? f.reshape(f.iota(like, [sizeOf(rest)], 0), rest) : f.full(like, [], 0, "u32");
  const c1 = f.broadcastTo(high ? f.add(column, high) : column, shape);
  return threefry(key.words, [c0, c1]);
}

/** Uniform u32 words. */
export const randomWords = <T extends Value>(key: Key<T>, shape: Shape, options: DrawOptions<T> = {}): T =>
  words(key, shape, options)[0];

const shr = <T extends Value>(x: T, bits: number): T => x.of(x.trace.shr(x.node, bits));

/** 52 random bits plus a half, times 2⁻⁵²: never 0 or 1, and exact in f64. */
export const unit64 = <T extends Value>(hi: T, lo: T): T =>
  f.mul(f.add(f.add(f.mul(f.cast(shr(hi, 6), "f64"), 2 ** 26), f.cast(shr(lo, 6), "f64")), 0.5), 2 ** -52);

/** 23 random bits plus a half, times 2⁻²³: never 0 or 1, and exact in f32. */
export const unit32 = <T extends Value>(word: T): T => f.mul(f.add(f.cast(shr(word, 9), "f32"), 0.5), 2 ** -23);

/** Draws from U(0, 1), the ends excluded. */
export function uniform<T extends Value>(
  key: Key<T>,
  shape: Shape,
  dtype: "f32" | "f64",
  options: DrawOptions<T> = {},
): T {
  const [hi, lo] = words(key, shape, options);
  return dtype === "f64" ? unit64(hi, lo) : unit32(hi);
}

/**
 * Draws from N(0, 1) by Box and Muller (1958): √(−2 log u) cos 2πv. In f32 u has 32 random bits, so that the tail reaches
 * 6.7 standard deviations; in f64 52, and 8.6.
 */
export function normal<T extends Value>(
  key: Key<T>,
  shape: Shape,
  dtype: "f32" | "f64",
  options: DrawOptions<T> = {},
): T {
  const [a, b] = words(key, shape, options);
  let radius: T;
  let turn: T;
  if (dtype === "f64") {
    const [c, d] = words(key, shape, options, 0x80000000);
    radius = unit64(a, b);
    turn = unit64(c, d);
  } else {
    radius = f.mul(f.add(f.cast(a, "f32"), 0.5), 2 ** -32);
    turn = unit32(b);
  }
  return f.mul(f.sqrt(f.mul(f.log(radius), -2)), f.cos(f.mul(turn, 2 * Math.PI)));
}

/** Draws from Bernoulli(p) as 0 or 1 in p's dtype; p is broadcast to `shape`. Exactly 0 and 1 where p is. */
export function bernoulli<T extends Value>(key: Key<T>, p: T, shape: Shape, options: DrawOptions<T> = {}): T {
  const u = uniform(key, shape, p.node.dtype as "f32" | "f64", options);
  return f.cast(f.lt(u, p), p.node.dtype);
}
