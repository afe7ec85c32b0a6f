import { describe, expect, test } from "vitest";
import { Generator } from "../../../src/base/generator.ts";
import type { LogDensity } from "../../../src/inference/log-density.ts";
import { estimateMetric } from "../../../src/inference/mcmc/estimate-metric.ts";
import { denseMetric, diagonalMetric } from "../../../src/inference/mcmc/metric.ts";
import {
  centredCovariance,
  centredVariances,
  geometricMean,
  largestEigenvalue,
} from "../../../src/inference/mcmc/symmetric.ts";
import { windowEnds } from "../../../src/inference/mcmc/windows.ts";
import { choleskyInPlace, inverse } from "../../../src/inference/symmetric-solve.ts";
import { equicorrelated, independent, studentT } from "./targets.ts";

const expectClose = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) => {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(tolerance * Math.max(1, Math.abs(expected[i]!)));
};

const multiply = (a: Float64Array, b: Float64Array, n: number): Float64Array =>
  Float64Array.from({ length: n * n }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[Math.floor(at / n) * n + k]! * b[k * n + (at % n)]!;
    return sum;
  });

const flat = (rows: readonly Float64Array[]): Float64Array => Float64Array.from(rows.flatMap((row) => [...row]));

function randomCovariance(n: number, generator: Generator): Float64Array {
  const rows = Array.from({ length: 3 * n }, () => generator.normals(new Float64Array(n)));
  return centredCovariance(flat(rows), new Float64Array(n).fill(1));
}

describe("symmetric matrices", () => {
  const a = Float64Array.of(4, 2, 0.6, 2, 5, 1, 0.6, 1, 3);
  test("L Lᵀ of the Cholesky factor is the matrix", () => {
    const l = a.slice();
    expect(choleskyInPlace(l, 3)).toBe(true);
    const transposed = l.map((_, at) => l[(at % 3) * 3 + Math.floor(at / 3)]!);
    expectClose(multiply(l, transposed, 3), a, 1e-14);
  });
  test("a matrix with a negative eigenvalue has no factor", () => {
    expect(choleskyInPlace(Float64Array.of(1, 2, 2, 1), 2)).toBe(false);
    expect(inverse(Float64Array.of(1, 2, 2, 1), 2)).toBeNull();
    expect(denseMetric(Float64Array.of(1, 2, 2, 1), 2)).toBeNull();
  });
  test("the inverse times the matrix is 1", () => {
    expectClose(multiply(inverse(a, 3)!, a, 3), [1, 0, 0, 0, 1, 0, 0, 0, 1], 1e-14);
  });
  test("X = A # B⁻¹ solves X B X = A", () => {
    const generator = new Generator(1, "geometric mean");
    const [p, q] = [randomCovariance(6, generator), randomCovariance(6, generator)];
    const x = geometricMean(p, q, 6)!;
    expectClose(multiply(multiply(x, q, 6), x, 6), p, 1e-8);
  });
  test("the largest eigenvalue of [[2, 1], [1, 2]] is 3", () => {
    expect(largestEigenvalue(Float64Array.of(2, 1, 1, 2), 2)).toBeCloseTo(3, 8);
  });
  test("variances and covariances are those of the definition", () => {
    const rows = [Float64Array.of(1, 10), Float64Array.of(2, 30), Float64Array.of(6, 20)];
    expectClose(centredVariances(flat(rows), 2), [7, 100], 1e-14);
    expectClose(centredCovariance(flat(rows), Float64Array.of(1, 0.1)), [7, 0.5, 0.5, 1], 1e-14);
  });
});

describe("momenta", () => {
  // M⁻¹ p of p ~ N(0, M) has covariance M⁻¹: its products with n draws have a standard error below 2 / √n.
  test.each([
    ["diagonal", diagonalMetric(Float64Array.of(0.25, 4)), [0.25, 0, 0, 4]],
    ["dense", denseMetric(Float64Array.of(1, 0.8, 0.8, 2), 2)!, [1, 0.8, 0.8, 2]],
  ])("of a %s metric have velocities with covariance M⁻¹", (_, metric, expected) => {
    const generator = new Generator(2, "momenta");
    const momentum = new Float64Array(2);
    const rows = Array.from({ length: 40_000 }, () => {
      const velocity = new Float64Array(2);
      metric.draw(generator, momentum);
      metric.multiply(momentum, velocity);
      return velocity;
    });
    expectClose(centredCovariance(flat(rows), Float64Array.of(1, 1)), expected, 4 * 0.01);
  });
});

describe("the metric's estimate", () => {
  /** Points that are nowhere near draws from the target: uniform on a far-off box. */
  const farOff = (target: LogDensity, n: number) => {
    const generator = new Generator(3, "far off");
    const rows = Array.from({ length: n }, () => {
      const u = Float64Array.from({ length: target.dim }, () => 100 + 10 * generator.uniform());
      const gradient = new Float64Array(target.dim);
      target.evaluate(u, gradient);
      return { u, gradient };
    });
    return { u: flat(rows.map(({ u }) => u)), gradient: flat(rows.map(({ gradient }) => gradient)) };
  };
  const sds = [1e-3, 1, 50];

  test("is a diagonal Gaussian's variances from three points anywhere", () => {
    const metric = estimateMetric(farOff(independent(sds), 3), 3, "diagonal")!;
    expectClose(
      metric.inverseMass,
      sds.map((sd) => sd ** 2),
      1e-9,
    );
  });
  test("is a Gaussian's covariance from a few more points than coordinates, anywhere", () => {
    const metric = estimateMetric(farOff(equicorrelated(4, 0.9), 8), 4, "dense")!;
    expect(metric.kind).toBe("dense");
    // The ridge of 1e-5 is what remains.
    expectClose(
      metric.inverseMass,
      Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0.9)),
      1e-3,
    );
  });
  test("auto is diagonal where the coordinates are independent, however ill they are scaled", () => {
    expect(estimateMetric(farOff(independent(sds), 50), 3, "auto")!.kind).toBe("diagonal");
    expect(estimateMetric(farOff(studentT(3, 4), 50), 3, "auto")!.kind).toBe("diagonal");
  });
  test("auto is dense where they are strongly correlated", () => {
    expect(estimateMetric(farOff(equicorrelated(3, 0.99), 50), 3, "auto")!.kind).toBe("dense");
  });
  test("is not dense from fewer draws than coordinates", () => {
    expect(estimateMetric(farOff(equicorrelated(10, 0.9), 9), 10, "dense")!.kind).toBe("diagonal");
  });
  test("is not offered for a coordinate that never moved, or fewer than three draws", () => {
    const { u, gradient } = farOff(independent(sds), 5);
    const stuck = u.map((value, i) => (i % 3 === 1 ? 7 : value));
    expect(estimateMetric({ u: stuck, gradient }, 3, "auto")).toBeNull();
    expect(estimateMetric(farOff(independent(sds), 2), 3, "auto")).toBeNull();
  });
});

describe("the windows of a warm-up", () => {
  test.each([20, 50, 100, 150, 300, 1000, 10_000])(
    "of %d grow, and leave the last tenth to the step size",
    (length) => {
      const ends = windowEnds(length);
      const sizes = ends.map((end, i) => end - (ends[i - 1] ?? 0));
      expect(ends.at(-1)).toBe(length - Math.max(10, Math.min(50, Math.floor(length / 10))));
      for (let i = 1; i < sizes.length; i++) expect(sizes[i]!).toBeGreaterThan(sizes[i - 1]!);
    },
  );
  test("are none in fewer than 20 iterations", () => {
    expect(windowEnds(19)).toEqual([]);
  });
});
