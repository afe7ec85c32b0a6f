import { infer, model, normal, problemOf, type Tensor } from "ansatz";
import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { compileLogDensity } from "../../src/inference/compile.ts";
import { hoistData } from "../../src/inference/hoist.ts";
import type { LogDensity } from "../../src/inference/log-density.ts";
import type { Problem } from "../../src/inference/problem.ts";
import { steinErrors } from "../../src/inference/sgld-certificate.ts";
import { sgldFit } from "../../src/inference/sgld-fit.ts";
import { compileStochasticLogDensity } from "../../src/inference/stochastic-density.ts";

const n = 600;
const noise = new Generator(5, "test data");
const x = Array.from({ length: n }, () => noise.normal());
const w = x.map((v) => v * v);
const y = x.map((v) => 1 - 0.5 * v + noise.normal());

/** A line with known noise, read from the data by way of expressions that no latent site enters. */
const line = model(({ sample, observe, plate, factor }, d: { x: Tensor; y: Tensor; w: Tensor }) => {
  const a = sample("a", normal(0, 10));
  const b = sample("b", normal(0, 10));
  plate("row", n, { batch: 60 }, (i) => observe("y", normal(a.add(b.mul(d.x.at(i).exp().log())), 1), d.y.at(i)));
  factor("beside", d.w.exp().mul(a.square()).sum().mul(-1e-3));
});

/** Mean and covariance of (a, b): of a Gaussian with precision Xᵀ X + I / 100, and what the factor adds. */
function exact(): { mean: number[]; sd: number[] } {
  const sum = (of: (i: number) => number) => x.reduce((total, _, i) => total + of(i), 0);
  const aa = n + 0.01 + 2e-3 * sum((i) => Math.exp(w[i]!));
  const [ab, bb] = [sum((i) => x[i]!), sum((i) => x[i]! ** 2) + 0.01];
  const det = aa * bb - ab * ab;
  const [ya, yb] = [sum((i) => y[i]!), sum((i) => x[i]! * y[i]!)];
  return {
    mean: [(bb * ya - ab * yb) / det, (aa * yb - ab * ya) / det],
    sd: [Math.sqrt(bb / det), Math.sqrt(aa / det)],
  };
}
const problemOfLine = async () =>
  (await problemOf(line, { x, y, w }, { runtime: new Runtime({ blas: null }) })) as unknown as Problem;

describe("stochastic gradients of a subsampled plate", () => {
  test("are unbiased, also where parts of the density were computed from the data before", async () => {
    const problem = await problemOfLine();
    const hoisted = await hoistData(problem);
    expect(Object.keys(hoisted.inputs)).toContain("part.0");
    const density = await compileLogDensity(hoisted);
    const u = Float64Array.of(0.8, -0.4);
    const [wanted, got] = [new Float64Array(2), new Float64Array(2)];
    density.evaluate(u, wanted);
    const { mean } = exact();
    const at = Float64Array.from(mean);
    const gradient = new Float64Array(2);
    density.evaluate(at, gradient);
    const variances: number[] = [];
    for (const centre of [null, { at, gradient }]) {
      const stochastic = await compileStochasticLogDensity(hoisted, centre);
      const generator = new Generator(1, "minibatches");
      const [total, squares] = [new Float64Array(2), new Float64Array(2)];
      const repeats = 3000;
      for (let k = 0; k < repeats; k++) {
        stochastic.estimate(u, got, generator);
        for (const j of [0, 1]) {
          total[j]! += got[j]! / repeats;
          squares[j]! += (got[j]! - wanted[j]!) ** 2 / repeats;
        }
      }
      for (const j of [0, 1])
        expect(Math.abs(total[j]! - wanted[j]!)).toBeLessThan(4 * Math.sqrt(squares[j]! / repeats));
      variances.push(squares[0]!);
    }
    expect(variances[1]!).toBeLessThan(0.3 * variances[0]!);
  });
});

describe("SGLD", () => {
  test("of a model with a subsampled plate has the exact posterior's moments, and says what it is", async () => {
    const posterior = await infer(line, { x, y, w }, { method: "sgld" });
    expect(posterior.trusted, posterior.reason).toBe(true);
    const { mean, sd } = exact();
    for (const [j, name] of ["a", "b"].entries()) {
      expect(Math.abs(posterior.mean(name)[0]! - mean[j]!) / sd[j]!).toBeLessThan(0.1);
      expect(Math.abs(posterior.sd(name)[0]! / sd[j]! - 1)).toBeLessThan(0.1);
    }
    expect(posterior.allDraws).toMatchObject({ chains: 4, draws: 500 });
    expect(posterior.table[0]!.rhat).toBeLessThan(1.01);
    expect(posterior.reason).toMatch(
      /^4 chains of 500 draws agree \(R-hat at most 1\.00\d\), at least \d+ are effective, and by the exact gradients at them no mean is off by more than \d+(\.\d)? % of its sd and no variance by more than \d+(\.\d)? %\. The draws of SGLD are not corrected by a Metropolis test: they follow the posterior only as its steps become short\.$/,
    );
  });

  test("with steps that are too long agrees among its chains and is not certified", async () => {
    const problem = await problemOfLine();
    const posterior = await infer(line, { x, y, w }, { method: "sgld", sgld: { scale: 2, offset: 1e6 } });
    expect(posterior.table.every((row) => row.rhat < 1.01)).toBe(true);
    expect(posterior.trusted).toBe(false);
    expect(posterior.reason).toMatch(
      / by \d+ %: the steps \(2\.0 to 2\.0\) are too long\. Give a smaller scale, or use "nuts"\./,
    );
    // 1 / (1 − ε / 4) is the variance of N(0, 1) under steps ε = 2 with exact gradients; minibatches add to it.
    expect(posterior.sd("b")[0]! / exact().sd[1]!).toBeGreaterThan(0.95 * Math.SQRT2);
    expect(problem.dim).toBe(2);
  });

  test("chain i has the same bits whatever the number of chains", async () => {
    const problem = await problemOfLine();
    const density = await compileLogDensity(problem);
    const { mean, sd } = exact();
    const place = { mean: Float64Array.from(mean), factor: Float64Array.of(sd[0]!, 0, 0, sd[1]!) };
    const options = { draws: 20, seed: 3 };
    const two = await sgldFit(problem, density, place, { ...options, chains: 2 });
    const three = await sgldFit(problem, density, place, { ...options, chains: 3 });
    expect([...three.points.slice(0, two.points.length)]).toEqual([...two.points]);
    const other = await sgldFit(problem, density, place, { ...options, chains: 2, seed: 4 });
    expect(other.points[0]).not.toBe(two.points[0]);
  });

  test("refuses step sizes that do not fall as the theory asks", async () => {
    await expect(infer(line, { x, y, w }, { method: "sgld", sgld: { decay: 0.4 } })).rejects.toThrow(
      "sgld's step sizes must have an infinite sum and a finite sum of squares: decay lies above 0.5 and not above 1; it was 0.4",
    );
  });
});

test("Stein's identities tell the variance and the mean of draws from those of the density", async () => {
  // p = N(0, diag(1, 4)); draws from N((0.1, 0), diag(1.2², 2²)).
  const density: LogDensity = {
    dim: 2,
    evaluate(u, gradient) {
      gradient[0] = -u[0]!;
      gradient[1] = -u[1]! / 4;
      return -0.5 * u[0]! ** 2 - u[1]! ** 2 / 8;
    },
  };
  const generator = new Generator(2, "stein");
  const points = Float64Array.from({ length: 200_000 }, (_, i) => (i % 2 ? 2 * generator.normal() : 0.1 + 1.2 * generator.normal())); // biome-ignore format: short
  const { shift, ratio } = await steinErrors(density, points, async () => {});
  expect(ratio[0]).toBeCloseTo(1.44, 1);
  expect(ratio[1]).toBeCloseTo(1, 1);
  // S E[g] = 1.44 · (−0.1), in units of the draws' sd 1.2.
  expect(Math.abs(shift[0]! + 0.12)).toBeLessThan(0.02);
  expect(Math.abs(shift[1]!)).toBeLessThan(0.02);
});
