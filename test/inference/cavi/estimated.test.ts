import { describe, expect, test } from "vitest";
import { digamma, lgamma } from "../../../src/base/special.ts";
import type { Support } from "../../../src/constraints/support.ts";
import { bernoulli, beta, binomial, gamma, model, normal, type Tensor } from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator } from "./monte-carlo-bound.ts";

const g = generator("estimated");
const y = Array.from({ length: 40 }, () => 3 + 2 * g.normal());
const mean = y.reduce((a, b) => a + b, 0) / y.length;
const positive: Support = { kind: "positive" };

describe("parameters that are estimated have their M step in closed form", () => {
  test("mean and sd by maximum likelihood", async () => {
    const body = model(({ param, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(param("mu"), param("sd", { support: positive })), y);
    });
    const { factors } = await cavi(body, { y });
    expect(factors.mu!.parameters.value!.values[0]).toBeCloseTo(mean, 10);
    const variance = y.reduce((s, v) => s + (v - mean) ** 2, 0) / y.length;
    expect(factors.sd!.parameters.value!.values[0]).toBeCloseTo(Math.sqrt(variance), 10);
  });

  test("a precision with a prior, at its posterior mode", async () => {
    const body = model(({ param, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(2, param("tau", { prior: gamma(3, 2) }).pow(-0.5)), y);
    });
    const { factors } = await cavi(body, { y });
    const rate = 2 + 0.5 * y.reduce((s, v) => s + (v - 2) ** 2, 0);
    expect(factors.tau!.parameters.value!.values[0]).toBeCloseTo((3 - 1 + 20) / rate, 10);
  });

  test("probabilistic PCA: EM ends where Tipping and Bishop 1999 say, and the bound is the likelihood", async () => {
    const x = Array.from({ length: 60 }, () => {
      const z = g.normal();
      return [2 * z + 0.4 * g.normal(), -z + 0.4 * g.normal()];
    });
    const body = model(({ param, sample, observe, plate }, { x }: { x: Tensor }) => {
      const [w, sd] = [param("w", { shape: [2] }), param("sd", { support: positive })];
      plate("n", 60, (i) => {
        observe("x", normal(w.mul(sample("z", normal(0, 1))), sd), x.at(i));
      });
    });
    const fit = await cavi(body, { x }, { tolerance: 1e-14, maxSweeps: 20_000 });
    // σ² is the smaller eigenvalue of S = Σ x xᵀ / n, |w|² the larger one less σ².
    const s = (i: number, j: number) => x.reduce((t, r) => t + r[i]! * r[j]!, 0) / 60;
    const [half, root] = [(s(0, 0) + s(1, 1)) / 2, Math.hypot((s(0, 0) - s(1, 1)) / 2, s(0, 1))];
    const [w, sd] = [[...fit.factors.w!.parameters.value!.values], fit.factors.sd!.parameters.value!.values[0]!];
    expect(sd ** 2).toBeCloseTo(half - root, 5);
    expect(w[0]! ** 2 + w[1]! ** 2).toBeCloseTo(2 * root, 4);
    const logLikelihood = -30 * (2 * Math.log(2 * Math.PI) + Math.log((half + root) * (half - root)) + 2);
    expect(fit.elbo).toBeCloseTo(logLikelihood, 5);
  });
});

describe("parameters without an M step in closed form have one by gradients, in the same call", () => {
  test("shape and rate of a gamma by maximum likelihood", async () => {
    const t = y.map((v) => Math.exp(v / 3));
    const body = model(({ param, observe }, { t }: { t: Tensor }) => {
      observe("t", gamma(param("a", { support: positive }), param("b", { support: positive })), t);
    });
    const { factors, elbos } = await cavi(body, { t }, { gradient: ["a", "b"], tolerance: 1e-15, maxSweeps: 3000 });
    const [a, b] = ["a", "b"].map((name) => factors[name]!.parameters.value!.values[0]!) as [number, number];
    const average = t.reduce((p, q) => p + q, 0) / t.length;
    const log = t.reduce((p, q) => p + Math.log(q), 0) / t.length;
    expect(a / b).toBeCloseTo(average, 4);
    expect(digamma(a) - Math.log(a)).toBeCloseTo(log - Math.log(average), 5);
    for (const [i, bound] of elbos.entries()) if (i) expect(bound).toBeGreaterThanOrEqual(elbos[i - 1]!);
    await expect(cavi(body, { t })).rejects.toThrow(/"t".*shape depends on "a".*gradient: \["a"\]/s);
  });

  test("weights of a logistic regression: the score is 0", async () => {
    const x = y.map((v, i) => [1, v, Math.sin(i)]);
    const label = y.map((v) => Number(v + g.normal() > 3));
    const body = model(({ param, observe, plate }, { x, label }: { x: Tensor; label: Tensor }) => {
      const w = param("w", { shape: [3] });
      plate("n", 40, (i) => {
        observe("label", bernoulli({ logits: x.at(i).mul(w).sum() }), label.at(i));
      });
    });
    const { factors, sweeps } = await cavi(body, { x, label }, { gradient: ["w"], tolerance: 1e-15 });
    const w = factors.w!.parameters.value!.values;
    for (const d of [0, 1, 2]) {
      const score = x.reduce((s, r, i) => {
        const eta = r[0]! * w[0]! + r[1]! * w[1]! + r[2]! * w[2]!;
        return s + r[d]! * (label[i]! - 1 / (1 + Math.exp(-eta)));
      }, 0);
      expect(Math.abs(score)).toBeLessThan(1e-5);
    }
    expect(sweeps).toBeLessThan(20);
  });

  test("empirical Bayes: a beta prior's own parameters, the probabilities in closed form; the bound is the likelihood", async () => {
    const heads = [0, 1, 3, 2, 8, 9, 4, 5, 10, 2];
    const body = model(({ param, sample, observe, plate }, { heads }: { heads: Tensor }) => {
      const [a, b] = [param("a", { support: positive }), param("b", { support: positive })];
      plate("coin", 10, (i) => {
        observe("heads", binomial(10, sample("p", beta(a, b))), heads.at(i));
      });
    });
    const fit = await cavi(body, { heads }, { gradient: ["a", "b"], tolerance: 1e-14, maxSweeps: 5000 });
    const [a, b] = ["a", "b"].map((name) => fit.factors[name]!.parameters.value!.values[0]!) as [number, number];
    const logBeta = (p: number, q: number) => lgamma(p) + lgamma(q) - lgamma(p + q);
    const likelihood = (p: number, q: number) =>
      heads.reduce((s, k) => s + lgamma(11) - lgamma(k + 1) - lgamma(11 - k) + logBeta(k + p, 10 - k + q) - logBeta(p, q), 0); // biome-ignore format: one line
    expect(fit.elbo).toBeCloseTo(likelihood(a, b), 6);
    for (const [p, q] of [[1.01, 1], [0.99, 1], [1, 1.01], [1, 0.99]] as const) expect(likelihood(a * p, b * q)).toBeLessThan(fit.elbo + 1e-7); // biome-ignore format: one line
  });
});
