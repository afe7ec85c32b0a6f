import { describe, expect, test } from "vitest";
import { positive, simplex } from "../../src/constraints/support.ts";
import { dirichlet } from "../../src/distributions/dirichlet.ts";
import { halfCauchy } from "../../src/distributions/half-cauchy.ts";
import { normal } from "../../src/distributions/normal.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { compileReporter } from "../../src/inference/reported.ts";
import { model } from "../../src/model/model.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { halfCauchyLog, normalLog, sum } from "./formulas.ts";
import { expectGradient, logJoint } from "./log-joint.ts";

describe("the log joint density is the sum of its sites'", () => {
  test("latent vectors, parameters with and without a prior, factors", async () => {
    const mixed = model(({ sample, observe, param, factor, deterministic }, data: { x: Tensor; y: Tensor }) => {
      const beta = sample("beta", normal([1, -1, 0], 2));
      const sd = param("sd", { support: positive });
      const shift = param("shift", { prior: normal(0, 3) });
      const mean = deterministic("mean", data.x.mul(beta.at(0)).add(beta.at(1)).add(shift));
      observe("y", normal(mean, sd), data.y);
      factor("penalty", beta.at(2).square().mul(-3));
    });
    const [x, y] = [
      [1, 2, 3, 4],
      [1.5, 0.2, 3, 5],
    ];
    const density = await logJoint(mixed, { x, y });
    expect(density.names).toEqual(["beta[1]", "beta[2]", "beta[3]", "log sd", "shift"]);
    const u = [0.8, -0.3, 0.4, 0.2, 0.1];
    const formula =
      sum([1, -1, 0].map((m, i) => normalLog(u[i]!, m, 2))) +
      u[3]! +
      normalLog(u[4]!, 0, 3) +
      sum(y.map((v, i) => normalLog(v, x[i]! * u[0]! + u[1]! + u[4]!, Math.exp(u[3]!)))) -
      3 * u[2]! ** 2;
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("the gradient of the prior alone", async () => {
    const prior = model(({ sample }) => {
      const scale = sample("scale", halfCauchy(2));
      sample("x", normal(0, scale), [3]);
      sample("p", dirichlet([2, 3, 4]));
    });
    const density = await logJoint(prior, {});
    const u = [0.3, -1, 0.5, 2, 0.7, -0.4];
    expectGradient(density, u);
    expect(density.gradient(u)[1]).toBeCloseTo(1 / Math.exp(0.6), 10);
  });

  test("numbers, booleans, nested and typed arrays are data", async () => {
    const sums = model(
      ({ observe }, data: { rows: Tensor; flags: Tensor; typed: Tensor; shift: number; half: number }) => {
        const { rows, flags, typed, shift, half } = data;
        observe("rows", normal(rows.sum(1).add(typed).sub(shift), 1), flags.mul(half));
      },
    );
    const data = {
      rows: [
        [1, 2],
        [3, 4],
      ],
      flags: [true, false],
      typed: Float32Array.of(0.5, 0.25),
      shift: 3,
      half: 0.5,
    };
    const problem = await problemOf(sums, data);
    expect(problem.dim).toBe(0);
    const reporter = await compileReporter(problem, ({ terms, assignment }) => ({ all: assignment.of([terms[0]!.logProb])[0]! })); // biome-ignore format: one line
    const found = [...reporter.at([]).all!];
    expect(found[0]).toBeCloseTo(normalLog(0.5, 0.5, 1), 12);
    expect(found[1]).toBeCloseTo(normalLog(0, 4.25, 1), 12);
  });
});

describe("what is reported", () => {
  test("sites on their own scale, functions of them, and what the body returned besides", async () => {
    const reporting = model(({ sample, deterministic, plate, param }) => {
      const tau = sample("tau", halfCauchy(1));
      const p = param("p", { support: simplex, shape: [3] });
      plate("i", 2, (i) => deterministic("scaled", tau.mul(i.cast("f64").add(1))));
      return { tau, twice: tau.mul(2), p };
    });
    const problem = await problemOf(reporting, {});
    const reporter = await compileReporter(problem as never);
    expect(reporter.shapes).toEqual({ tau: [], p: [3], scaled: [2], twice: [] });
    const { tau, p, scaled, twice } = reporter.at([0.4, 0, 0]);
    expect(tau![0]).toBeCloseTo(Math.exp(0.4), 12);
    expect([...scaled!].map((v) => v / tau![0]!)).toEqual([1, 2]);
    expect(twice![0]).toBe(2 * tau![0]!);
    for (const share of p!) expect(share).toBeCloseTo(1 / 3, 12);
  });

  test("other data of the same shapes give another posterior of the same names", async () => {
    const mean = model(({ sample, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(sample("mu", normal(0, 1)), 1), y);
    });
    const [first, second] = [await logJoint(mean, { y: [1, 2] }), await logJoint(mean, { y: [0, 5] })];
    expect(first.names).toEqual(second.names);
    expect(second.value([0.5]) - first.value([0.5])).toBeCloseTo(
      normalLog(0, 0.5, 1) + normalLog(5, 0.5, 1) - normalLog(1, 0.5, 1) - normalLog(2, 0.5, 1),
      12,
    );
    expect(halfCauchyLog(1, 1)).toBeCloseTo(-Math.log(Math.PI), 12);
  });
});
