import {
  categorical,
  estimate,
  halfNormal,
  infer,
  logEvidence,
  matvec,
  model,
  naiveLogEvidence,
  normal,
  type Posterior,
  positive,
  type Tensor,
} from "ansatz";
import { describe, expect, test } from "vitest";

const y = Array.from({ length: 20 }, (_, i) => 3 + 2.5 * Math.sin(1.7 * i) + Math.cos(3 * i));
const mean = y.reduce((a, b) => a + b, 0) / y.length;
const variance = y.reduce((a, b) => a + (b - mean) ** 2, 0) / y.length;

/** z_i ~ N(mu, tau²), y_i ~ N(z_i, 1): the marginal of y_i is N(mu, tau² + 1). */
const latentMeans = model(({ sample, observe, plate, param }, { y }: { y: Tensor }) => {
  const mu = param("mu", { prior: normal(0, 1) });
  const tau = param("tau", { support: positive });
  plate("row", y.shape[0]!, (i) => observe("y", normal(sample("z", normal(mu, tau)), 1), y.at(i)));
});

describe("a Gaussian latent model with unknown θ", () => {
  test("maximum likelihood is the closed form, and the bound is log p(y; θ) itself", async () => {
    const { parameters, negElbo, converged } = await estimate(latentMeans, { y }, { by: "ml" });
    expect(converged).toBe(true);
    expect(parameters.mu!.values[0]).toBeCloseTo(mean, 6);
    expect(parameters.tau!.values[0]).toBeCloseTo(Math.sqrt(variance - 1), 6);
    expect(negElbo).toBeCloseTo((y.length / 2) * (Math.log(2 * Math.PI * variance) + 1), 8);
  });

  test("with a prior it is the maximum of the posterior density: the score is zero there", async () => {
    const { parameters } = await estimate(latentMeans, { y }, { by: "map" });
    const [mu, tau] = [parameters.mu!.values[0]!, parameters.tau!.values[0]!];
    const v = tau ** 2 + 1;
    const residuals = y.map((value) => value - mu);
    expect(residuals.reduce((a, r) => a + r / v, 0) - mu).toBeCloseTo(0, 5);
    expect(residuals.reduce((a, r) => a + (r * r) / v - 1, 0)).toBeCloseTo(0, 4);
  });

  test("with q(θ) as well it is the posterior of θ, held against quadrature over the exact marginal", async () => {
    const full = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const mu = sample("mu", normal(0, 1));
      const tau = sample("tau", halfNormal(3));
      plate("row", y.shape[0]!, (i) => observe("y", normal(sample("z", normal(mu, tau)), 1), y.at(i)));
      return { mu, tau };
    });
    const posterior = await infer(full, { y }, { method: "nuts", seed: 2 });
    let [total, first, second] = [0, 0, 0];
    for (let mu = -1; mu < 6; mu += 0.02) {
      for (let tau = 0.01; tau < 8; tau += 0.02) {
        const v = tau ** 2 + 1;
        const square = y.reduce((a, value) => a + (value - mu) ** 2, 0);
        const logDensity = -(mu ** 2) / 2 - tau ** 2 / 18 - (y.length / 2) * Math.log(v) - square / (2 * v);
        const weight = Math.exp(logDensity + 40);
        total += weight;
        first += weight * mu;
        second += weight * tau;
      }
    }
    expect(Math.abs(posterior.mean("mu")[0]! - first / total)).toBeLessThan(0.1 * posterior.sd("mu")[0]!);
    expect(Math.abs(posterior.mean("tau")[0]! - second / total)).toBeLessThan(0.1 * posterior.sd("tau")[0]!);
  });

  test("the posterior of z at the estimate is the exact one, N((y + mu/tau²) / (1 + 1/tau²), …)", async () => {
    const fitted = await estimate(latentMeans, { y }, { by: "ml" });
    const [mu, tau] = [fitted.parameters.mu!.values[0]!, fitted.parameters.tau!.values[0]!];
    const posterior = await fitted.posterior();
    const z = posterior.mean("z");
    const precision = 1 + 1 / tau ** 2;
    for (const [i, value] of y.entries()) {
      expect(Math.abs(z[i]! - (value + mu / tau ** 2) / precision)).toBeLessThan(4.5 / Math.sqrt(precision * 4000));
    }
  });
});

test("weights of a mixture by maximum likelihood, its labels summed out, agree with EM", async () => {
  const mixture = model(({ sample, observe, plate, param }, { y }: { y: Tensor }) => {
    const low = param("low", { initial: -1 });
    plate("row", y.shape[0]!, (i) => {
      const k = sample("k", categorical([0.4, 0.6]));
      observe("y", normal(low.add(k.mul(4)), 1), y.at(i));
    });
  });
  const data = [-1.3, 0.2, 4.1, 3.6, -0.4, 3.1, 0.9, 4.4];
  const { parameters } = await estimate(mixture, { y: data }, { by: "ml" });
  let low = 0;
  for (let sweep = 0; sweep < 500; sweep++) {
    let sum = 0;
    for (const v of data) {
      const [a, b] = [0.4 * Math.exp(-((v - low) ** 2) / 2), 0.6 * Math.exp(-((v - low - 4) ** 2) / 2)];
      sum += (a * v + b * (v - 4)) / (a + b);
    }
    low = sum / data.length;
  }
  expect(parameters.low!.values[0]).toBeCloseTo(low, 5);
});

test("a model without parameters has nothing to estimate", async () => {
  const none = model(({ sample }) => void sample("x", normal(0, 1)));
  await expect(estimate(none, {}, { by: "ml" })).rejects.toThrow(/estimate needs a parameter: declare θ by param/);
});

describe("the evidence of a Gaussian mean", () => {
  const location = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
    const mu = sample("mu", normal(0, 3));
    plate("row", y.shape[0]!, (i) => observe("y", normal(mu, 1), y.at(i)));
    return { mu };
  });
  // y ~ N(0, I + 9 11ᵀ)
  const n = y.length;
  const sum = n * mean;
  const square = y.reduce((a, v) => a + v * v, 0);
  const exact = -0.5 * (n * Math.log(2 * Math.PI) + Math.log(1 + 9 * n) + square - (9 * sum * sum) / (1 + 9 * n));

  test("importance sampling from the exact posterior has no error at all", async () => {
    const found = logEvidence((await infer(location, { y })) as unknown as Posterior);
    expect(found.logEvidence).toBeCloseTo(exact, 6);
    expect(found.standardError).toBeLessThan(1e-6);
  });

  test("the naive estimator from the prior is right within its own, larger error", async () => {
    const found = await naiveLogEvidence(location, { y }, { draws: 20_000 });
    expect(found.standardError).toBeGreaterThan(0.01);
    expect(Math.abs(found.logEvidence - exact)).toBeLessThan(4 * found.standardError);
  });
});

/** x_i = W z_i + m + sigma · noise, probabilistic principal components. */
const components = model(({ sample, observe, plate, param }, { x }: { x: Tensor }) => {
  const [rows, width] = x.shape as [number, number];
  const w = param("w", { shape: [width, 2] });
  const m = param("m", { shape: [width] });
  const sigma = param("sigma", { support: positive });
  plate("row", rows, (i) => observe("x", normal(matvec(w, sample("z", normal(0, 1), [2])).add(m), sigma), x.at(i)));
});

describe("where a fit by gradients starts, and where it may stop", () => {
  const wave = (f: number, i: number) => Math.SQRT2 * Math.sin(f * i + f);
  /** Orthogonal columns, by sines of different periods: variances 5, 2, 0.3 and 0.1 about the means 1, 2, 3 and 4. */
  const rows = (n: number) =>
    Array.from({ length: n }, (_, i) => [5, 2, 0.3, 0.1].map((v, j) => j + 1 + Math.sqrt(v) * wave((2 * Math.PI * (j + 1)) / n, i))); // biome-ignore format: one line

  // Tipping and Bishop 1999, eq. 7 and 8: sigma² is the mean of the variances left out; the bound is log p there.
  test.each([20, 150])(
    "loadings that start at 0, where the gradient vanishes, end at the components of %i rows",
    async (n) => {
      const { parameters, negElbo, converged } = await estimate(components, { x: rows(n) }, { by: "ml" });
      expect(converged).toBe(true);
      expect(parameters.sigma!.values[0]! ** 2).toBeCloseTo(0.2, 3);
      const exact = (n / 2) * (4 * Math.log(2 * Math.PI) + Math.log(5) + Math.log(2) + 2 * Math.log(0.2) + 4);
      expect(negElbo / n).toBeCloseTo(exact / n, 5);
      for (const [j, value] of parameters.m!.values.entries()) expect(value).toBeCloseTo(j + 1, 3);
    },
  );

  test("a parameter starts where the model's text says", async () => {
    const square = (initial: number) =>
      model(({ observe, param }) => {
        observe("y", normal(param("root", { initial }).square(), 1), 9);
      });
    for (const initial of [-1, 1]) {
      const { parameters } = await estimate(square(initial), {}, { by: "ml" });
      expect(parameters.root!.values[0]).toBeCloseTo(3 * initial, 4);
    }
  });
});

describe("what cannot be estimated is told", () => {
  const scale = (data: number[], given: object = {}) =>
    estimate(
      model(({ observe, param }, { y }: { y: Tensor }) => {
        observe("y", normal(param("m"), param("s", { support: positive, ...given })), y);
      }),
      { y: data },
      { by: "ml" },
    );

  test("a likelihood without a maximum has not converged: one value and its sd", async () => {
    const { converged, reason } = await scale([1]);
    expect(converged).toBe(false);
    expect(reason).toContain('param("s") runs to the end of its support');
  });

  test("a missing value, a start outside of the support, and an option that does not exist", async () => {
    await expect(scale([1, Number.NaN])).rejects.toThrow('observe("y"): element [2] is NaN');
    await expect(scale([1, 2], { initial: -1 })).rejects.toThrow(
      'param("s"): its initial value lies outside of its support',
    );
    const unknown = estimate(latentMeans, { y }, { by: "ml", sed: 3 } as never);
    await expect(unknown).rejects.toThrow('no option "sed"');
  });
});
