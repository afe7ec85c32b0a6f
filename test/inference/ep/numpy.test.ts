import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bernoulli } from "../../../src/distributions/bernoulli.ts";
import { multivariateNormal } from "../../../src/distributions/multivariate-normal.ts";
import { normal } from "../../../src/distributions/normal.ts";
import { studentT } from "../../../src/distributions/student-t.ts";
import { type EpResult, ep } from "../../../src/inference/ep/ep.ts";
import { model } from "../../../src/model/model.ts";
import { matvec } from "../../../src/tensor/linalg.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";

/** Made by scripts/make-ep-fixture.py: EP by dense matrices and fine grids in numpy. */
type Answer = { readonly mean: number[]; readonly covariance: number[]; readonly logZ: number };
const stored: Record<string, Record<string, Answer>> = JSON.parse(
  readFileSync(new URL("../../fixtures/ep-numpy.json", import.meta.url), "utf8"),
);

function same(found: EpResult, { mean, covariance, logZ }: Answer): void {
  expect(found.converged).toBe(true);
  expect(found.logZ).toBeCloseTo(logZ, 7);
  for (const [i, m] of mean.entries()) expect(found.mean[i]).toBeCloseTo(m, 7);
  for (const [i, c] of covariance.entries()) expect(found.covariance[i]).toBeCloseTo(c, 7);
}

describe("the answers of EP written in numpy", () => {
  const logistic = model(({ sample, observe, plate }, { x, y }: { x: Tensor; y: Tensor }) => {
    const a = sample("a", normal(0, 2));
    const b = sample("b", normal(0, 2));
    plate("row", x.shape[0]!, (i) => observe("y", bernoulli({ logits: x.at(i).mul(b).add(a) }), y.at(i)));
  });
  const coins = { x: [-2, -1, -0.5, 0.3, 1, 1.7, 2.2, 3], y: [0, 0, 1, 0, 1, 0, 1, 1] };
  for (const alpha of [1, 0.5, 0.1]) {
    test(`logistic regression, power ${alpha}`, async () => {
      same(await ep(logistic, coins, { alpha, tolerance: 1e-10 }), stored.logistic![String(alpha)]!);
    });
  }
  test("robust regression: Student t, whose sites may have negative precision", async () => {
    const robust = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      const a = sample("a", normal(0, 10));
      const b = sample("b", normal(0, 10));
      observe("y", studentT(4, x.mul(b).add(a), 0.5), y);
    });
    const found = await ep(robust, { x: [0, 1, 2, 3, 4, 5], y: [0.1, 1.2, 1.9, 9, 4.1, 5.2] }, { tolerance: 1e-10 });
    expect(Math.min(...found.sites.map((s) => s.precision[0]!))).toBeLessThan(0);
    same(found, stored.student!["1"]!);
  });
  describe("Gaussian process classification", () => {
    const at = [-2, -1.2, -0.3, 0.4, 1.1, 2.5];
    const kernel = at.map((s, i) => at.map((t, j) => 2 * Math.exp(-0.5 * (s - t) ** 2) + (i === j ? 1e-6 : 0)));
    const y = [0, 0, 1, 1, 0, 1];
    test("with the kernel as a covariance", async () => {
      const gp = model(({ sample, observe }, data: { kernel: Tensor; y: Tensor }) => {
        const f = sample("f", multivariateNormal({ mean: data.y.mul(0), covariance: data.kernel }));
        observe("y", bernoulli({ logits: f }), data.y);
      });
      same(await ep(gp, { kernel, y }, { tolerance: 1e-10 }), stored.gp!["1"]!);
    });
    test("with its Cholesky factor: whitened, the evidence is the same", async () => {
      const lower: number[][] = kernel.map((row) => row.map(() => 0));
      for (let i = 0; i < 6; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = kernel[i]![j]!;
          for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
          lower[i]![j] = i === j ? Math.sqrt(sum) : sum / lower[j]![j]!;
        }
      }
      const white = model(({ sample, observe }, data: { lower: Tensor; y: Tensor }) => {
        const e = sample("e", normal(0, 1), [data.y.shape[0]!]);
        observe("y", bernoulli({ logits: matvec(data.lower, e) }), data.y);
      });
      const found = await ep(white, { lower, y }, { tolerance: 1e-10 });
      expect(found.logZ).toBeCloseTo(stored.gp!["1"]!.logZ, 7);
      const f = lower.map((row) => row.reduce((sum, l, j) => sum + l * found.mean[j]!, 0));
      for (const [i, m] of stored.gp!["1"]!.mean.entries()) expect(f[i]).toBeCloseTo(m, 6);
    });
  });
});
