import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { drawWith, inverseHessian, timesCovariance, updatedDiagonal } from "../../src/inference/inverse-hessian.ts";
import { laplace } from "../../src/inference/laplace.ts";
import { multiPathfinder, pathfinder } from "../../src/inference/pathfinder.ts";
import { correlated, correlatedNegLogEvidence, gaussianTarget, targetOf } from "./targets.ts";

type Matrix = number[][];
const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((s, v, k) => s + v * b[k]![j]!, 0)));
const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const plus = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => row.map((v, j) => v + b[i]![j]!));

/** H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ with ρ = 1 / sᵀy (Nocedal and Wright 2006, eq. 6.17). */
function bfgs(h: Matrix, s: number[], y: number[]): Matrix {
  const rho = 1 / s.reduce((sum, v, i) => sum + v * y[i]!, 0);
  const left = s.map((si, i) => y.map((yj, j) => (i === j ? 1 : 0) - rho * si * yj));
  return plus(times(times(left, h), transposed(left)), s.map((si) => s.map((sj) => rho * si * sj))); // biome-ignore format: a formula
}

/** Three pairs of a quadratic with the given precision, so that sᵀy > 0. */
const precision = [
  [4, 1, 0, 0.5],
  [1, 3, 0.2, 0],
  [0, 0.2, 2, 0.1],
  [0.5, 0, 0.1, 1],
];
const steps = [[1, 0.5, -1, 2], [0.3, -1, 0.4, 0.1], [-0.2, 0.1, 1.5, 1]]; // biome-ignore format: rows
const pairs = steps.map((s) => ({
  step: Float64Array.from(s),
  change: Float64Array.from(precision.map((row) => row.reduce((sum, v, j) => sum + v * s[j]!, 0))),
}));
const alpha = Float64Array.of(0.3, 2, 0.7, 1.1);
const dense = pairs.reduce(
  (h, { step, change }) => bfgs(h, [...step], [...change]),
  [...alpha].map((a, i) => [...alpha].map((_, j) => (i === j ? a : 0))),
);

describe("the inverse Hessian of L-BFGS in factored form", () => {
  test("is the matrix of the BFGS recursion, and maps the last change to the last step", () => {
    const shape = inverseHessian(alpha, pairs)!;
    for (let j = 0; j < 4; j++) {
      const column = timesCovariance(
        shape,
        Float64Array.from({ length: 4 }, (_, i) => (i === j ? 1 : 0)),
      );
      for (let i = 0; i < 4; i++) expect(column[i]).toBeCloseTo(dense[i]![j]!, 10);
    }
    const last = pairs.at(-1)!;
    for (const [i, s] of timesCovariance(shape, last.change).entries()) expect(s).toBeCloseTo(last.step[i]!, 10);
  });

  test("has draws with that covariance, and says their density", () => {
    const shape = inverseHessian(alpha, pairs)!;
    const n = 20_000;
    const mean = Float64Array.of(5, -5, 0, 1);
    const { x, logQ } = drawWith(shape, mean, n, new Generator(1, "test"));
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let s = 0; s < n; s++) sum += ((x[s * 4 + i]! - mean[i]!) * (x[s * 4 + j]! - mean[j]!)) / n;
        // The standard error of a covariance is at most √(2 Σ_ii Σ_jj / n).
        const error = Math.sqrt((2 * dense[i]![i]! * dense[j]![j]!) / n);
        expect(Math.abs(sum - dense[i]![j]!)).toBeLessThan(5 * error);
      }
    }
    // −E log q is the entropy, 2 log 2πe + ½ log det Σ; log q has variance dim / 2.
    const average = logQ.reduce((a, b) => a + b / n, 0);
    expect(Math.abs(-average - (2 * Math.log(2 * Math.PI * Math.E) + 0.5 * shape.logDeterminant))).toBeLessThan(
      5 * Math.sqrt(2 / n),
    );
  });

  test("keeps its diagonal where a step has no positive curvature", () => {
    expect(updatedDiagonal(alpha, Float64Array.of(1, 0, 0, 0), Float64Array.of(-1, 0, 0, 0))).toBeNull();
    // A pair along one axis gives that axis its inverse curvature 2/10, and scales the others by sᵀy / yᵀ diag(α) y = 20/30.
    const updated = updatedDiagonal(alpha, Float64Array.of(2, 0, 0, 0), Float64Array.of(10, 0, 0, 0))!;
    for (const [i, a] of [0.2, 4 / 3, 1.4 / 3, 2.2 / 3].entries()) expect(updated[i]).toBeCloseTo(a, 12);
  });
});

describe("Pathfinder", () => {
  test("on a Gaussian comes within 0.05 nats of it from any start", async () => {
    for (const seed of [0, 1, 2]) {
      const fit = await pathfinder(gaussianTarget(correlated.mean, correlated.precision), { seed });
      expect(fit.negElbo - correlatedNegLogEvidence).toBeLessThan(0.05);
      expect(fit.converged).toBe(true);
    }
  });

  test("stays with the mass where the mode is far from it: Neal's funnel", async () => {
    // v ~ N(0, 3), x_i ~ N(0, e^{v/2}): in nine x the mode has v = −40.5 and the mass is at |v| < 6.
    const funnel = targetOf(10, (u) => {
      const [v, x] = [u.narrow(0, 0, 1), u.narrow(0, 1, 9)];
      const scaled = x.square().mul(v.neg().exp()).sum();
      return v.square().mul(-1 / 18).sum().sub(scaled.mul(0.5)).sub(v.sum().mul(4.5)); // biome-ignore format: a formula
    });
    expect((await laplace(funnel)).mean[0]).toBeCloseTo(-40.5, 4);
    const { fits } = await multiPathfinder(funnel, { paths: 4 });
    for (const fit of fits) {
      expect(Math.abs(fit.mean[0]!)).toBeLessThan(15);
      expect(fit.iterate).toBeLessThan(fit.iterates);
    }
  });

  test("from several starts finds both modes, and resamples by their weights", async () => {
    // 0.2 N(−6, 1) + 0.8 N(6, 1).
    const target = targetOf(1, (u) => {
      const left = u.add(6).square().mul(-0.5).add(Math.log(0.2));
      const right = u.sub(6).square().mul(-0.5).add(Math.log(0.8));
      return left.sub(right).softplus().add(right).sum();
    });
    const fit = await multiPathfinder(target, { starts: [[-5], [-2], [2], [5]], drawsPerPath: 500 });
    const draws = fit.draw(4000, 1);
    const share = draws.filter((x) => x < 0).length / 4000;
    // 4000 draws with replacement from 2000: standard error √(0.16 (1/4000 + 1/2000)) = 0.011.
    expect(Math.abs(share - 0.2)).toBeLessThan(0.05);
    expect(fit.draw(10, 1)).toEqual(draws.slice(0, 10));
    expect(fit.reason).toBe("4 of 4 paths reached a mode");
  });

  test("says so where no path leads anywhere", async () => {
    const nowhere = targetOf(1, (u) => u.square().neg().sub(1).log().sum());
    await expect(multiPathfinder(nowhere, { paths: 2 })).rejects.toThrow(
      /none of 2 paths gave an approximation; the first: no finite/,
    );
  });
});
