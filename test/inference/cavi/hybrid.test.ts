import { describe, expect, test } from "vitest";
import { bernoulli, categorical, cauchy, dirichlet, gamma, halfCauchy, model, normal, poisson, problemOf, studentT, type Tensor } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { fixedDraws } from "../../../src/inference/fixed-draws.ts";
import { generator, monteCarloBound } from "./monte-carlo-bound.ts";

const g = generator("hybrid");
const N = 40;
const x = Array.from({ length: N }, () => [1, g.normal()]);
const poissonDraw = (rate: number) => {
  let [n, p] = [0, g.uniform()];
  for (const limit = Math.exp(-rate); p > limit; n++) p *= g.uniform();
  return n;
};
const counts = x.map((r) => poissonDraw(Math.exp(1 + 0.5 * r[1]!)));
const binary = x.map((r) => Number(0.3 + 1.5 * r[1]! + g.normal() > 0));
const y = x.map((r) => 2 + r[1]! + 0.5 * g.normal());

const rises = (elbos: readonly number[]) => {
  for (const [i, bound] of elbos.entries()) if (i) expect(bound).toBeGreaterThanOrEqual(elbos[i - 1]! - 1e-10 * Math.abs(bound)); // biome-ignore format: one line
};
const row = (x: Tensor, i: Tensor, w: Tensor) => x.at(i).mul(w).sum();

const poissonRegression = model(({ sample, observe, plate }, { x, counts }: { x: Tensor; counts: Tensor }) => {
  const mu = sample("mu", normal(0, 2));
  const tau = sample("tau", gamma(2, 1));
  const w = sample("w", normal(mu, tau.pow(-0.5)), [2]);
  plate("n", N, (i) => {
    observe("counts", poisson({ logRate: row(x, i, w) }), counts.at(i));
  });
});
const logisticRegression = model(({ sample, observe, plate }, { x, binary }: { x: Tensor; binary: Tensor }) => {
  const alpha = sample("alpha", gamma(1, 1), [2]);
  const w = sample("w", normal(0, alpha.pow(-0.5)));
  plate("n", N, (i) => {
    observe("y", bernoulli({ logits: row(x, i, w) }), binary.at(i));
  });
});
const scale = model(({ sample, observe }, { y }: { y: Tensor }) => {
  const [mu, logTau] = [sample("mu", normal(0, 10)), sample("logTau", normal(0, 1))];
  observe("y", normal(mu, logTau.mul(-0.5).exp()), y);
});
const sigma = model(({ sample, observe }, { y }: { y: Tensor }) => {
  const [mu, sigma] = [sample("mu", normal(0, 10)), sample("sigma", halfCauchy(1))];
  observe("y", normal(mu, sigma), y);
});
const robust = model(({ sample, observe, plate }, { x, y }: { x: Tensor; y: Tensor }) => {
  const tau = sample("tau", gamma(1, 1));
  const w = sample("w", normal(0, tau.pow(-0.5)), [2]);
  plate("n", N, (i) => {
    observe("y", studentT(4, row(x, i, w), 0.5), y.at(i));
  });
});

const mixture = model(({ sample, observe, plate }, { x, counts }: { x: Tensor; counts: Tensor }) => {
  const weights = sample("weights", dirichlet([1, 1]));
  const w = plate("component", 2, () => sample("w", normal(0, 1), [2]));
  plate("n", N, (i) => {
    const z = sample("z", categorical(weights));
    observe("counts", poisson({ logRate: x.at(i).mul(w.at(z)).sum() }), counts.at(i));
  });
});

describe("a block by gradients, the rest in closed form, under one bound", () => {
  for (const [name, body, data, gradient] of [
    ["Poisson regression under a Normal and a Gamma", poissonRegression, { x, counts }, ["w"]],
    ["logistic regression under relevance determination", logisticRegression, { x, binary }, ["w"]],
    ["a normal whose precision is an exponential", scale, { y }, ["logTau"]],
    ["a standard deviation under a half Cauchy", sigma, { y }, ["sigma"]],
    ["Student t regression", robust, { x, y }, ["w"]],
    ["log-linear components of a mixture", mixture, { x, counts }, ["w"]],
  ] as const) {
    test(`${name}: the bound never falls and is that of independent draws`, async () => {
      const { elbo, mean, se, elbos } = await monteCarloBound(body as never, data as never, 2000, { gradient });
      rises(elbos);
      expect(Math.abs(elbo - mean)).toBeLessThan(4.5 * se + 1e-6);
    });
  }
});

test("its fixed point is what gradient ascent reaches in the same family", async () => {
  const closed = await cavi(scale, { y }, { gradient: ["logTau"], tolerance: 1e-13 });
  const free = await fixedDraws(await problemOf(scale, { y }), { seed: 1 });
  expect(Math.abs(closed.elbo + free.negElbo)).toBeLessThan(5 * free.negElboSe + 1e-3);
  expect(closed.quadrature).toEqual(["y"]);
  expect(closed.exact).toBe(false);
  // Two sites apart, both by gradients: no block in closed form is needed.
  const both = await cavi(scale, { y }, { gradient: ["logTau", "mu"], tolerance: 1e-13 });
  expect(both.elbo).toBeCloseTo(closed.elbo, 6);
});

test("a conjugate model given to gradients has its exact posterior all the same", async () => {
  const line = model(({ sample, observe, plate }, { x, y }: { x: Tensor; y: Tensor }) => {
    const w = sample("w", normal(0, 3), [2]);
    plate("n", N, (i) => {
      observe("y", normal(row(x, i, w), 0.5), y.at(i));
    });
  });
  const [exact, found] = [await cavi(line, { x, y }), await cavi(line, { x, y }, { gradient: ["w"] })];
  expect(found.elbo).toBeCloseTo(exact.elbo, 9);
  expect(found.sweeps).toBeLessThan(4);
});

describe("what quadrature does not reach is averaged over draws, and says so", () => {
  const softmax = model(({ sample, observe, plate }, { x, label }: { x: Tensor; label: Tensor }) => {
    const tau = sample("tau", gamma(2, 1));
    const w = sample("w", normal(0, tau.pow(-0.5)), [3, 2]);
    plate("n", N, (i) => {
      observe("label", categorical({ logits: w.matmul(x.at(i).reshape([2, 1])).reshape([3]) }), label.at(i));
    });
  });
  const shares = model(({ sample, observe }, { label }: { label: Tensor }) => {
    observe("label", categorical(sample("p", dirichlet([2, 2, 2]))), label);
  });
  const label = x.map((r) => Math.max(0, Math.min(2, Math.round(1 + r[1]! + 0.5 * g.normal()))));
  for (const [name, body, data, gradient] of [
    ["softmax regression", softmax, { x, label }, ["w"]],
    ["a simplex on its unconstrained scale", shares, { label }, ["p"]],
  ] as const) {
    test(name, async () => {
      const options = { gradient, gradientDraws: 128 };
      const fit = await cavi(body as never, data as never, options);
      rises(fit.elbos);
      expect(fit.monteCarlo!.terms).toContain("label");
      const { mean, se } = await monteCarloBound(body as never, data as never, 2000, options);
      const fresh = fit.monteCarlo!;
      expect(Math.abs(fresh.elbo - mean)).toBeLessThan(4.5 * Math.hypot(se, fresh.se));
      expect(Math.abs(fit.elbo - mean)).toBeLessThan(1);
    });
  }
});

test("sites of a gradient block may be grouped", async () => {
  const body = model(({ sample, observe, plate }, { x, counts }: { x: Tensor; counts: Tensor }) => {
    const [a, b] = [sample("a", normal(0, 2)), sample("b", normal(0, 2))];
    plate("n", N, (i) => {
      observe("counts", poisson({ logRate: a.add(b.mul(x.at(i).at(1).add(1))) }), counts.at(i));
    });
  });
  const apart = await cavi(body, { x, counts }, { gradient: ["a", "b"] });
  const together = await cavi(body, { x, counts }, { gradient: ["a", "b"], groups: [["a", "b"]] });
  expect(together.elbo).toBeGreaterThan(apart.elbo + 0.05);
  const { elbo, mean, se } = await monteCarloBound(body, { x, counts }, 3000, { gradient: ["a", "b"], groups: [["a", "b"]] }); // biome-ignore format: one line
  expect(Math.abs(elbo - mean)).toBeLessThan(4.5 * se);
});

test("what is asked of gradients and cannot be is refused by name", async () => {
  const refused = (body: unknown, data: object, options: object, words: RegExp) =>
    expect(cavi(body as never, data as never, options)).rejects.toThrow(words);
  await refused(scale, { y }, { gradient: ["sd"] }, /"sd" is no continuous latent site.*"mu".*"logTau"/s);
  await refused(scale, { y }, {}, /"y".*gradient: \["logTau"\]/s);
  await refused(poissonRegression, { x, counts }, {}, /"counts".*"w".*gradient: \["w"\]/s);
  const odd = model(({ sample, observe }) => {
    observe("y", cauchy(sample("w", normal(0, 1)), 0.5), 1);
  });
  await refused(odd, {}, {}, /"y".*cauchy.*gradient: \["w"\]/s);
  const two = model(({ sample, observe }) => {
    observe("n", poisson({ logRate: sample("a", normal(0, 1)).add(sample("b", normal(0, 1))) }), 3);
  });
  await refused(two, {}, { gradient: ["a"] }, /"n".*gradient: \["a", "b"\]/s);
  await refused(two, {}, { gradient: ["a", "b"], gradientDraws: 7 }, /gradientDraws is 7: an even number/);
});
