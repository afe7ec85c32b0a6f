import { seedWords, siteWord, THREEFRY_PARITY, threefry2x32 } from "./rng.ts";
import { type ZigguratTable, zigguratTable } from "./ziggurat.ts";

/** Second counter words of derived keys: those of tensor/random.ts. Draws count up from 0 and never get there. */
const NAMED = 0xffffffff;
const NUMBERED = 0xfffffffe;

/** Words that are made at a time. */
export const BUFFER_WORDS = 32;

/** Where a stream is: its key, the block that comes next as two words, and the words that were made, of which so many are used. */
export interface GeneratorState {
  readonly key: readonly [number, number];
  readonly low: number;
  readonly high: number;
  readonly at: number;
  readonly words: Uint32Array;
}

/**
 * Random numbers on the host: Threefry-2x32 in counter mode. What a stream gives depends on its seed and name alone, so that
 * equal streams give equal bits whatever else was drawn, in whatever order.
 *
 *     const generator = new Generator(seed, "nuts", chain);
 */
export class Generator {
  private readonly key: readonly [number, number];
  private readonly words = new Uint32Array(BUFFER_WORDS);
  private at = BUFFER_WORDS;
  /** The block that comes next, as two words. */
  private low = 0;
  private high = 0;
  private table: ZigguratTable | null = null;

  /**
   * @param seed    an integer from 0 to 2⁵³ − 1
   * @param stream  names, and counts from 0 to 2³² − 1: a path, each element of which gives independent numbers
   * @throws RangeError for any other seed or count
   */
  constructor(seed: number, ...stream: readonly (number | string)[]) {
    let key: readonly [number, number] = seedWords(seed);
    for (const element of stream) {
      if (typeof element === "number" && !(Number.isInteger(element) && element >= 0 && element < 2 ** 32))
        throw new RangeError(`a stream is named by strings and integers from 0 to 2^32 - 1, not ${element}`);
      key = threefry2x32(key, typeof element === "string" ? [siteWord(element), NAMED] : [element, NUMBERED]);
    }
    this.key = key;
  }

  /** For code that goes on with the stream elsewhere, and gives it back. */
  get state(): GeneratorState {
    const { key, low, high, at, words } = this;
    return { key, low, high, at, words };
  }
  set state(state: GeneratorState) {
    Object.assign(this, state);
  }

  /** Uniform on the 32-bit words. */
  word(): number {
    if (this.at === BUFFER_WORDS) this.refill();
    return this.words[this.at++]!;
  }

  /** Uniform on (0, 1), the ends excluded: 52 random bits plus a half, times 2⁻⁵². */
  uniform(): number {
    const high = this.word() >>> 6;
    return (high * 0x4000000 + (this.word() >>> 6) + 0.5) * 2 ** -52;
  }

  /** Uniform on 0, 1, …, n − 1, exactly: words of the incomplete last round are thrown away. n is at most 2³². */
  integer(n: number): number {
    if (!(Number.isInteger(n) && n >= 1 && n <= 2 ** 32))
      throw new RangeError(`integer(n) takes n from 1 to 2^32, not ${n}`);
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const word = this.word();
      if (word < limit) return word % n;
    }
  }

  /** From the exponential distribution of rate 1, by inversion. */
  exponential(): number {
    return -Math.log(this.uniform());
  }

  /**
   * From N(0, 1), by the ziggurat of 256 layers (Marsaglia and Tsang, J. Stat. Software 5(8), 2000). One block of 64 bits for
   * 99 of 100 draws: 8 for the layer, 1 for the sign, 53 for the place in it.
   */
  normal(): number {
    const { x, f } = (this.table ??= zigguratTable());
    for (;;) {
      const high = this.word();
      const layer = high & 255;
      const u = ((high >>> 11) * 0x100000000 + this.word() + 0.5) * 2 ** -53;
      const value = u * x[layer]!;
      const sign = high & 256 ? -1 : 1;
      if (value < x[layer + 1]!) return sign * value;
      if (layer === 0) return sign * this.tail(x[1]!);
      // Between the two edges of the layer's wedge: f[layer] < f[layer + 1].
      if (f[layer]! + this.uniform() * (f[layer + 1]! - f[layer]!) < Math.exp(-0.5 * value * value))
        return sign * value;
    }
  }

  /** Fills `out` with draws from N(0, 1). */
  normals(out: Float64Array): Float64Array {
    const { x } = (this.table ??= zigguratTable());
    const { words } = this;
    for (let i = 0; i < out.length; i++) {
      const { at } = this;
      // `normal` written out for the 99 of 100 that lie inside a layer and whose words are made already.
      if (at < BUFFER_WORDS - 1) {
        const high = words[at]!;
        const layer = high & 255;
        const value = ((high >>> 11) * 0x100000000 + words[at + 1]! + 0.5) * 2 ** -53 * x[layer]!;
        if (value < x[layer + 1]!) {
          this.at = at + 2;
          out[i] = high & 256 ? -value : value;
          continue;
        }
      }
      out[i] = this.normal();
    }
    return out;
  }

  /** From the normal's tail beyond r (Marsaglia 1964): r + a where a ~ Exp(r), accepted with probability exp(−a²/2). */
  private tail(r: number): number {
    for (;;) {
      const a = this.exponential() / r;
      if (2 * this.exponential() > a * a) return r + a;
    }
  }

  /** The next blocks: threefry2x32 of rng.ts with its rounds written out, which is four times as fast. */
  private refill(): void {
    const { words } = this;
    const k0 = this.key[0] | 0;
    const k1 = this.key[1] | 0;
    const k2 = k0 ^ k1 ^ THREEFRY_PARITY;
    let { low, high } = this;
    for (let i = 0; i < BUFFER_WORDS; i += 2) {
      let a = (low + k0) | 0;
      let b = (high + k1) | 0;
      // biome-ignore-start format: one group of four rounds a line
      a = (a + b) | 0;
      b = ((b << 13) | (b >>> 19)) ^ a;
      a = (a + b) | 0;
      b = ((b << 15) | (b >>> 17)) ^ a;
      a = (a + b) | 0;
      b = ((b << 26) | (b >>> 6)) ^ a;
      a = (a + b) | 0;
      b = ((b << 6) | (b >>> 26)) ^ a;
      a = (a + k1) | 0;
      b = (b + k2 + 1) | 0;
      a = (a + b) | 0;
      b = ((b << 17) | (b >>> 15)) ^ a;
      a = (a + b) | 0;
      b = ((b << 29) | (b >>> 3)) ^ a;
      a = (a + b) | 0;
      b = ((b << 16) | (b >>> 16)) ^ a;
      a = (a + b) | 0;
      b = ((b << 24) | (b >>> 8)) ^ a;
      a = (a + k2) | 0;
      b = (b + k0 + 2) | 0;
      a = (a + b) | 0;
      b = ((b << 13) | (b >>> 19)) ^ a;
      a = (a + b) | 0;
      b = ((b << 15) | (b >>> 17)) ^ a;
      a = (a + b) | 0;
      b = ((b << 26) | (b >>> 6)) ^ a;
      a = (a + b) | 0;
      b = ((b << 6) | (b >>> 26)) ^ a;
      a = (a + k0) | 0;
      b = (b + k1 + 3) | 0;
      a = (a + b) | 0;
      b = ((b << 17) | (b >>> 15)) ^ a;
      a = (a + b) | 0;
      b = ((b << 29) | (b >>> 3)) ^ a;
      a = (a + b) | 0;
      b = ((b << 16) | (b >>> 16)) ^ a;
      a = (a + b) | 0;
      b = ((b << 24) | (b >>> 8)) ^ a;
      a = (a + k1) | 0;
      b = (b + k2 + 4) | 0;
      a = (a + b) | 0;
      b = ((b << 13) | (b >>> 19)) ^ a;
      a = (a + b) | 0;
      b = ((b << 15) | (b >>> 17)) ^ a;
      a = (a + b) | 0;
      b = ((b << 26) | (b >>> 6)) ^ a;
      a = (a + b) | 0;
      b = ((b << 6) | (b >>> 26)) ^ a;
      a = (a + k2) | 0;
      b = (b + k0 + 5) | 0;
      // biome-ignore-end format: one group of four rounds a line
      words[i] = a;
      words[i + 1] = b;
      low = (low + 1) >>> 0;
      if (low === 0) high++;
    }
    this.low = low;
    this.high = high;
    this.at = 0;
  }
}
