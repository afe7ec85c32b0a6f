import { describe, expect, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { betaBinomial } from "../../src/distributions/beta-binomial.ts";
import { binomial } from "../../src/distributions/binomial.ts";
import { categorical } from "../../src/distributions/categorical.ts";
import { type Distribution, paramsOf } from "../../src/distributions/distribution.ts";
import { gamma } from "../../src/distributions/gamma.ts";
import { geometric } from "../../src/distributions/geometric.ts";
import { lkjCholesky } from "../../src/distributions/lkj-cholesky.ts";
import { multinomial } from "../../src/distributions/multinomial.ts";
import { multivariateNormal } from "../../src/distributions/multivariate-normal.ts";
import { negativeBinomial } from "../../src/distributions/negative-binomial.ts";
import { normal } from "../../src/distributions/normal.ts";
import { orderedLogistic } from "../../src/distributions/ordered-logistic.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { truncated } from "../../src/distributions/truncated.ts";
import { zeroInflated } from "../../src/distributions/zero-inflated.ts";
import { evaluate, given } from "../evaluate.ts";
import { integrate } from "../quadrature.ts";

const of = (d: unknown): Distribution => d as Distribution;
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
const upTo = (n: number): number[] => Array.from({ length: n + 1 }, (_, k) => k);

describe("probabilities sum to one, and mean and variance are sums over them", () => {
  const cases: readonly [string, Distribution, number][] = [
    ["bernoulli(0.3)", of(bernoulli(0.3)), 1],
    ["bernoulli({ logits: -2 })", of(bernoulli({ logits: -2 })), 1],
    ["categorical", of(categorical([0.2, 0, 0.5, 0.3])), 3],
    ["categorical by logits", of(categorical({ logits: [3, -1, 0.5] })), 2],
    ["orderedLogistic", of(orderedLogistic(0.5, [-1, 0.25, 3])), 3],
    ["orderedLogistic with one cutpoint", of(orderedLogistic(0.5, [-1])), 1],
    ["binomial(25, 0.3)", of(binomial(25, 0.3)), 25],
    ["binomial by logits", of(binomial({ total: 40, logits: 1.5 })), 40],
    ["binomial(0, 0.3)", of(binomial(0, 0.3)), 0],
    ["betaBinomial(30, 0.5, 2)", of(betaBinomial(30, 0.5, 2)), 30],
    ["poisson(7)", of(poisson(7)), 100],
    ["poisson by logRate", of(poisson({ logRate: 2.5 })), 120],
    ["geometric(0.2)", of(geometric(0.2)), 300],
    ["geometric by logits", of(geometric({ logits: 1 })), 100],
    ["negativeBinomial(6, 1.5)", of(negativeBinomial(6, 1.5)), 500],
    ["negativeBinomial by logMean", of(negativeBinomial({ logMean: 1, concentration: 0.5 })), 800],
    ["zeroInflated(poisson(4), 0.3)", zeroInflated(of(poisson(4)), 0.3), 60],
    ["zeroInflated(binomial(9, 0.4), 0)", zeroInflated(of(binomial(9, 0.4)), 0), 9],
    ["negativeBinomial by probs", of(negativeBinomial({ total: 3.5, probs: 0.5 })), 200],
  ];
  test.each(cases)("%s", async (_, d, top) => {
    const found = await evaluate({ x: given([top + 1], upTo(top)) }, ({ x }) => {
      const params = paramsOf(x.trace, d);
      return {
        logProb: d.family.logProb(x, params),
        mean: d.family.mean!(params),
        variance: d.family.variance!(params),
      };
    });
    const p = found.logProb!.map(Math.exp);
    const mean = sum(p.map((q, k) => q * k));
    expect(sum(p)).toBeCloseTo(1, 12);
    expect(found.mean![0]).toBeCloseTo(mean, 10);
    expect(found.variance![0]).toBeCloseTo(sum(p.map((q, k) => q * (k - mean) ** 2)), 9);
  });

  test("multinomial over all ways to share five among three", async () => {
    const ways = upTo(5).flatMap((a) => upTo(5 - a).map((b) => [a, b, 5 - a - b]));
    const { logProb } = await evaluate({ x: given([ways.length, 3], ways.flat()) }, ({ x }) => {
      const d = of(multinomial(5, [0.2, 0.5, 0.3]));
      return { logProb: d.family.logProb(x, paramsOf(x.trace, d)) };
    });
    const p = logProb!.map(Math.exp);
    expect(sum(p)).toBeCloseTo(1, 13);
    expect(sum(p.map((q, i) => q * ways[i]![1]!))).toBeCloseTo(2.5, 12);
  });
});

describe("distribution functions", () => {
  const cases: readonly [string, Distribution, number[]][] = [
    ["poisson(0.3)", of(poisson(0.3)), [0, 1, 3, 9]],
    ["poisson({ logRate: 4 })", of(poisson({ logRate: 4 })), [10, 40, 55, 70, 120]],
    ["geometric(0.2)", of(geometric(0.2)), [0, 1, 30]],
    ["geometric({ logits: 1 })", of(geometric({ logits: 1 })), [0, 1, 20]],
  ];
  test.each(cases)("of %s are the sums of its probabilities, in either tail", async (_, d, at) => {
    const top = 400;
    const found = await evaluate({ x: given([top + 1], upTo(top)), at: given([at.length], at) }, ({ x, at }) => {
      const params = paramsOf(x.trace, d);
      return {
        logProb: d.family.logProb(x, params),
        cdf: d.family.logCdf!(at, params),
        survival: d.family.logSurvival!(at, params),
        within: d.family.logCdf!(at.add(0.5), params),
        below: d.family.logCdf!(at.mul(0).sub(1), params),
        all: d.family.logSurvival!(at.mul(0).sub(1), params),
      };
    });
    const p = found.logProb!.map(Math.exp);
    for (const [i, k] of at.entries()) {
      const [cdf, survival] = [sum(p.slice(0, k + 1)), sum(p.slice(k + 1).reverse())];
      expect(Math.abs(found.cdf![i]! - Math.log(cdf))).toBeLessThan(1e-12 * Math.max(1, -Math.log(cdf)));
      expect(Math.abs(found.survival![i]! - Math.log(survival))).toBeLessThan(1e-11 * Math.max(1, -Math.log(survival)));
      expect(found.within![i]).toBe(found.cdf![i]);
      expect(found.below![i]).toBe(Number.NEGATIVE_INFINITY);
      expect(found.all![i]).toBeCloseTo(0, 15);
    }
  });

  test("of the geometric distribution are inverted to the least count that reaches a probability", async () => {
    const p = [1e-12, 0.19, 0.21, 0.5, 0.999, 1 - 1e-12];
    const found = await evaluate({ p: given([p.length], p) }, ({ p }) => {
      const d = of(geometric(0.2));
      const params = paramsOf(p.trace, d);
      return { quantile: d.family.quantile!(p, params), tail: d.family.fromLogSurvival!(p.neg().log1p(), params) };
    });
    for (const [i, q] of p.entries()) {
      let [k, reached] = [0, 0.2];
      while (reached < q) reached += 0.2 * 0.8 ** ++k;
      expect(found.quantile![i]).toBe(k);
      expect(found.tail![i]).toBe(k);
    }
  });

  test("normalise what is truncated", async () => {
    for (const d of [truncated(of(poisson(1.5)), { low: 1 }), truncated(of(geometric(0.1)), { low: 2, high: 7 })]) {
      const { logProb } = await evaluate({ x: given([60], upTo(59)) }, ({ x }) => ({
        logProb: d.family.logProb(x, paramsOf(x.trace, d)),
      }));
      expect(sum(logProb!.map(Math.exp))).toBeCloseTo(1, 12);
      expect(logProb![0]).toBe(Number.NEGATIVE_INFINITY);
    }
  });
});

describe("the LKJ factors", () => {
  test("of size 2 have a density of the correlation that integrates to one", async () => {
    for (const concentration of [1, 0.75, 4]) {
      const nodes: number[] = [];
      integrate((r) => nodes.push(r), -1, 1);
      const matrices = nodes.flatMap((r) => [1, 0, r, Math.sqrt(1 - r * r)]);
      const { logProb } = await evaluate({ x: given([nodes.length, 2, 2], matrices) }, ({ x }) => {
        const d = of(lkjCholesky(2, concentration));
        return { logProb: d.family.logProb(x, paramsOf(x.trace, d)) };
      });
      let i = 0;
      // At concentration 0.75 the integrand is infinite at the ends, and quadrature good to some digits only.
      expect(integrate(() => Math.exp(logProb![i++]!), -1, 1)).toBeCloseTo(1, concentration < 1 ? 1 : 10);
    }
  });
});

describe("the multivariate normal distribution", () => {
  test("takes a number for the mean as a vector of it, whatever the matrix is", async () => {
    const square = [[2, 0.5], [0.5, 1]]; // biome-ignore format: a matrix
    const x = [0.3, -1.2];
    const found = await evaluate(
      { x: given([2], x), m: given([2, 2], square.flat()), mu: given([], [0.7]) },
      ({ x, m, mu }) => {
        const by = (d: unknown) => of(d).family.logProb(x, paramsOf(x.trace, of(d)));
        return {
          vector: by(multivariateNormal([0.7, 0.7], square)),
          number: by(multivariateNormal(0.7, square)),
          named: by(multivariateNormal({ mean: 0.7, covariance: m })),
          scalar: by(multivariateNormal(mu, m)),
        };
      },
    );
    for (const key of ["number", "named", "scalar"]) expect(found[key]![0]).toBeCloseTo(found.vector![0]!, 14);
  });
});

describe("what cannot be is said with what would be right", () => {
  const cases: readonly [string, () => unknown, string][] = [
    ["a probability above 1", () => bernoulli(1.2), "bernoulli: probs is 1.2, but it must be a number from 0 to 1. Usage: bernoulli(probs)"],
    ["a name of no parameterisation", () => poisson({ mean: 2 } as never), "poisson does not take { mean }: give { rate } or { logRate }"],
    ["a name after a number", () => binomial(10, { logits: 0.3 } as never), "binomial does not take { logits } beside others without a name: give all of { total, probs } or { total, logits }"],
    ["a name after a number, of a single parameterisation", () => gamma(1, { rate: 2 } as never), "gamma takes all its parameters by position or all by name: gamma(shape, rate = 1)"],
    ["probabilities that do not sum to 1", () => categorical([0.5, 0.6]), "categorical: probs = [0.5, 0.6] are no probabilities: they sum to 1.1"],
    ["two scales", () => normal({ mean: 0, sd: 1, precision: 2 }), "normal: sd and precision are given, but the scale is one of them"],
    ["a variance below 0", () => normal({ mean: 0, variance: -1 }), "normal: variance is -1, but it must be a number above 0"],
    ["a precision that is not there", () => normal({ mean: 0, precision: undefined }), "normal: precision is undefined, but it must be a number above 0"],
    ["half a trial", () => binomial(2.5, 0.1), "binomial: total is 2.5, but it must be an integer of at least 0. Usage: binomial(total, probs)"],
    ["a matrix of no rows", () => lkjCholesky(1), "lkjCholesky: the size is 1, but it must be an integer of at least 2, the number of rows"],
    ["zeros twice", () => zeroInflated(zeroInflated(of(poisson(1)), 0.1), 0.1), "zeroInflated(zeroInflated poisson): it has an inflation already"],
    ["zeros in vectors", () => zeroInflated(of(multinomial(3, [0.5, 0.5])), 0.1), "zeroInflated takes a distribution of numbers, not multinomial"],
    ["an inflation of 2", () => zeroInflated(of(poisson(1)), 2), "zeroInflated(poisson): inflation is 2, but it must be a probability from 0 to 1"],
  ]; // biome-ignore format: one case a line
  test.each(cases)("%s", (_, make, message) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });
});
