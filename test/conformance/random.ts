/** A small seeded generator for test data (Mulberry32): the values matter not, that they repeat does. */
export class Random {
  private word: number;

  constructor(seed: number) {
    this.word = Math.imul(seed, 0x9e3779b1) | 0;
  }

  /** The next 32 bits. */
  bits(): number {
    this.word = (this.word + 0x6d2b79f5) | 0;
    let t = Math.imul(this.word ^ (this.word >>> 15), 1 | this.word);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** An integer from 0 to n − 1. */
  below(n: number): number {
    return Math.floor((this.bits() / 2 ** 32) * n);
  }

  between(low: number, high: number): number {
    return low + (this.bits() / 2 ** 32) * (high - low);
  }

  chance(p: number): boolean {
    return this.bits() / 2 ** 32 < p;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  shuffled<T>(list: readonly T[]): T[] {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }
}
