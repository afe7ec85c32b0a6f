import { describe, expect, test } from "vitest";
import { lgamma } from "../../../src/base/special.ts";
import { bernoulli, beta, binomial, categorical, dirichlet, gamma, inverseGamma, model, multinomial, multivariateNormal, normal, poisson, type Tensor, where, wishart } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { monteCarloBound } from "./monte-carlo-bound.ts";

const y = [2.1, 1.9, 3.2, 2.2, 2.8, 1.1, 2.6];
const sum = (v: readonly number[]) => v.reduce((a, b) => a + b, 0);

/** To 1e-10, relative. */
const same = (found: ArrayLike<number>, wanted: readonly number[]) => {
  for (const [i, w] of wanted.entries())
    expect(Math.abs(found[i]! - w)).toBeLessThanOrEqual(1e-10 * Math.abs(w) + 1e-14);
};

const precisionOf = (tau: Tensor, times = 1): Tensor => tau.mul(times).pow(-0.5);

describe("a conjugate model's posterior is exact", () => {
  test("a beta prior under binomial counts, and the bound is the evidence", async () => {
    const coin = model(({ sample, observe }) => {
      const p = sample("p", beta(2, 3));
      observe("heads", binomial(10, p), 7);
    });
    const fit = await cavi(coin, {});
    same(fit.factors.p!.parameters.a!.values, [9]);
    same(fit.factors.p!.parameters.b!.values, [6]);
    // log (10 choose 7) B(9, 6) / B(2, 3)
    const logBeta = (a: number, b: number) => lgamma(a) + lgamma(b) - lgamma(a + b);
    same([fit.elbo], [Math.log(120) + logBeta(9, 6) - logBeta(2, 3)]);
    expect(fit.exact).toBe(true);
  });

  test("a Dirichlet prior under multinomial counts, a gamma prior under Poisson counts", async () => {
    const dice = model(({ sample, observe }) => {
      const p = sample("p", dirichlet([1, 2, 3]));
      observe("counts", multinomial(12, p), [3, 4, 5]);
    });
    same((await cavi(dice, {})).factors.p!.parameters.concentration!.values, [4, 6, 8]);
    const events = model(({ sample, observe }, { n }: { n: Tensor }) => {
      const rate = sample("rate", gamma(2, 3));
      observe("n", poisson(rate.mul(0.5)), n);
    });
    const { parameters } = (await cavi(events, { n: [3, 1, 4] })).factors.rate!;
    same(parameters.shape!.values, [10]);
    same(parameters.rate!.values, [4.5]);
  });

  test("where nothing can happen nothing is learned: counts of an exposure of 0, a component of weight 0", async () => {
    const events = model(({ sample, observe }, { n, exposure }: { n: Tensor; exposure: Tensor }) => {
      observe("n", poisson(sample("rate", gamma(2, 3)).mul(exposure)), n);
    });
    const fits = [await cavi(events, { n: [3, 0, 4], exposure: [1, 0, 2] }), await cavi(events, { n: [3, 4], exposure: [1, 2] })]; // biome-ignore format: one line
    same([fits[0]!.elbo], [fits[1]!.elbo]);
    same(fits[0]!.factors.rate!.parameters.rate!.values, [6]);
    await expect(cavi(events, { n: [3, 1], exposure: [1, 0] })).rejects.toThrow(/became −∞ in sweep 1/);
    const mixture = model(({ sample, observe, plate }, { y, weights }: { y: Tensor; weights: Tensor }) => {
      const mean = sample("mean", normal(0, 2), [2]);
      plate("n", 3, (i) => void observe("y", normal(mean.at(sample("z", categorical(weights))), 1), y.at(i)));
    });
    const alone = model(({ sample, observe }, { y }: { y: Tensor }) => void observe("y", normal(sample("mean", normal(0, 2)), 1), y)); // biome-ignore format: one line
    const y = [0.3, 1.2, -0.4];
    same([(await cavi(mixture, { y, weights: [0, 1] })).elbo], [(await cavi(alone, { y })).elbo]);
  });

  test("normals by precision and by variance are those by sd", async () => {
    const fits = [];
    for (const [first, second] of [["precision", "precision"], ["variance", "variance"], ["sd", "sd"]] as const) // biome-ignore format: pairs
      fits.push(await cavi(model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
        const tau = sample("tau", gamma(2, 3));
        const power = { precision: 1, variance: -1, sd: -0.5 } as const;
        const mu = sample("mu", normal({ mean: 1, [first]: first === "precision" ? 0.25 : first === "variance" ? 4 : 2 }));
        plate("n", y.shape[0]!, (i) => {
          observe("y", normal({ mean: mu, [second]: tau.pow(power[second]) }), y.at(i));
        });
      }), { y }, { tolerance: 1e-14 })); // biome-ignore format: short
    const [byPrecision, byVariance, bySd] = fits;
    for (const fit of [byPrecision!, byVariance!]) {
      same([fit.elbo], [bySd!.elbo]);
      same(fit.factors.mu!.parameters.mean!.values, [...bySd!.factors.mu!.parameters.mean!.values]);
      same(fit.factors.tau!.parameters.rate!.values, [...bySd!.factors.tau!.parameters.rate!.values]);
    }
  });

  for (const offset of [0, 1e4]) {
    test(`mean and precision of normal data in one factor, the data at ${offset}`, async () => {
      const body = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
        const tau = sample("tau", gamma(2, 3));
        const mu = sample("mu", normal(offset, precisionOf(tau, 0.1)));
        plate("n", y.shape[0]!, (i) => {
          observe("y", normal(mu, precisionOf(tau)), y.at(i));
        });
      });
      const data = { y: y.map((v) => v + offset) };
      const { parameters } = (await cavi(body, data)).factors.mu!;
      // κ = κ0 + n, m = (κ0 m0 + Σ y) / κ, a = a0 + n/2, b = b0 + ½ Σ (y − ȳ)² + ½ κ0 n / κ (ȳ − m0)²; all about the offset
      const [n, mean] = [y.length, sum(y) / y.length];
      const rate = 3 + 0.5 * sum(y.map((v) => (v - mean) ** 2)) + (0.5 * 0.1 * n * mean ** 2) / (0.1 + n);
      same(parameters.mean!.values, [offset + (n * mean) / (0.1 + n)]);
      same(parameters.precision!.values, [0.1 + n]);
      same(parameters.shape!.values, [2 + n / 2]);
      expect(Math.abs(parameters.rate!.values[0]! / rate - 1)).toBeLessThan(1e-10);
      // Of an exact posterior log p(x, z) − log q(z) is the evidence at every z.
      const check = await monteCarloBound(body, data, 50);
      expect(check.se).toBeLessThan(1e-8);
      expect(Math.abs(check.mean / check.elbo - 1)).toBeLessThan(1e-8);
    });
  }

  test("weights and precision of a regression, a variance with an inverse gamma prior, a mean and a matrix: log p − log q is constant", async () => {
    const regression = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      const tau = sample("tau", gamma(2, 3));
      const w = sample("w", normal(0, precisionOf(tau, 0.1)), [2]);
      observe("y", normal(x.matmul(w.reshape([2, 1])).reshape([7]), precisionOf(tau)), y);
    });
    const variance = model(({ sample, observe }, { y }: { y: Tensor }) => {
      const v = sample("v", inverseGamma(2, 3));
      const mu = sample("mu", normal(1, v.mul(4).sqrt()));
      observe("y", normal(mu, v.sqrt()), y);
    });
    const matrix = model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
      const lambda = sample("lambda", wishart(3, [[1, 0.2], [0.2, 1]])); // biome-ignore format: short
      const mu = sample("mu", multivariateNormal({ mean: [1, 2], precision: lambda.mul(0.5) }));
      plate("n", 7, (i) => {
        observe("x", multivariateNormal({ mean: mu, precision: lambda }), x.at(i));
      });
    });
    const x = y.map((v, i) => [1, Math.sin(i) + v]);
    for (const [body, data] of [
      [regression, { x, y }],
      [variance, { y }],
      [matrix, { x }],
    ] as const) {
      // biome-ignore format: short
      const { elbo, mean, se } = await monteCarloBound(body as never, data as never, 50);
      expect(se).toBeLessThan(1e-11);
      same([elbo], [mean]);
    }
  });

  test("missing observations count for nothing", async () => {
    const body = model(({ sample, observe }, { y }: { y: Tensor }) => {
      const tau = sample("tau", gamma(2, 3));
      const mu = sample("mu", normal(0, precisionOf(tau, 0.1)));
      observe("y", normal(mu, precisionOf(tau)), y);
    });
    const holes = await cavi(body, { y: [Number.NaN, ...y, Number.NaN] });
    const without = await cavi(body, { y });
    same([holes.elbo], [without.elbo]);
    same(holes.factors.tau!.parameters.rate!.values, [...without.factors.tau!.parameters.rate!.values]);
  });
});

describe("a smooth Gaussian process, whose precision matrix has elements of 10⁸, is found at once", () => {
  const x = Array.from({ length: 12 }, (_, i) => i / 3);
  const kernel = x.map((s) => x.map((t) => Math.exp(-0.5 * (s - t) ** 2) + (s === t ? 1e-8 : 0)));
  /** −½ (yᵀ S⁻¹ y + log |S| + n log 2π) of S = kernel + noise I, by elimination. */
  const evidence = (y: readonly number[], noise: number) => {
    const [a, r] = [kernel.map((row, i) => row.map((v, j) => v + (i === j ? noise : 0))), [...y]];
    let total = 0;
    for (const [k, pivot] of a.entries()) {
      total += Math.log(pivot[k]!) + r[k]! ** 2 / pivot[k]! + Math.log(2 * Math.PI);
      for (let i = k + 1; i < a.length; i++) {
        const ratio = a[i]![k]! / pivot[k]!;
        for (let j = k; j < a.length; j++) a[i]![j]! -= ratio * pivot[j]!;
        r[i]! -= ratio * r[k]!;
      }
    }
    return -0.5 * total;
  };
  for (const offset of [0, 1e4]) {
    test(`the data at ${offset}`, async () => {
      const regression = model(({ sample, observe }, { kernel, y }: { kernel: Tensor; y: Tensor }) => {
        const f = sample("f", multivariateNormal({ mean: y.mul(0).add(offset), covariance: kernel }));
        observe("y", normal(f, 0.1), y);
      });
      const y = x.map((v, i) => offset + Math.sin(v) + 0.1 * Math.cos(7 * i));
      const { elbo, sweeps } = await cavi(regression, { kernel, y });
      expect(sweeps).toBe(2);
      expect(elbo).toBeCloseTo(evidence(y.map((v) => v - offset), 0.01), 10); // biome-ignore format: short
    });
  }
});

describe("published numbers of variational message passing, and the same ones far from 0", () => {
  for (const offset of [0, 1e4]) {
    test(`Normal–Gamma in two factors, sweep by sweep, at ${offset}`, async () => {
      // BayesPy's quickstart: mu ~ N(0, precision 1e-6), tau ~ Gamma(1e-6, 1e-6), start E tau = 1, mu before tau.
      const data = [
        21.243453636632417, -1.1175641365007536, -0.2817175226345565, -5.729686221561705, 13.654076293246785,
        -18.015386968802826, 22.4481176421648, -2.6120690089510283, 8.190390960570985, 2.506296245225899,
      ];
      const body = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
        const mu = sample("mu", normal(offset, 1000));
        const tau = sample("tau", gamma(1e-6, 1e-6));
        plate("n", 10, (i) => {
          observe("y", normal(mu, precisionOf(tau)), y.at(i));
        });
      });
      const fit = await cavi(body, { y: data.map((v) => v + offset) });
      for (const [i, bound] of [-60.20956, -58.20527, -58.2029, -58.20288].entries())
        expect(fit.elbos[i]).toBeCloseTo(bound, 5);
      expect(fit.factors.mu!.parameters.mean!.values[0]! - offset).toBeCloseTo(4.028528, 6);
    });

    test(`the clutter problem, at ${offset}`, async () => {
      // Infer.NET's tests: N(1.31257, 0.892131), bound −6.0229, to 1e-4.
      const clutter = model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
        const mean = sample("mean", normal(offset, 10));
        plate("point", 2, (i) => {
          const signal = sample("signal", bernoulli(0.5)).eq(1);
          observe("x", normal(where(signal, mean, offset), where(signal, 1, Math.sqrt(10))), x.at(i));
        });
      });
      const fit = await cavi(clutter, { x: [0.1 + offset, 2.3 + offset] }, { restarts: 5, tolerance: 1e-13 });
      const { mean, precision } = fit.factors.mean!.parameters;
      expect(Math.abs(fit.elbo / -6.0229 - 1)).toBeLessThan(1e-4);
      expect(Math.abs((mean!.values[0]! - offset) / 1.31257 - 1)).toBeLessThan(1e-4);
      expect(Math.abs(1 / precision!.values[0]! / 0.892131 - 1)).toBeLessThan(1e-4);
    });
  }
});
