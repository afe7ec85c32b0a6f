import { describe, expect, test } from "vitest";
import { compileTarget } from "../../src/inference/compiled-target.ts";
import { FixedDrawObjective, fixedDraws } from "../../src/inference/fixed-draws.ts";
import { fixedNoise } from "../../src/inference/fixed-noise.ts";
import { laplace } from "../../src/inference/laplace.ts";
import { linearResponse } from "../../src/inference/linear-response.ts";
import { integrate } from "../quadrature.ts";
import { abortAfter } from "./abort-after.ts";
import { correlated, correlatedNegLogEvidence, gaussianTarget, targetOf, tenthTarget, times } from "./targets.ts";

const correlatedTarget = () => gaussianTarget(correlated.mean, correlated.precision);

function expectClose(actual: ArrayLike<number>, expected: readonly number[], digits: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(actual[i]).toBeCloseTo(expected[i]!, digits);
}

describe("fixed noise", () => {
  test("has mean 0, variance 1 and uncorrelated coordinates, exactly, and comes in pairs", () => {
    const [draws, dim] = [32, 6];
    const z = fixedNoise(draws, dim, 3);
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j <= i; j++) {
        let moment = 0;
        for (let s = 0; s < draws; s++) moment += (z[s * dim + i]! * z[s * dim + j]!) / draws;
        expect(moment).toBeCloseTo(i === j ? 1 : 0, 12);
      }
    }
    for (let s = 0; s < draws / 2; s++) expect(z[(s + draws / 2) * dim]).toBe(-z[s * dim]!);
  });
});

describe("the Laplace approximation", () => {
  test("of a Gaussian is that Gaussian, with its evidence and no error in the bound", async () => {
    const fit = await laplace(correlatedTarget());
    expect(fit.converged).toBe(true);
    expectClose(fit.mean, correlated.mean, 6);
    expectClose(fit.covariance!, correlated.covariance.flat(), 10);
    expect(fit.logEvidence).toBeCloseTo(-correlatedNegLogEvidence, 10);
    expect(fit.negElbo).toBeCloseTo(correlatedNegLogEvidence, 6);
    expect(fit.negElboSe).toBeLessThan(1e-6);
  });

  test("is not offered where there is no mode", async () => {
    // log p = u₁ + u₂ − e^(u₂): without end in u₁.
    const fit = await laplace(targetOf(2, (u) => u.sum().sub(u.narrow(0, 1, 1).exp().sum())));
    expect(fit.converged).toBe(false);
    expect(fit.reason).not.toBe("");
  });

  test("a density that is finite nowhere is an error that says so", async () => {
    await expect(laplace(targetOf(1, (u) => u.square().neg().sub(1).log().sum()))).rejects.toThrow(
      /no finite log density was found in 100 tries around 0 \(at 0 it is NaN\)/,
    );
  });
});

describe("the fixed-draw objective", () => {
  test("has the gradient and the Hessian that finite differences have", async () => {
    // A smooth density that is no Gaussian: −log cosh(u₁ + u₂) − e^{u₁ / 2} − ½ u₂².
    const target = targetOf(2, (u) => {
      const [a, b] = [u.narrow(0, 0, 1), u.narrow(0, 1, 1)];
      const s = a.add(b);
      return s.softplus().add(s.neg().softplus()).add(a.mul(0.5).exp()).add(b.square().mul(0.5)).sum().neg();
    });
    const { batch } = await compileTarget(target, 8);
    const fn = new FixedDrawObjective(batch, fixedNoise(8, 2, 1), Float64Array.of(0.2, -1), Float64Array.of(2, 0.5));
    const theta = Float64Array.of(0.3, -0.4, -0.5, 0.2);
    const gradient = new Float64Array(4);
    fn.evaluate(theta, gradient);
    const hessian = await fn.hessian(theta, async () => {});
    const h = 1e-5;
    for (let i = 0; i < 4; i++) {
      const [up, down] = [theta.slice(), theta.slice()];
      up[i]! += h;
      down[i]! -= h;
      const [gUp, gDown] = [new Float64Array(4), new Float64Array(4)];
      const slope = (fn.evaluate(up, gUp) - fn.evaluate(down, gDown)) / (2 * h);
      expect(gradient[i]).toBeCloseTo(slope, 8);
      for (let j = 0; j < 4; j++) expect(hessian[i * 4 + j]).toBeCloseTo((gUp[j]! - gDown[j]!) / (2 * h), 7);
    }
  });
});

describe("mean-field variational inference with fixed draws", () => {
  test("of a Gaussian has its mean and sd 1 / √Λ_jj (Bishop 2006, section 10.1.2)", async () => {
    const fit = await fixedDraws(correlatedTarget());
    expect(fit.converged).toBe(true);
    expectClose(fit.mean, correlated.mean, 7);
    expectClose(fit.sd, [Math.SQRT1_2, Math.SQRT1_2, 1], 8);
    // KL(q ‖ p) = ½ (log det Σ − Σ log sd²), since the trace is the dimension.
    const kl = 0.5 * (-Math.log(2.5) + Math.log(2) + Math.log(2));
    expect(Math.abs(fit.negElbo - correlatedNegLogEvidence - kl)).toBeLessThan(5 * fit.negElboSe);
  });

  test("gives by linear response the covariance that mean-field misses", async () => {
    const response = linearResponse(await fixedDraws(correlatedTarget()));
    expectClose(response.covariance!, correlated.covariance.flat(), 8);
    expect(response.negElbo).toBeCloseTo(correlatedNegLogEvidence, 6);
  });

  test("of y = 10 under x ~ N(0, 1), y ~ N(x, 0.5) is N(8, 0.4472)", async () => {
    const fit = await fixedDraws(tenthTarget());
    expect(fit.mean[0]).toBeCloseTo(8, 8);
    expect(fit.sd[0]).toBeCloseTo(Math.sqrt(0.2), 8);
  });

  test("converges where one scale is 10⁷ times another and two coordinates correlate at 0.9999", async () => {
    const [sd1, sd2, sd3, r] = [1e4, 2e2, 1e-3, 0.9999];
    const inverse = 1 / (1 - r * r);
    const precision = [
      [inverse / sd1 ** 2, (-r * inverse) / (sd1 * sd2), 0],
      [(-r * inverse) / (sd1 * sd2), inverse / sd2 ** 2, 0],
      [0, 0, 1 / sd3 ** 2],
    ];
    const fit = await fixedDraws(gaussianTarget([-6e4, 1.2e3, 0.02], precision));
    expect(fit.converged).toBe(true);
    expectClose(
      fit.mean.map((m, i) => m / [-6e4, 1.2e3, 0.02][i]!),
      [1, 1, 1],
      6,
    );
    const { sd } = linearResponse(fit);
    expectClose(
      sd.map((s, i) => s / [sd1, sd2, sd3][i]!),
      [1, 1, 1],
      5,
    );
  });

  test("in one dimension minimises KL(q ‖ p) as quadrature has it, and its error bar covers the difference", async () => {
    // p ∝ e^{u − e^u} (a Gumbel density): E_q[e^u] = e^{m + s²/2}, so that m + s²/2 = 0 and s = 1 at the minimum.
    const fit = await fixedDraws(targetOf(1, (u) => u.sub(u.exp()).sum()));
    expect(fit.mean[0]).toBeCloseTo(-0.5, 1);
    expect(fit.sd[0]).toBeCloseTo(1, 1);
    expect(fit.meanSe[0]).toBeGreaterThan(0);
    const q = (u: number) =>
      Math.exp(-0.5 * ((u - fit.mean[0]!) / fit.sd[0]!) ** 2) / fit.sd[0]! / Math.sqrt(2 * Math.PI);
    const exact = integrate((u) => q(u) * (Math.log(q(u)) - u + Math.exp(u)), -9, 8, 2000);
    expect(Math.abs(fit.negElbo - exact)).toBeLessThan(5 * fit.negElboSe);
  });

  test("in a logistic regression agrees with the posterior by quadrature", async () => {
    const x = [-2, -1, -0.5, 0.3, 1, 1.7, 2.2, -1.4];
    const y = [0, 0, 1, 0, 1, 1, 1, 0];
    const target = targetOf(
      1,
      (u, { x, y }) => {
        const eta = times(x!, u);
        return y!.mul(eta).sub(eta.softplus()).sum().sub(u.square().sum().mul(0.125));
      },
      { x: { shape: [8, 1], values: x }, y: { shape: [8], values: y } },
    );
    const density = (b: number) =>
      Math.exp(x.reduce((sum, v, i) => sum + y[i]! * v * b - Math.log1p(Math.exp(v * b)), -b * b * 0.125));
    const z = integrate(density, -4, 12, 2000);
    const mean = integrate((b) => (b * density(b)) / z, -4, 12, 2000);
    const variance = integrate((b) => ((b - mean) ** 2 * density(b)) / z, -4, 12, 2000);
    const fit = await fixedDraws(target);
    // The posterior is skewed, so that a Gaussian agrees to some per cent of its sd only.
    expect(Math.abs(fit.mean[0]! - mean)).toBeLessThan(0.1 * Math.sqrt(variance));
    expect(Math.abs(Math.log(linearResponse(fit).sd[0]! / Math.sqrt(variance)))).toBeLessThan(0.1);
  });

  test("takes draws enough for many correlated coordinates, so that none of the correlation is taken for certainty", async () => {
    // An AR(1) process of 20 steps at correlation 0.9: the precision is tridiagonal, 1.81 / 0.19 inside and 1 / 0.19 at the ends.
    const [dim, r] = [20, 0.9];
    const inner = 1 / (1 - r * r);
    const precision = Array.from({ length: dim }, (_, i) =>
      Array.from({ length: dim }, (_, j) => {
        if (i === j) return i === 0 || i === dim - 1 ? inner : inner * (1 + r * r);
        return Math.abs(i - j) === 1 ? -r * inner : 0;
      }),
    );
    const fit = await fixedDraws(gaussianTarget(new Array(dim).fill(0), precision));
    expectClose(
      fit.sd.map((s, i) => s * Math.sqrt(precision[i]![i]!)),
      new Array(dim).fill(1),
      6,
    );
    expectClose(linearResponse(fit).sd, new Array(dim).fill(1), 6);
  });

  test("in many coordinates goes without the whole Hessian, and linear response says that it needs it", async () => {
    const dim = 600;
    const target = targetOf(dim, (u) => u.sub(2).square().sum().mul(-8));
    const fit = await fixedDraws(target, { draws: 32 });
    expect(fit.converged).toBe(true);
    expect(fit.hessianCholesky).toBeNull();
    for (const mean of fit.mean) expect(mean).toBeCloseTo(2, 5);
    for (const sd of fit.sd) expect(sd).toBeCloseTo(0.25, 5);
    expect(() => linearResponse(fit)).toThrow(/in up to 500 coordinates; this one has 600/);
  });

  test("gives the same bits for the same seed, and other draws for another", async () => {
    const fit = await fixedDraws(correlatedTarget(), { seed: 4 });
    const again = await fixedDraws(correlatedTarget(), { seed: 4 });
    expect(again.params).toEqual(fit.params);
    expect(again.draw(3, 1)).toEqual(fit.draw(3, 1));
    expect(again.draw(3, 2)).not.toEqual(fit.draw(3, 1));
  });

  test("a signal is heard before the search has ended, and in that for the mode", async () => {
    const dim = 200;
    const target = targetOf(dim, (u) => u.square().sum().add(u.sum().sub(1).square()).neg().sub(u.exp().sum()));
    const compiled = await compileTarget(target);
    for (const search of [fixedDraws, laplace]) {
      await expect(search(target, { compiled, signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
        "enough",
      );
    }
    const { signal, expectHeard } = abortAfter(3, new Error("enough"));
    await expectHeard(fixedDraws(target, { compiled, signal }), "enough");
  });

  test("refuses an odd number of draws", async () => {
    await expect(fixedDraws(tenthTarget(), { draws: 7 })).rejects.toThrow(/even number of draws.*not 7/);
    const compiled = await compileTarget(tenthTarget(), 8);
    await expect(fixedDraws(tenthTarget(), { draws: 12, compiled })).rejects.toThrow(/8 points at once: .* not 12/);
  });
});
