/**
 * Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
 * a block cipher used as a counter-based generator. The same key and counter always give the same two words.
 */
export const THREEFRY_ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
export const THREEFRY_ROUNDS = 20;
/** The constant of the key schedule, from Skein. */
export const THREEFRY_PARITY = 0x1bd11bda;

export type Words = readonly [number, number];

/** The two words of one block, for keys made on the host and as the oracle of the generator inside programs. */
export function threefry2x32(key: Words, counter: Words): [number, number] {
  const ks = [key[0], key[1], key[0] ^ key[1] ^ THREEFRY_PARITY];
  let x0 = (counter[0] + ks[0]!) | 0;
  let x1 = (counter[1] + ks[1]!) | 0;
  for (let round = 0; round < THREEFRY_ROUNDS; round++) {
    const r = THREEFRY_ROTATIONS[round % 8]!;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    if (round % 4 === 3) {
      const s = (round + 1) / 4;
      x0 = (x0 + ks[s % 3]!) | 0;
      x1 = (x1 + ks[(s + 1) % 3]! + s) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** A seed (an integer from 0 to 2⁵³ − 1) as the two words of a key. */
export function seedWords(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new RangeError(`a seed is an integer from 0 to 2^53 - 1, not ${seed}`);
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** A site's name as a word (FNV-1a, 32 bits). */
export function siteWord(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
