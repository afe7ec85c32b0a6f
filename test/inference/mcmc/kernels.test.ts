import { describe, expect, test } from "vitest";
import { Generator } from "../../../src/base/generator.ts";
import type { LogDensity } from "../../../src/inference/log-density.ts";
import { dualAveraging, updateDualAveraging } from "../../../src/inference/mcmc/dual-averaging.ts";
import { hmc } from "../../../src/inference/mcmc/hmc.ts";
import {
  type HamiltonianInfo,
  type HamiltonianKernel,
  type HamiltonianState,
  startAt,
} from "../../../src/inference/mcmc/kernel.ts";
import { denseMetric, diagonalMetric } from "../../../src/inference/mcmc/metric.ts";
import { nuts } from "../../../src/inference/mcmc/nuts.ts";
import { completePoint, leapfrog, phasePoint } from "../../../src/inference/mcmc/phase-point.ts";
import { StepByStep } from "../../../src/inference/mcmc/step-by-step.ts";
import { firstStepSize } from "../../../src/inference/mcmc/step-size.ts";
import { kolmogorovSmirnov, momentErrors, normalCdf } from "../../tensor/normality.ts";
import { equicorrelated, funnel, independent, standardNormal } from "./targets.ts";

/** √n sup |F_n − F| beyond this has probability 0.001. */
const KS = 1.95;

/** HMC that forgets Metropolis' correction: what the tests of invariance must find out. */
const uncorrected = (target: LogDensity): HamiltonianKernel => {
  const init = (u: Float64Array) => startAt(target, u);
  const step = (state: HamiltonianState, generator: Generator): [HamiltonianState, HamiltonianInfo] => {
    const [from, to] = [phasePoint(target.dim), phasePoint(target.dim)];
    from.u.set(state.u);
    from.gradient.set(state.gradient);
    state.metric.draw(generator, from.momentum);
    completePoint(from, state.metric);
    leapfrog(target, state.metric, from, to, state.stepSize);
    const info = { energy: to.energy, depth: 0, divergent: false, acceptance: 1, leapfrogs: 1 };
    return [{ ...state, u: to.u.slice(), gradient: to.gradient.slice(), logDensity: to.logDensity }, info];
  };
  return new StepByStep({ init, step }, target.dim);
};

/** One transition of the kernel. */
function step(kernel: HamiltonianKernel, from: HamiltonianState, generator: Generator) {
  const { state, rows } = kernel.run(from, generator, 1, null);
  const info = {
    energy: rows.energy[0]!,
    depth: rows.depth[0]!,
    leapfrogs: rows.leapfrogs[0]!,
    divergent: rows.divergent[0] === 1,
    acceptance: rows.acceptance[0]!,
    nonFinite: rows.nonFinite?.at ?? null,
  };
  return [state, info] as const;
}

/**
 * Exact draws from N(0, I), each moved on by `steps` transitions of the kernel with a coarse step size. They are independent, and
 * exact again if and only if the kernel leaves the target invariant.
 */
function moved(make: (target: LogDensity) => HamiltonianKernel, dim: number, stepSize: number, steps: number) {
  const target = standardNormal(dim);
  const kernel = make(target);
  const starts = new Generator(5, "exact draws");
  const generator = new Generator(5, "transitions");
  const out = new Float64Array(20_000);
  for (let i = 0; i < out.length; i++) {
    let state = { ...kernel.init(starts.normals(new Float64Array(dim))), stepSize };
    for (let s = 0; s < steps; s++) [state] = step(kernel, state, generator);
    out[i] = state.u[0]!;
  }
  return out;
}

describe("invariance: exact draws from a standard normal stay so", () => {
  const kernels: [string, (target: LogDensity) => HamiltonianKernel, number][] = [
    ["NUTS", nuts, 1.1],
    ["NUTS near the limit of stability", nuts, 1.9],
    ["NUTS with trees of depth 1", (target) => nuts(target, { maxDepth: 1 }), 0.7],
    ["NUTS with trees of depth 3, cut off", (target) => nuts(target, { maxDepth: 3 }), 0.15],
    ["HMC", (target) => hmc(target, { trajectory: 3 }), 1.3],
    ["HMC without jitter", (target) => hmc(target, { trajectory: 1, jitter: 0 }), 1.7],
  ];
  test.each(kernels)("under %s", (_, make, stepSize) => {
    for (const dim of [1, 3]) {
      const draws = moved(make, dim, stepSize, 2);
      expect(kolmogorovSmirnov(draws, normalCdf)).toBeLessThan(KS);
      for (const error of momentErrors(draws)) expect(Math.abs(error)).toBeLessThan(4);
    }
  });
  test("but not under leapfrog steps without a correction, so that the test can fail", () => {
    expect(kolmogorovSmirnov(moved(uncorrected, 1, 1.1, 2), normalCdf)).toBeGreaterThan(2 * KS);
  });
});

/**
 * Geweke's joint test (JASA 99, 2004) with independent replicates: θ from the prior, y from p(y | θ), then transitions that target
 * p(θ | y). Their end is a draw from the prior again. Here θ = (m, s) ~ N(0, I) and y₁, y₂ ~ N(m, exp(s)): not a Gaussian posterior.
 */
describe("Geweke's joint test", () => {
  const y = [0, 0];
  const posterior: LogDensity = {
    dim: 2,
    evaluate([m, s], gradient) {
      const precision = Math.exp(-2 * s!);
      let logDensity = -0.5 * (m! * m! + s! * s!) - 2 * s!;
      gradient[0] = -m!;
      gradient[1] = -s! - 2;
      for (const value of y) {
        const r = value - m!;
        logDensity -= 0.5 * r * r * precision;
        gradient[0] += r * precision;
        gradient[1] += r * r * precision;
      }
      return logDensity;
    },
  };
  const run = (kernel: HamiltonianKernel, stepSize: number) => {
    const generator = new Generator(6, "geweke");
    const out = [new Float64Array(10_000), new Float64Array(10_000)] as const;
    for (let i = 0; i < 10_000; i++) {
      const theta = generator.normals(new Float64Array(2));
      for (const j of [0, 1]) y[j] = theta[0]! + Math.exp(theta[1]!) * generator.normal();
      let state = { ...kernel.init(theta), stepSize };
      for (let s = 0; s < 3; s++) [state] = step(kernel, state, generator);
      for (const j of [0, 1] as const) out[j][i] = state.u[j]!;
    }
    return out.map((draws) => kolmogorovSmirnov(draws, normalCdf));
  };
  test.each([
    ["NUTS", nuts(posterior), 0.4],
    ["HMC", hmc(posterior), 0.3],
  ])("passes for %s", (_, kernel, stepSize) => {
    for (const distance of run(kernel, stepSize)) expect(distance).toBeLessThan(KS);
  });
  test("finds out leapfrog steps without a correction", () => {
    expect(Math.max(...run(uncorrected(posterior), 0.4))).toBeGreaterThan(2 * KS);
  });
});

describe("NUTS", () => {
  const generator = () => new Generator(8, "nuts test");
  test("takes 2^depth − 1 steps for a whole tree, and never more than maxDepth doublings", () => {
    const kernel = nuts(standardNormal(2), { maxDepth: 4 });
    const start = { ...kernel.init(Float64Array.of(1, 1)), stepSize: 1e-3 };
    const [, info] = step(kernel, start, generator());
    expect(info).toMatchObject({ depth: 4, leapfrogs: 15, divergent: false });
    expect(info.acceptance).toBeCloseTo(1, 5);
  });
  // A half turn of N(0, 1) takes π. The tree that first holds it is at most twice as long, and the one before it was too short.
  test("stops within two turns, and after about half a turn on average", () => {
    const kernel = nuts(standardNormal(1));
    const random = generator();
    let state = { ...kernel.init(Float64Array.of(0.5)), stepSize: 0.05 };
    let total = 0;
    for (let i = 0; i < 500; i++) {
      const [next, info] = step(kernel, state, random);
      state = next;
      total += info.leapfrogs * 0.05;
      expect(info.leapfrogs * 0.05).toBeLessThan(4 * Math.PI);
    }
    expect(total / 500).toBeGreaterThan(Math.PI / 2);
    expect(total / 500).toBeLessThan(2 * Math.PI);
  });
  /**
   * In many dimensions a trajectory of N(0, I) over the angle φ has v·ρ in proportion to sin φ at its ends. Steps of 0.95 turn by
   * 0.99: 3 steps stay below π, 7 steps (6.93) and 15 (14.85) end between whole and half turns, where the ends look as if they were
   * moving apart. The check across the halves sees 4 steps (3.96), where they come together.
   */
  test("sees a turn that the two ends of a periodic trajectory do not show", () => {
    const kernel = nuts(standardNormal(200));
    const random = generator();
    let state = { ...kernel.init(random.normals(new Float64Array(200))), stepSize: 0.95 };
    for (let i = 0; i < 100; i++) {
      const [next, info] = step(kernel, state, random);
      state = next;
      expect(info.leapfrogs).toBeLessThanOrEqual(7);
    }
  });
  test("is a pure function: the state that it is given stays as it was, and gives the same again", () => {
    const kernel = nuts(independent([1, 2]));
    const state = kernel.init(Float64Array.of(0.3, -0.2));
    const before = structuredClone([state.u, state.gradient]);
    const [a] = step(kernel, state, generator());
    const [b] = step(kernel, state, generator());
    expect([state.u, state.gradient]).toEqual(before);
    expect(a.u).toEqual(b.u);
  });
  test("returns the log density and the gradient of its place", () => {
    const target = equicorrelated(3, 0.5);
    const kernel = nuts(target);
    const [{ u, logDensity, gradient }] = step(kernel, kernel.init(Float64Array.of(1, 0, -1)), generator());
    const expected = new Float64Array(3);
    expect(target.evaluate(u, expected)).toBe(logDensity);
    expect(gradient).toEqual(expected);
  });
  test("with the target's covariance as dense metric needs no more steps than for a standard normal", () => {
    const covariance = Float64Array.from({ length: 100 }, (_, i) => (i % 11 === 0 ? 1 : 0.99));
    const steps = (target: LogDensity, metric: ReturnType<typeof diagonalMetric>) => {
      const kernel = nuts(target);
      const random = generator();
      let state = { ...kernel.init(new Float64Array(10).fill(0.1)), metric, stepSize: 0.5 };
      let count = 0;
      for (let i = 0; i < 500; i++) {
        const [next, info] = step(kernel, state, random);
        state = next;
        count += info.leapfrogs;
      }
      return count / 500;
    };
    const easy = steps(standardNormal(10), diagonalMetric(new Float64Array(10).fill(1)));
    expect(steps(equicorrelated(10, 0.99), denseMetric(covariance, 10)!) / easy).toBeCloseTo(1, 1);
  });
  test("reports a divergence where the step is too long for the curvature", () => {
    const kernel = nuts(funnel(10));
    const start = new Float64Array(10).fill(0.01).with(9, -6);
    const [state, info] = step(kernel, { ...kernel.init(start), stepSize: 1 }, generator());
    expect(info.divergent).toBe(true);
    expect(Number.isFinite(state.logDensity)).toBe(true);
  });
  test("does not enter places where the log density is not finite", () => {
    // N(0, 1) restricted to u > 0: NaN elsewhere.
    const half: LogDensity = {
      dim: 1,
      evaluate: ([u], gradient) => {
        gradient[0] = -u!;
        return u! > 0 ? -0.5 * u! * u! : Number.NaN;
      },
    };
    const kernel = nuts(half);
    const random = generator();
    let state = { ...kernel.init(Float64Array.of(1)), stepSize: 0.3 };
    for (let i = 0; i < 1000; i++) {
      [state] = step(kernel, state, random);
      expect(state.u[0]).toBeGreaterThan(0);
    }
  });
});

describe("dual averaging", () => {
  // Acceptance exp(−ε) is at 0.8 where ε = −log 0.8.
  test("finds the step size of the wanted acceptance, in spite of noise", () => {
    const generator = new Generator(9, "noise");
    let state = dualAveraging(10);
    for (let i = 0; i < 2000; i++) {
      const acceptance = Math.exp(-Math.exp(state.logStepSize)) + 0.1 * (generator.uniform() - 0.5);
      state = updateDualAveraging(state, acceptance, 0.8);
    }
    expect(Math.exp(state.logAverage)).toBeCloseTo(-Math.log(0.8), 2);
  });
});

describe("the first step size", () => {
  test("is in proportion to the target's scale, by powers of 2", () => {
    for (const scale of [1e-6, 1, 1e5]) {
      const target = independent([scale]);
      const state = startAt(target, Float64Array.of(scale));
      const { stepSize } = firstStepSize(target, state, new Generator(10));
      expect(stepSize / scale).toBeGreaterThan(0.2);
      expect(stepSize / scale).toBeLessThan(4);
    }
  });
  test("of a flat density is refused: it cannot be normalised", () => {
    const flat: LogDensity = { dim: 1, evaluate: (_u, gradient) => gradient.fill(0)[0]! };
    expect(() => firstStepSize(flat, startAt(flat, Float64Array.of(1)), new Generator(1))).toThrow(
      "no step size up to 10000000 is too long for this density: it does not fall off in some direction, so it cannot be " +
        "normalised. Look for a parameter without a proper prior that the data say nothing of.",
    );
  });
});
