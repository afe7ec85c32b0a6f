import { describe, expect, test } from "vitest";
import { importanceMoments } from "../../src/diagnostics/psis.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import {
  type Context,
  flat,
  halfNormal,
  infer,
  type Model,
  model,
  normal,
  type Returned,
  stack,
  studentT,
  type Tensor,
} from "../../src/index.ts";
import { hostGaussian } from "../../src/inference/approximation.ts";
import { weigh } from "../../src/inference/certificate.ts";
import { compileLogDensity } from "../../src/inference/compile.ts";
import { compileTarget } from "../../src/inference/compiled-target.ts";
import { Fit } from "../../src/inference/fit.ts";
import { findMode } from "../../src/inference/laplace.ts";
import { ladder } from "../../src/inference/methods.ts";
import { bestOf, dispersedModes, modesBeside } from "../../src/inference/modes.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { slicer } from "../../src/inference/slicer.ts";

const place = () => ({ runtime: new Runtime({ blas: null }), deterministic: true });

/** log Σ_k N(x; centre_k, 1) up to a constant, in as many dimensions as a centre has. */
const bumps = (centres: readonly (readonly number[])[]): Model<object, Returned> =>
  model(({ sample, factor }: Context) => {
    const x = sample("x", flat(), [centres[0]!.length]);
    const squares = centres.map((c) => c.map((at, j) => x.at(j).sub(at).square()).reduce((a, b) => a.add(b)));
    factor("bumps", stack(squares.map((s: Tensor) => s.mul(-0.5))).logsumexp(0));
  });

describe("weights of a Gaussian at a Student t's mode", () => {
  test("give its sd for every seed, though the Gaussian's own tail and that of a t with 8 degrees are far too light", async () => {
    // log t_5(x) + constant; its curvature at 0 is 6 / 5, its variance 5 / 3.
    const density = {
      dim: 1,
      evaluate: (x: Float64Array) => -3 * Math.log1p(x[0]! ** 2 / 5),
      [Symbol.dispose]: () => {},
    };
    const q = hostGaussian(new Float64Array(1), Float64Array.of(Math.sqrt(5 / 6)));
    for (let seed = 0; seed < 20; seed++) {
      const approximation = { ...q, covariance: Float64Array.of(5 / 6), sd: Float64Array.of(Math.sqrt(5 / 6)), dim: 1 };
      const drawn = await weigh(approximation as never, density as never, 5000, seed, slicer(undefined));
      const { sd } = importanceMoments(drawn.logWeights, drawn.points);
      expect(Math.abs(sd / Math.sqrt(5 / 3) - 1)).toBeLessThan(0.1);
    }
  });

  describe("a wide, low part of the posterior around a narrow one", () => {
    // Half N(0, 1) and half N(0, 100²) in each of three coordinates: at the mode the second is a millionth of the first.
    const slab = model(({ sample, factor }: Context) => {
      const square = sample("x", flat(), [3]).square().sum();
      factor("parts", stack([square.mul(-0.5), square.mul(-0.5e-4).sub(3 * Math.log(100))]).logsumexp(0));
    });

    test("does not go unnoticed, and one chain begins in it", async () => {
      for (const seed of [1, 4, 5]) {
        const problem = await problemOf(slab, {}, place());
        const fit = new Fit(problem as never, await compileLogDensity(problem as never), { seed });
        expect((await ladder[0]!.run(fit))!.certificate.trusted).toBe(false);
        const [first] = (await fit.starts(4))!;
        expect(Math.hypot(...first!)).toBeGreaterThan(10);
      }
    });
  });
});

describe("searches for modes", () => {
  const cases: readonly [string, number[][]][] = [
    ["a third mode beyond the second", [[0, 0], [15, 0], [0, 40]]],
    ["a mode at 150 sds in five dimensions", [[0, 0, 0, 0, 0], [100, -80, 60, 30, -30]]],
    ["all corners of a square", [[4, 4], [-4, 4], [4, -4], [-4, -4]]],
  ]; // biome-ignore format: short
  for (const [name, centres] of cases) {
    test(`find ${name}`, async () => {
      const problem = await problemOf(bumps(centres), {}, place());
      const compiled = await compileTarget(problem as never);
      for (let seed = 1; seed <= 5; seed++) {
        const found = await dispersedModes(compiled, seed, slicer(undefined));
        expect(1 + modesBeside(bestOf(found), found).length).toBe(centres.length);
      }
    });
  }

  // From a start far away the broad mode is the nearer one in its own sds: only a stretch about the narrow one leads there.
  const narrow: readonly [number, number, number][] = [[1, 8, 0.1], [1, 4, 0.1], [2, 8, 0.3], [2, 5, 0.3], [3, 5, 0.3]]; // biome-ignore format: short
  for (const [dim, at, width] of narrow) {
    test(`find a mode of ${width} sd's width at ${at} sds in ${dim} dimensions`, async () => {
      const two = model(({ sample, factor }: Context) => {
        const x = sample("x", flat(), [dim]);
        const away = x.sub(at / Math.sqrt(dim)).div(width);
        const logMass = -dim * Math.log(width);
        factor("density", stack([x.square().sum().mul(-0.5), away.square().sum().mul(-0.5).add(logMass)]).logsumexp());
      });
      const problem = await problemOf(two, {}, place());
      const compiled = await compileTarget(problem as never);
      for (let seed = 1; seed <= 5; seed++) {
        const found = await dispersedModes(compiled, seed, slicer(undefined));
        expect(1 + modesBeside(bestOf(found), found).length).toBe(2);
      }
    });
  }

  test("lead to the right moments where there are many", async () => {
    const posterior = await infer(bumps(cases[0]![1]), {}, { seed: 2, ...place() });
    expect(posterior.trusted).toBe(true);
    const [mean, sd] = [posterior.mean("x"), posterior.sd("x")];
    expect(Math.abs(mean[1]! - 40 / 3)).toBeLessThan(0.1 * sd[1]!);
    expect(sd[1]!).toBeCloseTo(Math.sqrt(1 + 1600 / 3 - 1600 / 9), 0);
  });
});

test("the spike of a centred hierarchy is no mode, also with more groups than Newton's method is for", async () => {
  const hierarchy = model(({ sample, plate }: Context) => {
    const tau = sample("tau", halfNormal(1));
    plate("group", 1001, () => void sample("effect", normal(0, tau)));
  });
  const problem = await problemOf(hierarchy, {}, place());
  const compiled = await compileTarget(problem as never);
  const { logDensity, converged, reason } = await findMode(compiled, new Float64Array(1002));
  expect(logDensity).toBeGreaterThan(10_000);
  expect(converged).toBe(false);
  expect(reason).toMatch(/Hessian is not positive definite there$/);
});

test("a Student t with 5 degrees of freedom is not certified with a wrong sd", async () => {
  const t = model(({ sample }: Context) => void sample("x", studentT(5, 0, 1)));
  const location = model(({ sample }: Context) => void sample("x", normal(0, 1)));
  for (const seed of [0, 8]) {
    const posterior = await infer(t, {}, { seed, ...place() });
    if (posterior.trusted) expect(Math.abs(posterior.sd("x")[0]! / Math.sqrt(5 / 3) - 1)).toBeLessThan(0.1);
  }
  expect((await infer(location, {}, { seed: 8, ...place() })).method).toBe("laplace");
});
