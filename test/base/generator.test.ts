import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { seedWords, siteWord, threefry2x32 } from "../../src/base/rng.ts";
import { ZIGGURAT_LAYERS, zigguratTable } from "../../src/base/ziggurat.ts";
import {
  chiSquareError,
  correlationError,
  kolmogorovSmirnov,
  momentErrors,
  normalCdf,
  tailErrors,
  uniformCdf,
} from "../tensor/normality.ts";

const take = (n: number, next: () => number): Float64Array => Float64Array.from({ length: n }, next);

describe("words", () => {
  // Random123's known answer for threefry2x32 with 20 rounds, counter and key 0 (kat_vectors).
  test("of seed 0 without a stream begin with Threefry's published block", () => {
    const generator = new Generator(0);
    expect([generator.word(), generator.word()]).toEqual([0x6b200159, 0x99ba4efe]);
  });

  test("are Threefry's blocks in the order of their counters, for any key", () => {
    const generator = new Generator(2 ** 40 + 12345);
    for (let block = 0; block < 100; block++) {
      const expected = threefry2x32(seedWords(2 ** 40 + 12345), [block, 0]);
      expect([generator.word(), generator.word()]).toEqual(expected);
    }
  });

  test("of a stream have a key made as tensors' keys are: by name, then by count", () => {
    const generator = new Generator(7, "nuts", 3);
    const named = threefry2x32(seedWords(7), [siteWord("nuts"), 0xffffffff]);
    const numbered = threefry2x32(named, [3, 0xfffffffe]);
    expect([generator.word(), generator.word()]).toEqual(threefry2x32(numbered, [0, 0]));
  });
});

describe("streams", () => {
  const first = (...stream: (number | string)[]) => new Generator(1, ...stream).uniform();
  test("of equal names are equal, of different names different", () => {
    expect(first("a", 1)).toBe(first("a", 1));
    const all = [first(), first("a"), first("a", 1), first("a", 2), first(1), first(1, "a"), first("b", 1)];
    expect(new Set(all).size).toBe(all.length);
  });
  test("of neighbouring counts are uncorrelated", () => {
    const [a, b] = [new Generator(1, "chain", 0), new Generator(1, "chain", 1)];
    const normal = (generator: Generator) => take(100_000, () => generator.normal());
    expect(Math.abs(correlationError(normal(a), normal(b)))).toBeLessThan(4);
  });
  test.each([-1, 0.5, 2 ** 32])("%d is no count", (count) => {
    expect(() => new Generator(1, count)).toThrow("integers from 0 to 2^32 - 1");
  });
});

test("uniform draws are uniform, by Kolmogorov and Smirnov", () => {
  const generator = new Generator(3, "uniform");
  expect(
    kolmogorovSmirnov(
      take(200_000, () => generator.uniform()),
      uniformCdf,
    ),
  ).toBeLessThan(1.95);
});

test("exponential draws have distribution 1 − exp(−x)", () => {
  const generator = new Generator(3, "exponential");
  const draws = take(200_000, () => generator.exponential());
  expect(kolmogorovSmirnov(draws, (x) => -Math.expm1(-x))).toBeLessThan(1.95);
});

describe("normal draws", () => {
  const generator = new Generator(3, "normal");
  const draws = take(1_000_000, () => generator.normal());
  test("have the normal distribution function", () => {
    expect(kolmogorovSmirnov(draws, normalCdf)).toBeLessThan(1.95);
  });
  test("have moments 0, 1, 0, 3", () => {
    for (const error of momentErrors(draws)) expect(Math.abs(error)).toBeLessThan(4);
  });
  test("have the normal's tails, beyond the ziggurat's last layer too", () => {
    for (const error of tailErrors(draws)) expect(Math.abs(error)).toBeLessThan(4);
  });
  test("are uncorrelated with the draw before", () => {
    expect(Math.abs(correlationError(draws.subarray(1), draws.subarray(0, -1)))).toBeLessThan(4);
  });
});

describe("integer(n)", () => {
  test.each([1, 2, 6, 10, 1000])("is uniform on 0 … %d − 1", (n) => {
    const generator = new Generator(3, "integer", n);
    const counts = new Array(n).fill(0);
    for (let i = 0; i < 100_000; i++) counts[generator.integer(n)]++;
    if (n > 1) expect(chiSquareError(counts)).toBeLessThan(4);
    else expect(counts).toEqual([100_000]);
  });
  // With n = 3·2³⁰ a plain remainder would give the first 2³⁰ numbers twice the weight of the others.
  test("is not biased where n does not divide 2^32", () => {
    const generator = new Generator(3, "bias");
    const counts = [0, 0, 0];
    for (let i = 0; i < 30_000; i++) counts[Math.floor(generator.integer(3 * 2 ** 30) / 2 ** 30)]!++;
    expect(chiSquareError(counts)).toBeLessThan(4);
  });
  test.each([0, 1.5, 2 ** 33])("refuses %d", (n) => {
    expect(() => new Generator(1).integer(n)).toThrow("integer(n) takes n from 1 to 2^32");
  });
});

describe("the ziggurat", () => {
  const { x, f } = zigguratTable();
  // The published area has nine digits, so that the areas, about 0.005, agree to 1e-11.
  test("closes: the top layer has the area of the others", () => {
    const area = x[0]! * f[1]!;
    for (let i = 1; i < ZIGGURAT_LAYERS; i++) expect(Math.abs(x[i]! * (f[i + 1]! - f[i]!) - area)).toBeLessThan(1e-11);
  });
  test("has a base strip of that area: rectangle and tail, the tail by the normal's distribution function", () => {
    const tail = Math.sqrt(2 * Math.PI) * (1 - normalCdf(x[1]!));
    expect(Math.abs(x[1]! * f[1]! + tail - x[0]! * f[1]!)).toBeLessThan(1e-11);
  });
});
