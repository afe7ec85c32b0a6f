import { describe, expect, test } from "vitest";
import { importanceMoments, khatThreshold } from "../../src/diagnostics/psis.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import {
  type Context,
  flat,
  halfCauchy,
  infer,
  type Model,
  model,
  normal,
  positive,
  type Returned,
  stack,
  type Tensor,
} from "../../src/index.ts";
import { hostGaussian } from "../../src/inference/approximation.ts";
import { weigh } from "../../src/inference/certificate.ts";
import { compileLogDensity } from "../../src/inference/compile.ts";
import { compileTarget, negLogDensity } from "../../src/inference/compiled-target.ts";
import { conditionalMode } from "../../src/inference/conditional-modes.ts";
import { Fit } from "../../src/inference/fit.ts";
import { nestedLaplace } from "../../src/inference/nested-laplace.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { mixtureOf } from "../../src/inference/proposal-mixture.ts";
import { slicer } from "../../src/inference/slicer.ts";
import { correlated, gaussianTarget } from "./targets.ts";

const unhurried = slicer(undefined);

async function fitOf(text: Model<never, Returned>, data: object, seed = 0): Promise<Fit> {
  const problem = await problemOf(text, data as never, { runtime: new Runtime({ blas: null }), deterministic: true });
  return new Fit(problem as never, await compileLogDensity(problem as never), { seed });
}

/** Nested Laplace's approximation of a model, and weighted draws from it. */
async function nestedOf(text: Model<never, Returned>, data: object, seed = 0) {
  const fit = await fitOf(text, data, seed);
  const q = await nestedLaplace(fit.problem, await fit.compiled(), await fit.modes(), seed, unhurried);
  return q && { q, draws: await weigh(q, fit.density, 5000, seed, unhurried) };
}

const column = (points: Float64Array, dim: number, j: number) =>
  Float64Array.from({ length: points.length / dim }, (_, s) => points[s * dim + j]!);

describe("a mixture of proposals", () => {
  const parts = [hostGaussian(Float64Array.of(-3, 0), Float64Array.of(1, 2)), hostGaussian(Float64Array.of(2, 1), Float64Array.of(0.5, 1))]; // biome-ignore format: one line
  const mixture = mixtureOf(parts, [0.3, 0.7], 2);

  test("has the density that its parts add up to", () => {
    const x = Float64Array.of(-2.5, 1, 2, 0.3);
    const density = (s: number) => parts.reduce((sum, part, k) => sum + [0.3, 0.7][k]! * Math.exp(part.logDensityOf(x)[s]!), 0); // biome-ignore format: one line
    for (const [s, value] of mixture.logDensityOf(x).entries()) expect(value).toBeCloseTo(Math.log(density(s)), 12);
  });

  test("draws each part in its share, in any stretch, with that part's moments", () => {
    const draws = column(mixture.draw(4000, 5), 2, 0);
    for (const [from, to] of [
      [0, 100],
      [0, 4000],
      [1700, 2100],
    ] as const) {
      // biome-ignore format: one line
      const low = draws.subarray(from, to).filter((v) => v < 0).length / (to - from);
      expect(Math.abs(low - 0.3)).toBeLessThan(0.03);
    }
    const high = draws.filter((v) => v > 0);
    const mean = high.reduce((a, b) => a + b, 0) / high.length;
    expect(mean).toBeCloseTo(2, 1);
    expect(mixture.draw(4000, 5)).toEqual(mixture.draw(4000, 5));
  });
});

describe("the mode of some coordinates where others are held", () => {
  test("is a Gaussian's conditional mean, with its slope and the marginal density of what is held", async () => {
    const target = gaussianTarget(correlated.mean, correlated.precision);
    const fn = negLogDensity(await compileTarget(target));
    const at = async (value: number) => {
      const { found } = await conditionalMode(fn, { held: [1], rest: [0, 2] }, Float64Array.of(value), Float64Array.of(0, 0), unhurried); // biome-ignore format: one line
      return found!;
    };
    const { covariance: c, mean } = correlated;
    const [here, there] = [await at(-2), await at(1)];
    // Regression on coordinate 1: slope c_i1 / c_11.
    for (const [k, i] of [0, 2].entries()) {
      const slope = c[i]![1]! / c[1]![1]!;
      expect(here.slopes[k]!).toBeCloseTo(slope, 10);
      expect(here.rest[k]!).toBeCloseTo(mean[i]!, 8);
      expect(there.rest[k]!).toBeCloseTo(mean[i]! + 3 * slope, 8);
    }
    expect(there.logMass - here.logMass).toBeCloseTo((-0.5 * 3 ** 2) / c[1]![1]!, 8);
  });
});

const y = [28, 8, -3, 7, -1, 1, 18, 12];
const sigma = [15, 10, 16, 11, 9, 11, 10, 18];
type Schools = { y: Tensor; sigma: Tensor };
const centred = model(({ sample, observe, plate }, { y, sigma }: Schools) => {
  const mu = sample("mu", normal(0, 5));
  const tau = sample("tau", halfCauchy(5));
  plate("school", 8, (j) => observe("y", normal(sample("theta", normal(mu, tau)), sigma.at(j)), y.at(j)));
});
const nonCentred = model(({ sample, observe, plate }, { y, sigma }: Schools) => {
  const mu = sample("mu", normal(0, 5));
  const tau = sample("tau", halfCauchy(5));
  plate("school", 8, (j) => observe("y", normal(mu.add(tau.mul(sample("t", normal(0, 1)))), sigma.at(j)), y.at(j)));
});

/** Mean and sd of tau: given tau all else is Gaussian, and a sum over log tau is left. */
function exactTau(): { mean: number; sd: number } {
  let [total, first, second] = [0, 0, 0];
  for (let lambda = -12; lambda < 9; lambda += 0.01) {
    const tau = Math.exp(lambda);
    const precisions = sigma.map((s) => 1 / (s * s + tau * tau));
    const precision = precisions.reduce((a, b) => a + b, 1 / 25);
    const mean = precisions.reduce((sum, p, j) => sum + p * y[j]!, 0) / precision;
    let log = lambda - Math.log1p((tau / 5) ** 2) - 0.5 * Math.log(precision) - (0.5 * mean * mean) / 25;
    for (const [j, p] of precisions.entries()) log += 0.5 * Math.log(p) - 0.5 * p * (y[j]! - mean) ** 2;
    const weight = Math.exp(log);
    total += weight;
    first += weight * tau;
    second += weight * tau * tau;
  }
  return { mean: first / total, sd: Math.sqrt(second / total - (first / total) ** 2) };
}

describe("nested Laplace", () => {
  const exact = exactTau();

  for (const [name, text] of [
    ["centred", centred],
    ["not centred", nonCentred],
  ] as const) {
    // biome-ignore format: one line
    test(`certifies eight schools, ${name}, for every seed, with the exact moments of the scale`, async () => {
      for (let seed = 0; seed < 5; seed++) {
        const posterior = await infer(text, { y, sigma }, { seed });
        expect(posterior.trusted).toBe(true);
        expect(posterior.method).toBe("nested laplace");
        expect(Math.abs(posterior.mean("tau")[0]! - exact.mean) / exact.sd).toBeLessThan(0.1);
        expect(Math.abs(posterior.sd("tau")[0]! / exact.sd - 1)).toBeLessThan(0.1);
      }
    });
  }

  test("fits Neal's funnel, whose mode is far from its mass", async () => {
    const funnel = model(({ sample, plate }: Context) => {
      const v = sample("v", normal(0, 3));
      plate("i", 9, () => sample("x", normal(0, v.div(2).exp())));
    });
    const { q, draws } = (await nestedOf(funnel as never, {}))!;
    expect(draws.khat).toBeLessThan(khatThreshold(5000) - 0.2);
    const { mean, sd } = importanceMoments(draws.logWeights, column(draws.points, q.dim, 0));
    expect(Math.abs(mean) / 3).toBeLessThan(0.1);
    expect(Math.abs(sd / 3 - 1)).toBeLessThan(0.1);
  });

  test("has nothing to say of a Gaussian, nor of a density that bends along many coordinates", async () => {
    const gaussian = model(({ sample, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(sample("x", normal(0, 1), [4]), 1), y);
    });
    expect(await nestedOf(gaussian as never, { y: [1, 2, 3, 4] })).toBeNull();
    // Four bananas: each x bends with the y of its own.
    const bananas = model(({ sample }: Context) => {
      const x = sample("x", normal(0, 2), [4]);
      sample("z", normal(x.square(), 0.3), [4]);
    });
    expect(await nestedOf(bananas as never, {})).toBeNull();
  });

  test("looks for mass on the way to where a density rises without end", async () => {
    // The effects are equal there. Of the prior of the scale's logarithm a part is around 0, and perhaps one around −14.
    const scaled = (parts: (log: Tensor) => readonly Tensor[]) =>
      model(({ sample, observe, factor, plate }, { y }: { y: Tensor }) => {
        const scale = sample("scale", flat(positive));
        const log = scale.log();
        factor("prior", stack(parts(log)).logsumexp(0).sub(log));
        plate("group", 8, (j) => observe("y", normal(sample("effect", normal(0, scale)), 1), y.at(j)));
      });
    const near = (log: Tensor) => log.div(0.5).square().mul(-0.5);
    const far = (log: Tensor) => log.add(14).abs().div(-0.5);
    const nestedIn = async (text: Model<never, Returned>) => {
      const fit = await fitOf(text, { y: [0.3, -0.8, 1.1, 0.2, -0.4, 0.9, -1.2, 0.1] });
      const { best } = await fit.modes();
      const spike = { ...best, x: best.x.map((_, j) => (j === 0 ? -200 : 0)) };
      return nestedLaplace(fit.problem, await fit.compiled(), { best, above: [spike] }, 0, unhurried);
    };
    expect(await nestedIn(scaled((log) => [near(log)]) as never)).not.toBeNull();
    expect(await nestedIn(scaled((log) => [near(log), far(log)]) as never)).toBeNull();
  });
});
