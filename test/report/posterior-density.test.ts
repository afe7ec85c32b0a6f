import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { bandwidthOf, densityOf, quantileOf } from "../../src/report/posterior-density.ts";

const normals = (count: number, of: (z: number) => number = (z) => z) =>
  new Generator(1, "density").normals(new Float64Array(count)).map(of);

/** By the trapezoidal rule. */
const integral = (points: readonly { x: number; y: number }[]) =>
  points.slice(1).reduce((sum, p, i) => sum + ((p.x - points[i]!.x) * (p.y + points[i]!.y)) / 2, 0);
const at = (points: readonly { x: number; y: number }[], x: number) =>
  points.reduce((best, p) => (Math.abs(p.x - x) < Math.abs(best.x - x) ? p : best)).y;

describe("a kernel density estimate", () => {
  test("of normal draws is the normal density, and integrates to one", () => {
    const { points } = densityOf(normals(20_000))!;
    expect(integral(points)).toBeCloseTo(1, 2);
    for (const x of [-2, -1, 0, 0.5, 1.5]) {
      expect(Math.abs(at(points, x) - Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI))).toBeLessThan(0.02);
    }
  });

  test("does not leak below the zero of a scale", () => {
    // |z| of normal z has the density 2 φ(0) = 0.798 at zero; without reflection half of it would be lost there.
    const { points } = densityOf(normals(20_000, Math.abs))!;
    expect(points[0]!.x).toBeGreaterThanOrEqual(0);
    expect(points[0]!.y).toBeCloseTo(0.798, 1);
    expect(integral(points)).toBeCloseTo(1, 2);
  });

  test("ends in tails where the values do not crowd, and goes on beyond the outermost value", () => {
    const values = normals(500);
    const { points } = densityOf(values)!;
    expect(points[0]!.x).toBeLessThan(Math.min(...values));
    expect(points[0]!.y).toBeLessThan(0.01);
  });

  test("keeps modes apart that lie far from each other", () => {
    const draws = normals(4000).map((z, i) => (i % 2 ? 30 : 0) + z);
    const { points } = densityOf(draws)!;
    expect(at(points, 0)).toBeGreaterThan(0.1);
    expect(at(points, 15)).toBeLessThan(0.001);
  });

  test("of a few whole numbers is their shares", () => {
    expect(densityOf([2, 0, 2, 1, 2, 0, 2, 2])).toEqual({
      isDiscrete: true,
      points: [
        { x: 0, y: 0.25 },
        { x: 1, y: 0.125 },
        { x: 2, y: 0.625 },
      ],
    });
  });

  test.each([[[]], [[3]], [[3, 3, 3]], [[Number.NaN, 2]]])("there is none of %j", (values) => {
    expect(densityOf(values)).toBeNull();
  });

  test("passes over values that are not finite", () => {
    const values = normals(200);
    expect(densityOf([...values, Number.NaN, Number.POSITIVE_INFINITY])).toEqual(densityOf(values));
  });
});

test("the bandwidth of normal draws is Silverman's 1.06 σ n^(−1/5)", () => {
  const values = normals(10_000, (z) => 3 * z).sort();
  // The smallest of three estimates of σ lies a little below it.
  expect(bandwidthOf(values) / (1.06 * 3 * 10_000 ** -0.2)).toBeGreaterThan(0.9);
  expect(bandwidthOf(values) / (1.06 * 3 * 10_000 ** -0.2)).toBeLessThan(1.02);
});

test("quantiles lie between neighbours in proportion (numpy's default)", () => {
  expect(quantileOf([1, 2, 4, 8], 0.5)).toBe(3);
  expect(quantileOf([1, 2, 4, 8], 0.9)).toBeCloseTo(6.8, 12);
  expect(quantileOf([5], 0.3)).toBe(5);
});
