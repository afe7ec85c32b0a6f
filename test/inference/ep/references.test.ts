import { describe, expect, test } from "vitest";
import { bernoulli } from "../../../src/distributions/bernoulli.ts";
import { mixture } from "../../../src/distributions/mixture.ts";
import { normal } from "../../../src/distributions/normal.ts";
import { ep } from "../../../src/inference/ep/ep.ts";
import { model } from "../../../src/model/model.ts";
import { where } from "../../../src/tensor/functions.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";

const variances = (covariance: Float64Array): number[] => {
  const n = Math.sqrt(covariance.length);
  return Array.from({ length: n }, (_, i) => covariance[i * n + i]!);
};
const near = (found: ArrayLike<number>, wanted: readonly number[], relative: number): void => {
  expect(found.length).toBe(wanted.length);
  for (const [i, w] of wanted.entries()) expect(Math.abs(found[i]! / w - 1)).toBeLessThan(relative);
};
const schedules = ["sequential", "parallel"] as const;

/** x_i ~ ½ N(mean, 1) + ½ N(elsewhere, 10) */
const clutter = model(({ sample, observe }, { x, at }: { x: Tensor; at: number }) => {
  const mean = sample("mean", normal(at, 10));
  observe("x", mixture([0.5, 0.5], [normal(mean, 1), normal(at, Math.sqrt(10))]), x);
});

describe("the clutter problem (Minka 2001; the numbers are those of Infer.NET's tests)", () => {
  for (const schedule of schedules) {
    test(`${schedule} updates`, async () => {
      const found = await ep(clutter, { x: [0.1, 2.3], at: 0 }, { schedule });
      expect(found.converged).toBe(true);
      near([found.mean[0]!, found.covariance[0]!, found.logZ], [0.789959, 40.1263, -5.12942], 1e-4);
    });
  }
  test("the answer moves with the data", async () => {
    const found = await ep(clutter, { x: [10000.1, 10002.3], at: 10000 });
    near([found.mean[0]! - 1e4, found.covariance[0]!, found.logZ], [0.789959, 40.1263, -5.12942], 1e-4);
  });
});

/** y = 1[w·x > 0] */
const noiseless = model(({ sample, factor, plate }, { x, y, sd }: { x: Tensor; y: Tensor; sd: number }) => {
  const w = sample("w", normal(0, sd), [3]);
  plate("point", x.shape[0]!, (i) => {
    const margin = x.at(i).mul(w).sum().mul(y.at(i).mul(2).sub(1));
    factor("y", where(margin.gt(0), margin.mul(0), Number.NEGATIVE_INFINITY));
  });
});
const asBernoulli = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
  const w = sample("w", normal(0, 1), [3]);
  const score = x.mul(w).sum(1);
  observe("y", bernoulli(where(score.gt(0), score.mul(0).add(1), 0)), y);
});
const three = { x: [[0, 0, 1], [0, 1, 1], [1, 0, 1]], y: [1, 1, 0] }; // biome-ignore format: three points

describe("probit regression without noise, three points (Infer.NET's Bayes point machine)", () => {
  const mean = [-1.17841019237, 0.514204026417, 0.533030909628];
  const variance = [0.357861959, 0.542426396, 0.162533331];
  const logZ = -2.486152518337251;
  for (const schedule of schedules) {
    test(`${schedule} updates`, async () => {
      const found = await ep(noiseless, { ...three, sd: 1 }, { schedule, tolerance: 1e-11 });
      near(found.mean, mean, 2e-9);
      near(variances(found.covariance), variance, 2e-9);
      near([found.logZ], [logZ], 1e-12);
    });
  }
  test("written as a Bernoulli whose probability is 0 or 1", async () => {
    const found = await ep(asBernoulli, three, { tolerance: 1e-11 });
    near(found.mean, mean, 2e-9);
    near([found.logZ], [logZ], 1e-12);
  });
  test("the scale of the prior is the scale of the answer", async () => {
    const found = await ep(noiseless, { ...three, sd: 1000 }, { tolerance: 1e-11 });
    near(found.mean, mean.map((m) => 1000 * m), 2e-9); // biome-ignore format: short
    near([found.logZ], [logZ], 1e-12);
  });
});

describe("probit regression with noise, six points (Infer.NET)", () => {
  const incomes = [63, 16, 28, 55, 22, 20];
  const ages = [38, 23, 40, 27, 18, 40];
  const y = [1, 0, 1, 1, 0, 0];
  /** P(y = 1) = Φ(w·x), the noise integrated out, in the columns' units. */
  const probit = model(({ sample, observe }, data: { x: Tensor; y: Tensor; sds: Tensor }) => {
    const w = sample("w", normal(0, data.sds));
    observe("y", bernoulli(data.x.mul(w).sum(1).div(Math.SQRT2).erf().add(1).mul(0.5)), data.y);
  });
  const mean = [0.109666345, -0.062557929, -0.827699304];
  const variance = [0.0042035, 0.0032268, 0.8433354];
  for (const schedule of schedules) {
    test(`${schedule} updates`, async () => {
      const x = incomes.map((income, i) => [income, ages[i]!, 1]);
      const found = await ep(probit, { x, y, sds: [1, 1, 1] }, { schedule });
      near(found.mean, mean, 1e-6);
      near(variances(found.covariance), variance, 1e-4);
      near([found.logZ], [-9.47709622], 1e-9);
    });
  }
  test("with a column in units a thousand times smaller, its weight is as much smaller", async () => {
    const x = incomes.map((income, i) => [1000 * income, ages[i]!, 1]);
    const found = await ep(probit, { x, y, sds: [1e-3, 1, 1] });
    near(found.mean, [mean[0]! / 1000, mean[1]!, mean[2]!], 1e-6);
    near([found.logZ], [-9.47709622], 1e-9);
  });
});
