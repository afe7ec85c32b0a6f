import { describe, expect, test } from "vitest";
import { hermiteRule } from "../../../src/inference/ep/hermite.ts";
import { GAUSS_WEIGHTS, KRONROD_NODES, KRONROD_WEIGHTS } from "../../../src/inference/ep/kronrod.ts";
import { normalTail } from "../../../src/inference/ep/normal-tail.ts";
import { tiltedByQuadrature, tiltedNearby, workspace } from "../../../src/inference/ep/quadrature.ts";
import type { SiteBlock } from "../../../src/inference/ep/site-block.ts";
import { eigenOf } from "../../../src/inference/ep/small-symmetric.ts";
import { type ClosedForm, tiltedClosed } from "../../../src/inference/ep/tilted-form.ts";

/** A block of one site with this log density. */
const siteOf = (f: (t: number) => number): SiteBlock =>
  ({
    logDensity: (_: Int32Array, t: Float64Array, rows: number, into: Float64Array) => {
      for (let r = 0; r < rows; r++) into[r] = f(t[r]!);
    },
  }) as unknown as SiteBlock;
const tail = { logCdf: 0, hazard: 0 };
const logCdf = (z: number): number => {
  normalTail(z, tail);
  return tail.logCdf;
};
const empty = () => ({ logNormaliser: 0, mean: 0, variance: 0 });

describe("the normal distribution function and its hazard", () => {
  // mpmath: log(ncdf(z)) and npdf(z) / ncdf(z), 30 digits.
  const rows = [
    [-40, -804.608442013754, 40.0249688472073],
    [-8, -35.0134371599145, 8.12136811223611],
    [-2, -3.78318433368203, 2.3732155328228],
    [0, -Math.LN2, 0.797884560802865],
    [1, -0.17275377902345, 0.287599970939179],
    [9, -1.12858840595384e-19, 1.02797735716689e-18],
  ] as const;
  for (const [z, log, hazard] of rows) {
    test(`at ${z}`, () => {
      normalTail(z, tail);
      expect(Math.abs(tail.logCdf / log - 1)).toBeLessThan(1e-13);
      expect(Math.abs(tail.hazard / hazard - 1)).toBeLessThan(1e-13);
    });
  }
});

describe("rules integrate polynomials exactly", () => {
  test("15 nodes to degree 22, the 7 among them to degree 12", () => {
    for (let k = 0; k <= 22; k += 2) {
      const of = (w: Float64Array) => KRONROD_NODES.reduce((sum, x, i) => sum + w[i]! * x ** k, 0);
      expect(of(KRONROD_WEIGHTS)).toBeCloseTo(2 / (k + 1), 14);
      if (k <= 12) expect(of(GAUSS_WEIGHTS)).toBeCloseTo(2 / (k + 1), 14);
    }
  });
  test("Gauss and Hermite's to degree 2n − 1: moments of N(0, 1) are (k − 1)!!", () => {
    const { nodes, logWeights } = hermiteRule(12);
    for (let k = 0, moment = 1; k <= 22; k += 2) {
      const found = nodes.reduce((sum, x, i) => sum + Math.exp(logWeights[i]!) * x ** k, 0);
      expect(Math.abs(found / moment - 1)).toBeLessThan(1e-11);
      moment *= k + 1;
    }
  });
});

describe("tilted moments: closed form and quadrature agree", () => {
  const forms: { name: string; form: ClosedForm; f: (t: number) => number; at: number; jump: boolean }[] = [
    { name: "probit", form: { kind: "probit", slope: -3, offset: 1 }, f: (t) => logCdf(1 - 3 * t), at: 1 / 3, jump: false },
    { name: "half-line", form: { kind: "step", threshold: 0.4, left: -Infinity, right: 0 }, f: (t) => (t > 0.4 ? 0 : -Infinity), at: 0.4, jump: true },
    { name: "step", form: { kind: "step", threshold: 0.4, left: -0.2, right: -3 }, f: (t) => (t > 0.4 ? -3 : -0.2), at: 0.4, jump: true },
  ]; // biome-ignore format: a table
  const cavities = [[0, 1], [-3, 2], [5, 0.01], [0, 1e4], [40, 9]] as const; // biome-ignore format: a list
  for (const { name, form, f, at, jump } of forms) {
    for (const [mean, variance] of cavities) {
      test(`${name} against N(${mean}, ${variance})`, () => {
        const closed = empty();
        expect(tiltedClosed(form, mean, variance, 1, closed)).toBe(true);
        const landmarks = [{ breaks: jump ? [at] : [], points: [at], unit: 1 }];
        const [found] = tiltedByQuadrature(
          siteOf(f),
          [{ site: 0, mean, variance, guess: null }],
          landmarks,
          1,
          workspace(),
        );
        expect(found!.logNormaliser).toBeCloseTo(closed.logNormaliser, 11);
        expect(Math.abs(found!.mean - closed.mean) / Math.sqrt(variance)).toBeLessThan(1e-11);
        expect(Math.abs(found!.variance / closed.variance - 1)).toBeLessThan(1e-9);
      });
    }
  }
  test("a power of a step is a step; a power of a probit has no closed form", () => {
    const step = empty();
    expect(tiltedClosed({ kind: "step", threshold: 0, left: -2, right: 0 }, 0, 1, 0.5, step)).toBe(true);
    expect(step.logNormaliser).toBeCloseTo(Math.log(0.5 + 0.5 * Math.exp(-1)), 14);
    expect(tiltedClosed({ kind: "probit", slope: 1, offset: 0 }, 0, 1, 0.5, step)).toBe(false);
  });
});

describe("quadrature finds its way", () => {
  const task = (mean: number, variance: number) => [{ site: 0, mean, variance, guess: null }];
  test("a peak a thousandth as wide as the cavity", () => {
    // N(t; 3, 0.01²) against N(0, 10²): a product of Gaussians.
    const f = (t: number) => -0.5 * ((t - 3) / 0.01) ** 2;
    const [found] = tiltedByQuadrature(
      siteOf(f),
      task(0, 100),
      [{ breaks: [], points: [3], unit: 0.01 }],
      1,
      workspace(),
    );
    const variance = 1 / (1e4 + 0.01);
    expect(Math.abs(found!.variance / variance - 1)).toBeLessThan(1e-10);
    expect(found!.mean).toBeCloseTo(variance * 3e4, 10);
    expect(found!.logNormaliser).toBeCloseTo(0.5 * Math.log(variance / 100) - (0.5 * 9) / (100 + 1e-4), 9);
  });
  test("mass far outside the cavity: the range grows", () => {
    const f = (t: number) => 30 * t;
    const [found] = tiltedByQuadrature(siteOf(f), task(0, 1), [{ breaks: [], points: [], unit: 1 }], 1, workspace());
    expect(found!.logNormaliser).toBeCloseTo(450, 8);
    expect(found!.mean).toBeCloseTo(30, 9);
    expect(found!.variance).toBeCloseTo(1, 9);
  });
  test("what has no integral is not a number", () => {
    const [found] = tiltedByQuadrature(
      siteOf((t) => t ** 4),
      task(0, 1),
      [{ breaks: [], points: [0], unit: 1 }],
      1,
      workspace(),
    );
    expect(found!.variance).toBeNaN();
  });
  test("the quick rules agree with the panels, or say that they cannot tell", () => {
    const f = (t: number) => -Math.log1p(Math.exp(-2 * t));
    const [panels] = tiltedByQuadrature(
      siteOf(f),
      task(-1, 0.1),
      [{ breaks: [], points: [0], unit: 0.5 }],
      1,
      workspace(),
    );
    const quick = empty();
    const near = { site: 0, mean: -1, variance: 0.1, guess: { mean: panels!.mean, variance: panels!.variance } };
    expect(tiltedNearby(siteOf(f), near, 1, quick)).toBe(true);
    for (const key of ["logNormaliser", "mean", "variance"] as const) expect(quick[key]).toBeCloseTo(panels![key], 8);
    expect(
      tiltedNearby(
        siteOf((t) => (t > 0.3 ? 0 : -5)),
        near,
        1,
        quick,
      ),
    ).toBe(false);
  });
});

test("eigenvectors of a small symmetric matrix rebuild it", () => {
  const a = Float64Array.from([2, -1, 0.3, -1, 0.5, 4, 0.3, 4, -3]);
  const { values, vectors } = eigenOf(a, 3);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      let [sum, inner] = [0, 0];
      for (let e = 0; e < 3; e++) {
        sum += vectors[i * 3 + e]! * values[e]! * vectors[j * 3 + e]!;
        inner += vectors[e * 3 + i]! * vectors[e * 3 + j]!;
      }
      expect(sum).toBeCloseTo(a[i * 3 + j]!, 13);
      expect(inner).toBeCloseTo(i === j ? 1 : 0, 13);
    }
  }
});
