import { describe, expect, test } from "vitest";
import { Generator } from "../../../src/base/generator.ts";
import { type SgldOptions, type StochasticLogDensity, sampleSgld, sgld } from "../../../src/inference/mcmc/sgld.ts";

const N = 200;
const BATCH = 20;
const data = new Generator(1, "sgld data").normals(new Float64Array(N)).map((z) => 3 + 2 * z);
const sum = data.reduce((a, b) => a + b, 0);
/** mean ~ N(0, 10²), y ~ N(mean, 2²): the posterior is Gaussian. */
const variance = 1 / (1 / 100 + N / 4);
const mean = (variance * sum) / 4;

const minibatch: StochasticLogDensity = {
  dim: 1,
  estimate: (u, gradient, generator) => {
    let slope = 0;
    for (let i = 0; i < BATCH; i++) slope += (data[generator.integer(N)]! - u[0]!) / 4;
    gradient[0] = -u[0]! / 100 + (slope * N) / BATCH;
  },
};
/**
 * About ε = 4·10⁻⁴ = 0.02 variances throughout. The gradient's own variance, 500, adds ε² 500 / 4 to the injected ε: 5 percent. The
 * 200,000 steps are worth about 200,000 ε / (4 variance) = 1000 independent draws.
 */
const options: SgldOptions = { scale: 4e-4 * 1e5 ** 0.51, offset: 1e5, decay: 0.51 };

test("SGLD on minibatches finds mean and variance of a Gaussian posterior", async () => {
  const { draws, weights } = await sampleSgld(minibatch, { ...options, initial: [0], seed: 2, draws: 20_000 });
  expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  let first = 0;
  let second = 0;
  for (let i = 0; i < draws.length; i++) {
    first += weights[i]! * draws[i]!;
    second += weights[i]! * (draws[i]! - mean) ** 2;
  }
  expect(Math.abs(first - mean) / Math.sqrt(variance)).toBeLessThan(0.1);
  expect(Math.abs(second / variance - 1)).toBeLessThan(0.15);
});

// With the exact gradient −u of N(0, 1), u' = (1 − ε/2) u + √ε n.
test("a step is half the gradient and noise of variance ε", () => {
  const exact: StochasticLogDensity = { dim: 1, estimate: (u, gradient) => void (gradient[0] = -u[0]!) };
  const kernel = sgld(exact, { scale: 0.3, offset: 1, decay: 1 });
  const generator = new Generator(3);
  const noise = new Generator(3).normal();
  const [state, { stepSize }] = kernel.step(kernel.init(Float64Array.of(2)), generator);
  expect(stepSize).toBe(0.3);
  expect(state.u[0]).toBeCloseTo(2 * 0.85 + Math.sqrt(0.3) * noise, 12);
  expect(kernel.step(state, generator)[1].stepSize).toBeCloseTo(0.15, 12);
});

test("the same seed gives the same bits", async () => {
  const run = () => sampleSgld(minibatch, { ...options, initial: [3], seed: 5, warmUp: 10, draws: 20 });
  expect(await run()).toEqual(await run());
});

describe("what users can get wrong", () => {
  test.each([
    [{ scale: 1, decay: 0.5 }, "decay lies above 0.5 and not above 1; it was 0.5"],
    [{ scale: 0 }, "sgld takes a positive scale and offset, not 0 and 1"],
    [{ scale: 1, variances: [1, 1] }, "sgld was given 2 variances; the density has 1 coordinates"],
  ])("%j", (wrong, message) => {
    expect(() => sgld(minibatch, wrong)).toThrow(message);
  });
  test("steps that are too long", async () => {
    const run = sampleSgld(minibatch, { scale: 1e3, decay: 0.51, initial: [0] });
    await expect(run).rejects.toThrow("stochastic gradient Langevin dynamics left the finite numbers in coordinate 0");
  });
});
