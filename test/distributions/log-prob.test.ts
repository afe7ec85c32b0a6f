import { expect, test } from "vitest";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { logCdf, logProb, logSurvival } from "../../src/distributions/log-prob.ts";
import { multivariateNormal } from "../../src/distributions/multivariate-normal.ts";
import { normal } from "../../src/distributions/normal.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { model } from "../../src/model/model.ts";
import { stack } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { logSumExp, normalLog, poissonLog, sum } from "../model/formulas.ts";
import { expectGradient, logJoint } from "../model/log-joint.ts";

test("logProb is the term that is summed over states by hand", async () => {
  const y = [0, 0, 3, 1, 0];
  const inflated = model(({ sample, factor }, { y }: { y: Tensor }) => {
    const logRate = sample("logRate", normal(0, 1));
    const none = logProb(bernoulli(0.3), y.mul(0).add(1)).add(logProb(poisson(1e-300), y));
    factor("y", stack([none, logProb(poisson({ logRate }), y).add(Math.log(0.7))]).logsumexp(0));
  });
  const density = await logJoint(inflated, { y });
  const u = 0.4;
  const each = (k: number) =>
    logSumExp([k === 0 ? Math.log(0.3) : -Infinity, Math.log(0.7) + poissonLog(k, Math.exp(u))]);
  expect(density.value([u])).toBeCloseTo(normalLog(u, 0, 1) + sum(y.map(each)), 10);
  expectGradient(density, [u]);
});

test("logProb has one number for each event, and broadcasts", async () => {
  const shapes: (readonly number[])[] = [];
  const text = model(({ sample, factor }, { y }: { y: Tensor }) => {
    const mean = sample("mean", normal(0, 1), [2]);
    const identity = stack([stack([1, mean.at(0).mul(0)]), stack([mean.at(0).mul(0), 1])]);
    const each = logProb(normal(mean, 1), y);
    const whole = logProb(multivariateNormal(mean, identity), y);
    shapes.push(each.shape, whole.shape);
    factor("difference", each.sum(-1).sub(whole));
  });
  const density = await logJoint(text, { y: [[1, 2], [3, 4], [5, 6]] }); // biome-ignore format: a table
  expect(density.value([0.3, -0.2])).toBeCloseTo(normalLog(0.3, 0, 1) + normalLog(-0.2, 0, 1), 10);
  expect(shapes.slice(0, 2)).toEqual([[3, 2], [3]]);
});

test("logCdf and logSurvival are exact in the tails, so that a skew normal can be written by hand", async () => {
  // Azzalini 1985: 2 φ(x) Φ(α x). log Φ(−40) is that of SciPy's log_ndtr.
  const skew = model(({ sample, factor }) => {
    const x = sample("x", normal(0, 1));
    factor("skew", logCdf(normal(0, 1), x.mul(20)));
    factor("other", logSurvival(normal(0, 2), x.mul(-40)));
  });
  const density = await logJoint(skew, {});
  const tail = -804.6084420137538;
  expect(density.value([-2])).toBeCloseTo(normalLog(-2, 0, 1) + 2 * tail, 9);
  expectGradient(density, [-2]);
});

test("logCdf says where there is none", () => {
  const text = model(({ sample, factor }) => {
    factor("y", logCdf(multivariateNormal([0, 0], [[1, 0], [0, 1]]), sample("x", normal(0, 1), [2]))); // biome-ignore format: a table
  });
  return expect(logJoint(text, {})).rejects.toThrow("logCdf: multivariateNormal does not offer it");
});

test("logProb refuses what is no tensor", () => {
  expect(() => logProb(normal(0, 1), 3 as never)).toThrow("logProb of normal takes a tensor");
});
