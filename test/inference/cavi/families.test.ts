import { describe, expect, test } from "vitest";
import { beta, binomial, chiSquared, exponential, gamma, geometric, inverseGamma, inverseWishart, laplace, logNormal, model, multivariateNormal, negativeBinomial, normal, pareto, poisson, studentT, type Tensor, weibull, wishart } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { infer } from "../../../src/inference/infer.ts";
import { monteCarloBound } from "./monte-carlo-bound.ts";

const y = [2.1, 1.9, 3.2, 2.2, 2.8, 1.1, 2.6];
const n = y.length;
const sum = (v: readonly number[]) => v.reduce((a, b) => a + b, 0);
const counts = [3, 0, 2, 5, 1, 0, 4];

/** To 1e-10, relative. */
const same = (found: ArrayLike<number>, wanted: readonly number[]) => {
  for (const [i, w] of wanted.entries()) expect(Math.abs(found[i]! / w - 1)).toBeLessThan(1e-10);
};
const parameters = async (body: unknown, data: object, site: string) =>
  (await cavi(body as never, data as never)).factors[site]!.parameters;

describe("the posterior of a conjugate pair", () => {
  const positive: readonly (readonly [string, (r: Tensor) => ReturnType<typeof gamma>, number, number])[] = [
    ["exponential waiting times", (r) => exponential(r) as never, n, sum(y)],
    ["gamma waiting times of known shape", (r) => gamma(2.5, r), 2.5 * n, sum(y)],
    ["inverse gammas of known shape", (r) => inverseGamma(2.5, r) as never, 2.5 * n, sum(y.map((v) => 1 / v))],
    ["Pareto excesses over a known least value", (r) => pareto(r, 0.5) as never, n, sum(y.map((v) => Math.log(v / 0.5)))], // biome-ignore format: one line
    ["Weibull times of known shape", (r) => weibull(1.7, r.pow(-1 / 1.7)) as never, n, sum(y.map((v) => v ** 1.7))],
    ["normal errors around a known mean", (r) => normal(2, r.pow(-0.5)) as never, n / 2, sum(y.map((v) => (v - 2) ** 2)) / 2], // biome-ignore format: one line
    ["log-normal errors around a known mean", (r) => logNormal(1, r.pow(-0.5)) as never, n / 2, sum(y.map((v) => (Math.log(v) - 1) ** 2)) / 2], // biome-ignore format: one line
  ];
  for (const [name, likelihood, shape, rate] of positive) {
    test(`a gamma rate under ${name}`, async () => {
      const body = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
        const r = sample("r", gamma(2, 3));
        plate("n", n, (i) => {
          observe("y", likelihood(r), y.at(i));
        });
      });
      const found = await parameters(body, { y }, "r");
      same(found.shape!.values, [2 + shape]);
      same(found.rate!.values, [3 + rate]);
      // Of an exact posterior log p(y, z) − log q(z) is the evidence at every z: the constants are right too.
      const { elbo, mean, se } = await monteCarloBound(body, { y }, 20);
      expect(se).toBeLessThan(1e-10);
      same([elbo], [mean]);
    });
  }

  test("priors that are gammas by another name", async () => {
    const of = (prior: unknown) =>
      model(({ sample, observe }, { counts }: { counts: Tensor }) => {
        observe("counts", poisson(sample("r", prior as ReturnType<typeof gamma>)), counts);
      });
    for (const [prior, shape, rate] of [
      [chiSquared(5), 2.5, 0.5],
      [exponential(0.3), 1, 0.3],
    ] as const) {
      const found = await parameters(of(prior), { counts }, "r");
      same(found.shape!.values, [shape + sum(counts)]);
      same(found.rate!.values, [rate + n]);
    }
  });

  test("a beta probability under geometric, negative binomial and binomial counts", async () => {
    for (const [likelihood, yes, no] of [
      [(p: Tensor) => geometric(p), n, sum(counts)],
      [(p: Tensor) => negativeBinomial({ total: 2.5, probs: p }), 2.5 * n, sum(counts)],
      [(p: Tensor) => binomial(6, p), sum(counts), 6 * n - sum(counts)],
    ] as const) {
      const body = model(({ sample, observe }, { counts }: { counts: Tensor }) => {
        observe("counts", likelihood(sample("p", beta(2, 3))) as never, counts);
      });
      const found = await parameters(body, { counts }, "p");
      same(found.a!.values, [2 + yes]);
      same(found.b!.values, [3 + no]);
      const { elbo, mean, se } = await monteCarloBound(body, { counts }, 20);
      expect(se).toBeLessThan(1e-10);
      same([elbo], [mean]);
    }
  });

  for (const offset of [0, 1e4]) {
    test(`normal means, alone and in vectors, the data at ${offset}`, async () => {
      const scalar = model(({ sample, observe }, { y }: { y: Tensor }) => {
        observe("y", normal(sample("mu", normal(offset, 2)), 0.5), y);
      });
      const found = await parameters(scalar, { y: y.map((v) => v + offset) }, "mu");
      same(found.precision!.values, [0.25 + 4 * n]);
      expect(Math.abs(found.mean!.values[0]! - offset - (4 * sum(y)) / (0.25 + 4 * n))).toBeLessThan(1e-10 * (1 + offset)); // biome-ignore format: one line
      const x = y.map((v, i) => [v, Math.sin(i)]);
      const noise = [[2, 0.5], [0.5, 1]] as const; // biome-ignore format: short
      const vector = model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
        const mu = sample("mu", multivariateNormal([offset, offset], [[1, 0.2], [0.2, 1]])); // biome-ignore format: short
        plate("n", n, (i) => {
          observe("x", multivariateNormal({ mean: mu, precision: [[2, 0.5], [0.5, 1]] }), x.at(i)); // biome-ignore format: short
        });
      });
      const own = await parameters(vector, { x: x.map((r) => r.map((v) => v + offset)) }, "mu");
      // S = S0⁻¹ + n Λ, S0 = [[1, .2], [.2, 1]]; m = S⁻¹ Λ Σ x
      const prior = [[1, -0.2], [-0.2, 1]].map((r) => r.map((v) => v / 0.96)); // biome-ignore format: short
      const S = prior.map((r, i) => r.map((v, j) => v + n * noise[i]![j]!));
      const b = noise.map((r) => r[0]! * sum(x.map((v) => v[0]!)) + r[1]! * sum(x.map((v) => v[1]!)));
      const det = S[0]![0]! * S[1]![1]! - S[0]![1]! * S[1]![0]!;
      const m = [(S[1]![1]! * b[0]! - S[0]![1]! * b[1]!) / det, (S[0]![0]! * b[1]! - S[1]![0]! * b[0]!) / det];
      same(own.precision!.values, S.flat());
      for (const i of [0, 1])
        expect(Math.abs(own.mean!.values[i]! - offset - m[i]!)).toBeLessThan(1e-10 * (1 + offset));
    });
  }

  test("a Wishart precision around a known mean", async () => {
    const x = y.map((v, i) => [v, Math.sin(i)]);
    const body = model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
      const lambda = sample("lambda", wishart(4, [[1, 0], [0, 0.5]])); // biome-ignore format: short
      plate("n", n, (i) => {
        observe("x", multivariateNormal({ mean: [2, 0], precision: lambda }), x.at(i));
      });
    });
    const found = await parameters(body, { x }, "lambda");
    same(found.df!.values, [4 + n]);
    const outer = (i: number, j: number) => sum(x.map((r) => (r[i]! - [2, 0][i]!) * (r[j]! - [2, 0][j]!)));
    same(found.inverseScale!.values, [1 + outer(0, 0), outer(0, 1), outer(1, 0), 2 + outer(1, 1)]);
  });
});

describe("a covariance with an inverse Wishart prior", () => {
  for (const offset of [0, 1e4]) {
    test(`around a known mean it has its posterior, and the bound is the evidence: data at ${offset}`, async () => {
      const centre = [offset + 2, -offset];
      const x = y.map((v, i) => [v + offset, Math.sin(i) - offset]);
      const body = model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
        const sigma = sample("sigma", inverseWishart(4, [[1, 0], [0, 0.5]])); // biome-ignore format: short
        plate("n", n, (i) => {
          observe("x", multivariateNormal(centre, sigma), x.at(i));
        });
      });
      const fit = await cavi(body, { x });
      const { df, scale } = fit.factors.sigma!.parameters;
      same(df!.values, [4 + n]);
      const outer = (i: number, j: number) => sum(x.map((r) => (r[i]! - centre[i]!) * (r[j]! - centre[j]!)));
      const after = [1 + outer(0, 0), outer(0, 1), outer(1, 0), 0.5 + outer(1, 1)] as const;
      same(scale!.values, after);
      // Γ_2((ν+n)/2) / Γ_2(ν/2) |Ψ|^(ν/2) / |Ψ + S|^((ν+n)/2) π^−n; for ν = 4 and n = 7 by Γ(5.5) Γ(5) and Γ(2) Γ(1.5)
      const logDet = Math.log(after[0] * after[3] - after[1] * after[2]);
      const gammas = Math.log((52.34277778455352 * 24) / 0.886226925452758);
      expect(fit.exact).toBe(true);
      expect(fit.elbo).toBeCloseTo(gammas + 2 * Math.log(0.5) - 5.5 * logDet - n * Math.log(Math.PI), 8);
    });
  }
});

test("of a beta prior whose other shape is 1, the concentration is a gamma", async () => {
  const p = [0.1, 0.4, 0.25, 0.03];
  const logs = sum(p.map((v) => Math.log1p(-v)));
  for (const isFirst of [true, false]) {
    const body = model(({ sample, observe }, { p }: { p: Tensor }) => {
      const alpha = sample("alpha", gamma(2, 3));
      if (isFirst) observe("p", beta(1, alpha), p);
      else observe("p", beta(alpha, 1), p.neg().add(1));
    });
    const fit = await cavi(body, { p });
    same(fit.factors.alpha!.parameters.shape!.values, [6]);
    same(fit.factors.alpha!.parameters.rate!.values, [3 - logs]);
    // ∫ α⁴ Π (1 − p)^(α − 1) Gamma(α; 2, 3) dα
    expect(fit.elbo).toBeCloseTo(2 * Math.log(3) + Math.log(120) - 6 * Math.log(3 - logs) - logs, 9);
  }
});

describe("errors that are mixtures of normals: each observation has a precision of its own, at its optimum", () => {
  const x = y.map((_, i) => [1, i - 3]);
  const t = [2, 2.4, 3.1, 30, 4.2, 4.4, 5.1];
  const regression = (errors: (mean: Tensor, scale: Tensor) => unknown) =>
    model(({ sample, observe, plate }, { x, t }: { x: Tensor; t: Tensor }) => {
      const tau = sample("tau", gamma(2, 1));
      const w = sample("w", normal(0, 3), [2]);
      plate("n", n, (i) => {
        observe("t", errors(x.at(i).mul(w).sum(), tau.pow(-0.5)) as never, t.at(i));
      });
    });

  test("Student t errors are those of the model with the precisions written out", async () => {
    const written = model(({ sample, observe, plate }, { x, t }: { x: Tensor; t: Tensor }) => {
      const tau = sample("tau", gamma(2, 1));
      const w = sample("w", normal(0, 3), [2]);
      plate("n", n, (i) => {
        const u = sample("u", gamma(1.5, 1.5));
        observe("t", normal(x.at(i).mul(w).sum(), tau.mul(u).pow(-0.5)), t.at(i));
      });
    });
    const options = { tolerance: 1e-14, maxSweeps: 5000 };
    const [own, other] = [
      await cavi(
        regression((m, s) => studentT(3, m, s)),
        { x, t },
        options,
      ),
      await cavi(written, { x, t }, options),
    ];
    expect(own.elbo).toBeCloseTo(other.elbo, 7);
    expect(own.exact).toBe(false);
    for (const i of [0, 1]) expect(own.factors.w!.parameters.mean!.values[i]).toBeCloseTo(other.factors.w!.parameters.mean!.values[i]!, 5); // biome-ignore format: one line
    // The outlier counts for little.
    expect(Math.abs(own.factors.w!.parameters.mean!.values[1]! - 0.5)).toBeLessThan(0.2);
  });

  test("Laplace errors: the bound is below the expected density, and rises", async () => {
    const body = regression((m, s) => laplace(m, s));
    const fit = await cavi(body, { x, t }, { tolerance: 1e-12 });
    for (const [i, bound] of fit.elbos.entries()) if (i) expect(bound).toBeGreaterThanOrEqual(fit.elbos[i - 1]! - 1e-9);
    const { elbo, mean, se } = await monteCarloBound(body, { x, t }, 2000);
    expect(elbo).toBeLessThan(mean + 4 * se);
    expect(elbo).toBeGreaterThan(mean - 2);
    expect(Math.abs(fit.factors.w!.parameters.mean!.values[1]! - 0.5)).toBeLessThan(0.2);
  });
});

describe("what is missing in the data counts for nothing, whatever its support", () => {
  const positive = y.map((v) => v / 4);
  for (const [name, prior, likelihood, values] of [
    ["gamma", gamma(2, 3), (m: Tensor) => gamma(2, m), positive],
    ["weibull", gamma(2, 3), (m: Tensor) => weibull(2, m.pow(-0.5)), positive],
    ["pareto", gamma(2, 3), (m: Tensor) => pareto(m, 0.2), positive],
    ["log-normal", normal(0, 1), (m: Tensor) => logNormal(m, 1), positive],
    ["geometric", beta(2, 3), (m: Tensor) => geometric(m), counts],
    ["binomial", beta(2, 3), (m: Tensor) => binomial(6, m), counts],
    ["Student t", normal(0, 1), (m: Tensor) => studentT(3, m, 1), y],
  ] as const) {
    test(name, async () => {
      const body = model(({ sample, observe, plate }, { v }: { v: Tensor }) => {
        const m = sample("m", prior as ReturnType<typeof gamma>);
        plate("n", v.shape[0]!, (i) => {
          observe("v", likelihood(m) as ReturnType<typeof gamma>, v.at(i));
        });
      });
      const holes = await cavi(body, { v: [Number.NaN, ...values, null] });
      expect(holes.elbo).toBeCloseTo((await cavi(body, { v: values })).elbo, 9);
    });
  }

  test("a value that is computed from the data", async () => {
    const body = model(({ sample, observe, plate }, { v }: { v: Tensor }) => {
      const m = sample("m", normal(0, 1));
      plate("n", v.shape[0]!, (i) => {
        observe("v", normal(m, 1), v.at(i).mul(3));
      });
    });
    const holes = await cavi(body, { v: [null, ...y] });
    expect(holes.elbo).toBeCloseTo((await cavi(body, { v: y })).elbo, 9);
  });

  test("so does infer's certificate of it; expectation propagation refuses", async () => {
    const body = model(({ sample, observe, plate }, { v }: { v: Tensor }) => {
      const m = sample("m", normal(0, 1));
      plate("n", v.shape[0]!, (i) => {
        observe("v", normal(m, 1), v.at(i));
      });
    });
    const holes = await infer(body, { v: [null, ...y] }, { method: "cavi" });
    expect(holes.trusted).toBe(true);
    expect(holes.mean("m")[0]).toBeCloseTo(y.reduce((a, b) => a + b) / (n + 1), 1);
    await expect(infer(body, { v: [null, ...y] }, { method: "ep" })).rejects.toThrow(/^data\.v: element \[1\] is NaN/);
  });

  test("but a predictor may not be missing", async () => {
    const body = model(({ sample, observe, plate }, { x, y }: { x: Tensor; y: Tensor }) => {
      const w = sample("w", normal(0, 1));
      plate("n", n, (i) => {
        observe("y", normal(x.at(i).mul(w), 1), y.at(i));
      });
    });
    await expect(cavi(body, { x: counts.with(2, Number.NaN), y })).rejects.toThrow(/observe\("y"\): its mean is computed from data that hold NaN/); // biome-ignore format: one line
  });
});
