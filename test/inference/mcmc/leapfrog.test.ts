import { describe, expect, test } from "vitest";
import { Generator } from "../../../src/base/generator.ts";
import type { LogDensity } from "../../../src/inference/log-density.ts";
import { denseMetric, diagonalMetric, type Metric } from "../../../src/inference/mcmc/metric.ts";
import { completePoint, leapfrog, type PhasePoint, phasePoint } from "../../../src/inference/mcmc/phase-point.ts";
import { eightSchools, standardNormal } from "./targets.ts";

function start(target: LogDensity, metric: Metric, seed = 1): PhasePoint {
  const generator = new Generator(seed, "leapfrog test");
  const point = phasePoint(target.dim);
  generator.normals(point.u);
  point.logDensity = target.evaluate(point.u, point.gradient);
  metric.draw(generator, point.momentum);
  completePoint(point, metric);
  return point;
}

function follow(target: LogDensity, metric: Metric, from: PhasePoint, stepSize: number, steps: number): PhasePoint {
  let point = from;
  for (let i = 0; i < steps; i++) {
    const next = phasePoint(target.dim);
    leapfrog(target, metric, point, next, stepSize);
    point = next;
  }
  return point;
}

const variances = Float64Array.from({ length: 10 }, (_, i) => 0.5 + 0.1 * i);
const asMatrix = Float64Array.from({ length: 100 }, (_, i) => (i % 11 === 0 ? variances[i / 11]! : 0));
/** Variances 1 and correlations 0.3. */
const correlated = Float64Array.from({ length: 100 }, (_, i) => (i % 11 === 0 ? 1 : 0.3));

describe.each([
  ["a diagonal metric", diagonalMetric(variances)],
  ["a dense metric", denseMetric(correlated, 10)!],
])("the leapfrog step with %s", (_, metric) => {
  test("is reversible: back in time, it returns", () => {
    const from = start(eightSchools, metric);
    const back = follow(eightSchools, metric, follow(eightSchools, metric, from, 0.1, 50), -0.1, 50);
    for (let i = 0; i < 10; i++) {
      expect(back.u[i]).toBeCloseTo(from.u[i]!, 10);
      expect(back.momentum[i]).toBeCloseTo(from.momentum[i]!, 10);
    }
  });

  test("conserves energy to second order: half the step, a quarter of the error", () => {
    const from = start(eightSchools, metric);
    const error = (stepSize: number, steps: number) =>
      follow(eightSchools, metric, from, stepSize, steps).energy - from.energy;
    expect(error(0.01, 60) / error(0.005, 120)).toBeCloseTo(4, 1);
  });

  test("keeps velocity and natural gradient equal to M⁻¹ p and M⁻¹ g", () => {
    const to = follow(eightSchools, metric, start(eightSchools, metric), 0.1, 100);
    const expected = phasePoint(10);
    metric.multiply(to.momentum, expected.velocity);
    metric.multiply(to.gradient, expected.natural);
    for (let i = 0; i < 10; i++) {
      expect(to.velocity[i]).toBeCloseTo(expected.velocity[i]!, 10);
      expect(to.natural[i]).toBeCloseTo(expected.natural[i]!, 10);
    }
  });
});

test("a diagonal metric moves as the dense one with the same matrix", () => {
  const diagonal = diagonalMetric(variances);
  const dense = denseMetric(asMatrix, 10)!;
  const from = start(eightSchools, diagonal);
  const [a, b] = [diagonal, dense].map((metric) => follow(eightSchools, metric, from, 0.1, 20));
  for (let i = 0; i < 10; i++) expect(a!.u[i]).toBeCloseTo(b!.u[i]!, 12);
});

// For N(0, 1) a step is linear, and ε² ≤ 4 keeps it on an ellipse: H + ε² u²/8 … the shadow Hamiltonian ½p² + ½u²(1 − ε²/4).
test("on a standard normal the shadow energy p² + u² (1 − ε²/4) is conserved exactly", () => {
  const target = standardNormal(1);
  const metric = diagonalMetric(Float64Array.of(1));
  const from = start(target, metric);
  const shadow = ({ u, momentum }: PhasePoint) => momentum[0]! ** 2 + u[0]! ** 2 * (1 - 1.5 ** 2 / 4);
  const to = follow(target, metric, from, 1.5, 1001);
  expect(shadow(to)).toBeCloseTo(shadow(from), 10);
});

test("a place where the log density is not finite has infinite energy, whatever its sign", () => {
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    const target: LogDensity = { dim: 1, evaluate: () => value };
    const to = follow(target, diagonalMetric(Float64Array.of(1)), phasePoint(1), 1, 1);
    expect(to.energy).toBe(Infinity);
  }
});
