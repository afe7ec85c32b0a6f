import { describe, expect, test } from "vitest";
import { seedWords, siteWord, threefry2x32, type Words } from "../../src/base/rng.ts";

/** Known answers of threefry2x32 with 20 rounds, from Random123's file kat_vectors (Salmon et al. 2011): counter, key, result. */
const KNOWN: readonly (readonly [Words, Words, Words])[] = [
  [
    [0x00000000, 0x00000000],
    [0x00000000, 0x00000000],
    [0x6b200159, 0x99ba4efe],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x1cb996fc, 0xbb002be7],
  ],
  [
    [0x243f6a88, 0x85a308d3],
    [0x13198a2e, 0x03707344],
    [0xc4923a9c, 0x483df7a0],
  ],
];

test.each(KNOWN)("counter %j and key %j give %j", (counter, key, result) => {
  expect(threefry2x32(key, counter)).toEqual(result);
});

describe("seeds", () => {
  test("become two words, all 53 bits of them", () => {
    expect(seedWords(0)).toEqual([0, 0]);
    expect(seedWords(1)).toEqual([1, 0]);
    expect(seedWords(2 ** 32 + 5)).toEqual([5, 1]);
    expect(seedWords(2 ** 53 - 1)).toEqual([0xffffffff, 0x1fffff]);
  });
  test.each([-1, 0.5, 2 ** 53, Number.NaN])("%d is not one", (seed) => {
    expect(() => seedWords(seed)).toThrow("a seed is an integer from 0 to 2^53 - 1");
  });
});

// Published values of the 32-bit FNV-1a hash (Fowler, Noll, Vo; Eastlake et al., draft-eastlake-fnv, appendix C).
test.each([
  ["", 0x811c9dc5],
  ["a", 0xe40c292c],
  ["foobar", 0xbf9cf968],
])("the site word of %j is its FNV-1a hash", (name, word) => {
  expect(siteWord(name)).toBe(word);
});
