import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fitGeneralizedPareto, tailIndex, tailSize } from "../../src/diagnostics/generalized-pareto.ts";
import { normalQuantile } from "../../src/diagnostics/normal-quantile.ts";
import { loo, waic } from "../../src/diagnostics/predictive-accuracy.ts";
import {
  importanceEss,
  importanceMoments,
  khatOfExpectation,
  khatThreshold,
  khatUnlessEqual,
  psis,
} from "../../src/diagnostics/psis.ts";

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../tables/${name}`, import.meta.url), "utf8"));

const tables = read("psis.json") as {
  readonly smoothing: readonly {
    readonly name: string;
    readonly logWeights: readonly number[];
    readonly relativeEfficiency: number;
    readonly smoothed: readonly number[];
    readonly khat: number;
  }[];
  readonly gaussian: readonly { readonly s: number; readonly draws: number; readonly greatest: readonly number[] }[];
  readonly pareto: readonly {
    readonly k: number;
    readonly sigma: number;
    readonly n: number;
    readonly fittedK: number;
    readonly fittedSigma: number;
  }[];
};

test("nearly equal weights have no tail, whatever Pareto's fits them best", () => {
  const tail = Float64Array.from({ length: 1000 }, (_, i) => (1 - (i + 0.5) / 1000) ** -2);
  const nearlyEqual = psis(tail.map((t) => 1e-9 * t));
  expect(nearlyEqual.khat).toBeGreaterThan(1);
  expect(khatUnlessEqual(nearlyEqual)).toBe(0);
  const heavy = psis(tail.map(Math.log));
  expect(heavy.khat).toBeGreaterThan(1);
  expect(khatUnlessEqual(heavy)).toBe(heavy.khat);
});

describe("generalised Pareto fit", () => {
  const quantiles = (k: number, sigma: number, n: number): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => (sigma * ((1 - (i + 0.5) / n) ** -k - 1)) / k);

  test("of the quantiles of a distribution with k = 1/2 and σ = 1", () => {
    const fit = fitGeneralizedPareto(quantiles(0.5, 1, 1000));
    expect(fit.k).toBeCloseTo(0.500397, 7);
    expect(fit.sigma).toBeCloseTo(0.99908, 7);
  });

  test.each(tables.pareto)("is ArviZ's for k = $k, σ = $sigma, n = $n", ({ k, sigma, n, fittedK, fittedSigma }) => {
    const fit = fitGeneralizedPareto(quantiles(k, sigma, n));
    expect(fit.k).toBeCloseTo(fittedK, 10);
    expect(fit.sigma / fittedSigma).toBeCloseTo(1, 10);
  });
});

describe("Pareto smoothed importance sampling", () => {
  // NumPyro's test. Only the greatest weights are stored: the body does not enter the fit, but its size does.
  const published: Record<string, number> = {
    "0.5": 0.9080815512,
    "0.7": 0.63714595,
    "0.9": 0.2749448132,
    "0.99": 0.0801835517,
  };
  test.each(tables.gaussian)("k-hat of N(0, $s²) in three dimensions for N(0, 1)", ({ s, draws, greatest }) => {
    expect(tailSize(draws)).toBe(671);
    const logWeights = new Float64Array(draws).fill(-700);
    greatest.forEach((value, i) => {
      logWeights[(i * 71) % draws] = value;
    });
    expect(psis(logWeights).khat).toBeCloseTo(published[s]!, 9);
  });

  test.each(tables.smoothing)("ArviZ on $name", ({ logWeights, relativeEfficiency, smoothed, khat }) => {
    const ours = psis(logWeights, { relativeEfficiency });
    expect(ours.khat).toBeCloseTo(khat, 9);
    ours.logWeights.forEach((value, i) => expect(value).toBeCloseTo(smoothed[i]!, 9));
    expect(ours.logWeights.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 12);
  });

  test("draws without mass keep none", () => {
    const weights = psis([-Infinity, ...Array.from({ length: 99 }, (_, i) => Math.sin(i))]);
    expect(weights.logWeights[0]).toBe(-Infinity);
    expect(weights.khat).toBeLessThan(0.7);
  });

  test("equal weights stay equal and have nothing to fit", () => {
    const { logWeights, khat } = psis(new Float64Array(100).fill(-3.5));
    expect(khat).toBe(-Infinity);
    expect(logWeights[17]).toBeCloseTo(-Math.log(100), 12);
  });

  test.each([
    ["NaN", [0, Number.NaN, 1, 2]],
    ["infinite", [0, Infinity, 1, 2]],
    ["no mass at all", [-Infinity, -Infinity]],
    ["too few", [0, 1, 2, 3, 4, 5, 6, 7]],
  ])("weights that are %s certify nothing", (_, logWeights) => expect(psis(logWeights).khat).toBe(Infinity));

  test("the threshold rises with the draws up to 0.7", () => {
    expect(khatThreshold(100)).toBeCloseTo(0.5, 12);
    expect(khatThreshold(1e6)).toBe(0.7);
  });
});

describe("importance weights", () => {
  test("effective draws are S for equal weights, 1 for one that outweighs all, (Σw)²/Σw² between", () => {
    expect(importanceEss([5, 5, 5, 5])).toBeCloseTo(4, 12);
    expect(importanceEss([0, 800, 0])).toBeCloseTo(1, 12);
    expect(importanceEss([Math.log(1), Math.log(2), Math.log(3)])).toBeCloseTo(36 / 14, 12);
  });

  test("moments of N(1, 2²) from draws of N(0, 3²) come within their errors, which are those of repeated draws", () => {
    let seed = 7;
    const uniform = (): number => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    const estimates = Array.from({ length: 200 }, () => {
      const z = Float64Array.from({ length: 400 }, () => 3 * normalQuantile(uniform()));
      return importanceMoments(
        z.map((x) => -0.5 * ((x - 1) / 2) ** 2 + 0.5 * (x / 3) ** 2),
        z,
      );
    });
    const sd = (values: number[]): number => {
      const centre = values.reduce((a, b) => a + b) / values.length;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length);
    };
    const average = (values: number[]): number => values.reduce((a, b) => a + b) / values.length;
    expect(average(estimates.map((e) => e.mean))).toBeCloseTo(1, 1);
    expect(average(estimates.map((e) => e.sd))).toBeCloseTo(2, 1);
    // The sd of 200 estimates is known to 5 %.
    expect(average(estimates.map((e) => e.mcseMean)) / sd(estimates.map((e) => e.mean))).toBeCloseTo(1, 0.7);
    expect(average(estimates.map((e) => e.mcseSd)) / sd(estimates.map((e) => e.sd))).toBeCloseTo(1, 0.7);
  });

  test("the tail index of a Pareto distribution is 1/α, of the normal one near 0, of a bounded one below it", () => {
    const levels = Float64Array.from({ length: 20_000 }, (_, i) => (i + 0.5) / 20_000);
    expect(tailIndex(levels.map((p) => (1 - p) ** (-1 / 1.6)))).toBeCloseTo(1 / 1.6, 1);
    expect(Math.abs(tailIndex(levels.map(normalQuantile)))).toBeLessThan(0.15);
    expect(tailIndex(levels)).toBeLessThan(-0.8);
  });

  test("k-hat of an expectation sees a variance that is infinite where the weights alone look sound", () => {
    // w has tail index 0.4 and h of the same draws as well, so that h w has 0.8.
    const levels = Array.from({ length: 5000 }, (_, i) => (((i * 1663) % 5000) + 0.5) / 5000);
    const logWeights = levels.map((p) => -0.4 * Math.log1p(-p));
    const values = levels.map((p) => -((1 - p) ** -0.4));
    expect(psis(logWeights).khat).toBeCloseTo(0.4, 1);
    expect(khatOfExpectation(logWeights, values)).toBeCloseTo(0.8, 1);
    expect(khatOfExpectation(logWeights, new Array(5000).fill(3))).toBeCloseTo(0.4, 1);
  });
});

describe("predictive accuracy", () => {
  const { predictive } = read("diagnostics.json") as {
    readonly predictive: {
      readonly logLikelihood: readonly (readonly number[])[];
      readonly relativeEfficiency: number;
      readonly loo: Oracle & { readonly khat: readonly number[] };
      readonly waic: Oracle;
    };
  };
  interface Oracle {
    readonly elpd: number;
    readonly se: number;
    readonly p: number;
    readonly pointwise: readonly number[];
  }
  const draws = predictive.logLikelihood.length;
  const observations = predictive.logLikelihood[0]!.length;
  const matrix = { values: predictive.logLikelihood.flat(), draws, observations };
  /** ArviZ divides by n, where the variance of a sample has n − 1. */
  const correction = Math.sqrt(observations / (observations - 1));

  test("PSIS-LOO is ArviZ's", () => {
    const { relativeEfficiency, loo: oracle } = predictive;
    const ours = loo(matrix, { relativeEfficiency });
    expect(ours.elpd).toBeCloseTo(oracle.elpd, 9);
    expect(ours.effectiveParameters).toBeCloseTo(oracle.p, 9);
    expect(ours.se).toBeCloseTo(oracle.se * correction, 9);
    oracle.pointwise.forEach((value, i) => expect(ours.pointwise[i]).toBeCloseTo(value, 9));
    oracle.khat.forEach((value, i) => expect(ours.khat[i]).toBeCloseTo(value, 9));
  });

  test("WAIC is ArviZ's, but for the divisor of the variance", () => {
    const ours = waic(matrix);
    // p_waic is a sum of variances over draws, for which ArviZ divides by S.
    expect(ours.effectiveParameters).toBeCloseTo((predictive.waic.p * draws) / (draws - 1), 9);
    expect(ours.elpd + ours.effectiveParameters).toBeCloseTo(predictive.waic.elpd + predictive.waic.p, 9);
    expect(ours.se).toBeCloseTo(predictive.waic.se * correction, 1);
  });

  test("an observation that the others do not support is named", () => {
    const surprising = {
      ...matrix,
      values: matrix.values.map((value, j) => (j % observations === 2 ? value * 40 : value)),
    };
    expect(loo(surprising).unreliable).toContain(2);
    expect(waic(surprising).unreliable).toContain(2);
    expect(loo(matrix).unreliable).not.toContain(2);
  });
});
