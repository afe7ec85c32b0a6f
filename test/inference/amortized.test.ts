import { describe, expect, test } from "vitest";
import { positive } from "../../src/constraints/support.ts";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { gamma } from "../../src/distributions/gamma.ts";
import { normal } from "../../src/distributions/normal.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { amortizedFamilies } from "../../src/families/amortized.ts";
import { boundGradient } from "../../src/inference/aevb.ts";
import { amortizationGap } from "../../src/inference/amortization-gap.ts";
import { amortize } from "../../src/inference/amortize.ts";
import { globalSpecs, parameterSpecs, plateLayout } from "../../src/inference/amortized-plate.ts";
import { plateProblem } from "../../src/inference/amortized-program.ts";
import { minibatchAt } from "../../src/inference/minibatch.ts";
import { networkEncoder } from "../../src/inference/plate-encoder.ts";
import { type Problem, problemOf } from "../../src/inference/problem.ts";
import { type Model, model } from "../../src/model/model.ts";
import { glorotLayers } from "../../src/nn/initialiser.ts";
import { initialParameters, layoutOf } from "../../src/nn/layout.ts";
import { mlp } from "../../src/nn/mlp.ts";
import { constantSchedule } from "../../src/optimizers/schedule.ts";
import { program } from "../../src/program/program.ts";
import { full } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { trainVae } from "../../src/vae/train.ts";

const runtime = new Runtime({ blas: null });

// Probabilistic PCA (Tipping and Bishop 1999): x = W z + b + sd · noise. The posterior of z is N(M⁻¹ Wᵀ (x − b), sd² M⁻¹) with
// M = Wᵀ W + sd² I, and log p(x) = log N(x; b, W Wᵀ + sd² I).
const W = [[1.2, -0.4], [0.3, 0.9], [-0.8, 0.5], [0.1, -1.1]]; // biome-ignore format: a matrix
const b = [0.5, -1, 0.25, 2];
const sd = 0.6;
const rowsOf = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => b.map((m, j) => m + 1.7 * Math.sin(5 * (i + from) + 2.3 * j + 0.4)));
const x = rowsOf(30);
const ppca = model(({ plate, sample, observe }, { x, W, b }: Record<"x" | "W" | "b", Tensor>) => {
  plate("example", x.shape[0]!, (i) => {
    const z = sample("z", normal(0, 1), [2]);
    observe(
      "x",
      normal(
        W.matmul(z.reshape([2, 1]))
          .reshape([4])
          .add(b),
        sd,
      ),
      x.at(i),
    );
  });
});
const M = [0, 1].map((i) => [0, 1].map((j) => W.reduce((s, w) => s + w[i]! * w[j]!, i === j ? sd ** 2 : 0)));
const detM = M[0]![0]! * M[1]![1]! - M[0]![1]! * M[1]![0]!;
const inverse = [[M[1]![1]! / detM, -M[0]![1]! / detM], [-M[1]![0]! / detM, M[0]![0]! / detM]]; // biome-ignore format: a matrix
const posteriorMean = (row: readonly number[]): number[] =>
  inverse.map((r) => W.reduce((s, w, j) => s + (r[0]! * w[0]! + r[1]! * w[1]!) * (row[j]! - b[j]!), 0));

/** By the determinant lemma and Woodbury: det (W Wᵀ + s I) = s² det M for four rows and two columns. */
function logProb(row: readonly number[]): number {
  const s = sd ** 2;
  const r = row.map((v, j) => v - b[j]!);
  const z = posteriorMean(row);
  const fitted = W.map((w) => w[0]! * z[0]! + w[1]! * z[1]!);
  const form = r.reduce((sum, v, j) => sum + (v * (v - fitted[j]!)) / s, 0);
  return -0.5 * (form + Math.log(s ** 2 * detM) + 4 * Math.log(2 * Math.PI));
}
const exact = -x.reduce((sum, row) => sum + logProb(row), 0) / x.length;
const data = { x, W, b };
const options = { plate: "example", runtime, epochs: 1500, batch: 30, draws: 4, learningRate: 0.03 } as const;
const linear = { hidden: [] };

describe("on probabilistic PCA", () => {
  test("a linear encoder of full covariances reaches log p(x), and encodes new data by the exact posterior", async () => {
    const fit = await amortize(ppca, data, { ...options, encoder: linear, q: "full", estimator: "generic" });
    const { negElbo, mean } = await fit.score();
    expect(mean - exact).toBeGreaterThan(-1e-3);
    expect(mean - exact).toBeLessThan(0.003);
    for (const [i, row] of x.entries()) expect(Math.abs(negElbo[i]! + logProb(row))).toBeLessThan(0.02);
    const fresh = rowsOf(5, 1000);
    const { mean: means, cholesky, count, sites } = await fit.encode({ ...data, x: fresh });
    expect(count).toBe(5);
    expect(sites.z!.shape).toEqual([5, 2]);
    for (const [i, row] of fresh.entries()) {
      const z = posteriorMean(row);
      for (let j = 0; j < 2; j++) expect(Math.abs(means[2 * i + j]! - z[j]!)).toBeLessThan(0.03);
      const L = cholesky.subarray(4 * i, 4 * i + 4);
      const covariance = [L[0]! ** 2, L[0]! * L[2]!, L[2]! ** 2 + L[3]! ** 2];
      const wanted = [inverse[0]![0]!, inverse[0]![1]!, inverse[1]![1]!].map((v) => v * sd ** 2);
      for (const [j, v] of wanted.entries()) expect(Math.abs(covariance[j]! - v)).toBeLessThan(0.02);
    }
    const { logProb: estimated } = await fit.logLikelihood(data, { samples: 50 });
    for (const [i, row] of x.entries()) expect(Math.abs(estimated[i]! - logProb(row))).toBeLessThan(0.02);
  });

  test("a free q loses what its form must lose: nothing, or half the log ratio of the precision's diagonal to its determinant", async () => {
    // The best independent Gaussians have variances 1 / Λ_jj (Bishop 2006, section 10.1.2): KL = ½ (Σ log Λ_jj − log det Λ).
    const precision = M.map((r) => r.map((v) => v / sd ** 2));
    const lost = 0.5 * (Math.log(precision[0]![0]! * precision[1]![1]!) - Math.log(detM / sd ** 4));
    expect(lost).toBeGreaterThan(0.03);
    for (const [q, kl] of [
      ["full", 0],
      ["diagonal", lost],
    ] as const) {
      // biome-ignore format: two rows
      const fit = await amortize(ppca, data, { ...options, encoder: null, q });
      const { mean } = await fit.score(undefined, { draws: 2000 });
      expect(Math.abs(mean - exact - kl), q).toBeLessThan(0.008);
    }
  });

  test("the amortization gap is what a network that cannot follow loses: here one that sees nothing", async () => {
    const blind = await amortize(ppca, data, {
      ...options,
      encoder: { hidden: [], input: ({ observed }) => observed.x!.mul(0) },
      q: "full",
    });
    const free = await amortize(ppca, data, { ...options, encoder: null, q: "full", given: blind });
    const { mean, gap, standardError } = await amortizationGap(blind, free, { draws: 400 });
    expect(gap.length).toBe(30);
    expect(mean).toBeGreaterThan(0.3);
    expect(standardError).toBeLessThan(mean);
    expect((await free.score(undefined, { draws: 400 })).mean - exact).toBeLessThan(0.01);
  });

  test("the same seed gives the same bits, another one others", async () => {
    const short = { ...options, epochs: 5, batch: 7, encoder: { hidden: [3] }, deterministic: true } as const;
    const [one, two, other] = [
      await amortize(ppca, data, short),
      await amortize(ppca, data, { ...short, runtime: new Runtime({ blas: null }) }),
      await amortize(ppca, data, { ...short, seed: 1 }),
    ];
    expect(two.unconstrained).toEqual(one.unconstrained);
    expect(two.trace).toEqual(one.trace);
    expect(other.unconstrained["encoder.0.weight"]).not.toEqual(one.unconstrained["encoder.0.weight"]);
  });

  test("in f32 it learns the same, to single precision", async () => {
    const short = { ...options, epochs: 40, encoder: { hidden: [4], activation: "tanh" }, schedule: constantSchedule, estimator: "generic" } as const; // biome-ignore format: one line
    // The noise differs, so the bounds agree up to Monte Carlo error alone.
    const [double, single] = [
      await amortize(ppca, data, short),
      await amortize(ppca, data, { ...short, dtype: "f32" }),
    ];
    const [a, c] = [await double.score(), await single.score()];
    expect(Math.abs(a.mean - c.mean) / a.mean).toBeLessThan(0.1);
    const [p64, p32] = await Promise.all((["f64", "f32"] as const).map((dtype) => problemOf(ppca, data, { dtype })));
    const value = async (problem: typeof p64) => {
      const run = await program({
        inputs: problem!.inputs,
        body: ({ inputs }) => {
          const like = Object.values(inputs as Record<string, Tensor>)[0]!;
          return { outputs: { logDensity: problem!.logDensity(full(like, [problem!.dim], 0.3, "f64"), inputs) } };
        },
        runtime: problem!.runtime,
      });
      const { metrics } = await run.run(problem!.data as never);
      return metrics.logDensity![0]!;
    };
    const [exactly, nearly] = [await value(p64), await value(p32)];
    expect(Math.abs(nearly - exactly) / Math.abs(exactly)).toBeLessThan(1e-6);
    expect(nearly).not.toBe(exactly);
  });
});

test("the gradients of the minibatches of an epoch average to that of all elements", async () => {
  const text = model(({ plate, sample, observe, param }, { y }: { y: Tensor }) => {
    const scale = param("scale", { support: positive, initial: 0.7, prior: gamma(2, 1) });
    const mu = sample("mu", normal(0, 3));
    plate("unit", y.shape[0]!, (i) => observe("y", normal(sample("z", normal(mu, scale)), 1), y.at(i)));
  });
  const y = [0.3, -1.2, 2.5, 0.8, 1.9, -0.4];
  const problem = (await problemOf(text, { y }, { runtime })) as unknown as Problem;
  const layout = plateLayout(problem, "unit");
  const family = amortizedFamilies.diagonal(1);
  const encoder = networkEncoder(problem, layout, family, { hidden: [3], activation: "tanh" });
  const learned = layoutOf([...encoder.specs, ...globalSpecs(layout), ...parameterSpecs(problem, layout)]);
  const parts = { learned, held: null, estimator: "analytic", draws: 3, by: "map" } as const;
  const found = await program({
    runtime,
    inputs: problem.inputs,
    body: ({ inputs, rng }) => {
      const flat = initialParameters(learned, rng.site("init"), "f64");
      const at = (start: number, size: number) => {
        const count = full(flat, [], 6, "u32");
        const batch = minibatchAt(full(flat, [], start, "u32"), count, size, null);
        return boundGradient(
          plateProblem({ problem, layout, family, encoder }, parts, inputs),
          flat,
          batch,
          rng.site("step"),
        );
      };
      const [all, ...some] = [at(0, 6), at(0, 2), at(2, 2), at(4, 2)] as const;
      const mean = some.map((s) => s.gradient).reduce((sum, g) => sum.add(g)).mul(1 / 3); // biome-ignore format: short
      const bound = some.map((s) => s.info.negElbo).reduce((sum, g) => sum.add(g)).mul(1 / 3); // biome-ignore format: short
      return { outputs: { all: all.gradient, mean, difference: all.info.negElbo.sub(bound) } };
    },
  });
  const { metrics } = await found.run(problem.data as never, 1, { seed: 3 });
  const [all, mean] = [found.outputs.all.read(), found.outputs.mean.read()];
  for (const [i, g] of all.entries()) expect(mean[i]).toBeCloseTo(g, 12);
  expect(Math.max(...all.map(Math.abs))).toBeGreaterThan(0.01);
  expect(metrics.difference![0]).toBeCloseTo(0, 12);
});

describe("parameters and what else stands outside of the plate", () => {
  // y_i given z_i ~ N(z_i, 1), z_i ~ N(mu, 1): marginally y_i ~ N(mu, 2).
  const y = Array.from({ length: 24 }, (_, i) => 1.5 + 1.4 * Math.sin(3 * i + 1));
  const total = y.reduce((s, v) => s + v, 0);
  const fitting = {
    plate: "unit",
    runtime,
    encoder: linear,
    epochs: 800,
    batch: 24,
    learningRate: 0.03,
    draws: 4,
  } as const;

  test("are estimated by maximum likelihood, or with their priors by maximum posterior density", async () => {
    const text = model(({ plate, sample, observe, param }, { y }: { y: Tensor }) => {
      const mu = param("mu", { prior: normal(0, 0.2) });
      plate("unit", y.shape[0]!, (i) => observe("y", normal(sample("z", normal(mu, 1)), 1), y.at(i)));
    });
    const mu = async (by: "ml" | "map") =>
      (await (await amortize(text, { y }, { ...fitting, by })).parameters()).mu!.values[0]!;
    expect(Math.abs((await mu("ml")) - total / 24)).toBeLessThan(0.01);
    // The posterior's precision is N / 2 + 1 / 0.2².
    expect(Math.abs((await mu("map")) - total / 2 / (24 / 2 + 25))).toBeLessThan(0.01);
  });

  test("get a q of their own where they are sampled: that of coordinate ascent on independent blocks", async () => {
    const text = model(({ plate, sample, observe }, { y }: { y: Tensor }) => {
      const mu = sample("mu", normal(0, 10));
      plate("unit", y.shape[0]!, (i) => observe("y", normal(sample("z", normal(mu, 1)), 1), y.at(i)));
    });
    const fit = await amortize(text, { y }, fitting);
    // Means are exact; the variance is that given all z_i, since q knows no correlation (Bishop 2006, section 10.1.2).
    const mean = fit.unconstrained["global.mean"]![0]!;
    const deviation = Math.exp(fit.unconstrained["global.logSd"]![0]!);
    expect(Math.abs(mean - total / 2 / (24 / 2 + 0.01))).toBeLessThan(0.04);
    expect(Math.abs(deviation * Math.sqrt(24 + 0.01) - 1)).toBeLessThan(0.1);
  });
});

test("positive latents are fitted on their logarithms: rates of counts, whose evidence is negative binomial", async () => {
  const y = [[0, 2, 1], [4, 6, 3], [9, 12, 8], [1, 1, 0], [5, 4, 7], [2, 3, 2]]; // biome-ignore format: a matrix
  const text = model(({ plate, sample, observe }, { y }: { y: Tensor }) => {
    plate("unit", y.shape[0]!, (i) => observe("y", poisson(sample("rate", gamma(3, 0.7))), y.at(i)));
  });
  const fit = await amortize(text, { y }, {
    plate: "unit", runtime, epochs: 3000, learningRate: 0.03, draws: 16,
    encoder: { hidden: [8], activation: "tanh", input: ({ observed }) => observed.y!.sum().add(1).log().reshape([1]) },
  }); // biome-ignore format: one call
  const logFactorial = (n: number): number => (n < 2 ? 0 : Math.log(n) + logFactorial(n - 1));
  const logEvidence = y.map((counts) => {
    const s = counts.reduce((a, c) => a + c, 0);
    // ∫ Π e^−r r^y / y! · 0.7³ r² e^(−0.7 r) / 2 dr = 0.7³ (s + 2)! / (2 · 3.7^(s + 3) Π y!)
    return 3 * Math.log(0.7) - Math.LN2 + logFactorial(s + 2) - (s + 3) * Math.log(3.7) - counts.reduce((a, c) => a + logFactorial(c), 0); // biome-ignore format: the formula
  });
  const { negElbo } = await fit.score(undefined, { draws: 2000 });
  const { sites, sd: sds } = await fit.encode();
  const { logProb: estimated } = await fit.logLikelihood(undefined, { samples: 2000 });
  for (const [i, counts] of y.entries()) {
    expect(negElbo[i]! + logEvidence[i]!).toBeGreaterThan(-0.01);
    expect(negElbo[i]! + logEvidence[i]!).toBeLessThan(0.06);
    expect(Math.abs(estimated[i]! - logEvidence[i]!)).toBeLessThan(0.02);
    // The best q(log rate) of a posterior Gamma(a, b): a = b e^(m + s² / 2) and 1 / s² = a.
    const a = counts.reduce((all, c) => all + c, 0) + 3;
    expect(Math.abs(sites.rate!.values[i]! / ((a / 3.7) * Math.exp(-0.5 / a)) - 1)).toBeLessThan(0.04);
    expect(Math.abs(sds[i]! * Math.sqrt(a) - 1)).toBeLessThan(0.1);
  }
});

test("a variational autoencoder written as a model is the one of trainVae, step for step", async () => {
  const [width, latent] = [6, 2];
  const x = Array.from({ length: 23 }, (_, i) => Array.from({ length: width }, (_, j) => Math.round(0.5 + 0.5 * Math.sin(i * 3 + j * j)))); // biome-ignore format: one line
  const decoder = mlp({ name: "decoder", inputs: latent, hidden: [5], heads: { logits: width }, activation: "tanh", initialiser: glorotLayers }); // biome-ignore format: one line
  const text = model(({ plate, sample, observe, param }, { x }: { x: Tensor }) => {
    const theta = Object.fromEntries(decoder.specs.map(({ name, shape, initialise }) => [name, param(name, { shape, initialise })])); // biome-ignore format: one line
    plate("example", x.shape[0]!, (i) => {
      const z = sample("z", normal(0, 1), [latent]);
      observe("x", bernoulli({ logits: decoder.apply(theta, z).logits! }), x.at(i));
    });
  });
  const fit = await amortize(text, { x }, {
    plate: "example", runtime, encoder: { hidden: [4], activation: "tanh" }, epochs: 6, batch: 8, learningRate: 0.01,
    schedule: constantSchedule, seed: 2, draws: 2,
  }); // biome-ignore format: one call
  const { vae } = await trainVae(x, {
    likelihood: "bernoulli", dtype: "f64", encoder: [4], decoder: [5], activation: "tanh", latent, epochs: 6, batch: 8,
    lr: 0.01, seed: 2, draws: 2,
  }, { runtime }); // biome-ignore format: one call
  const theirs = vae.parameters.read();
  for (const { name, offset, size } of vae.context.architecture.layout.places) {
    const ours = fit.unconstrained[name]!;
    expect(ours.length, name).toBe(size);
    for (const [i, v] of ours.entries()) expect(Math.abs(v - theirs[offset + i]!), name).toBeLessThan(1e-9);
  }
});

describe("mistakes are told", () => {
  const nested = model(({ plate, sample, observe }, { y }: { y: Tensor }) => {
    plate("unit", y.shape[0]!, (i) => {
      const z = sample("z", normal(0, 1));
      plate("trial", y.shape[1]!, (j) => observe("y", normal(z, 1), y.at(i).at(j)));
    });
  });
  const y = [[0, 1], [2, 3], [1, 1]]; // biome-ignore format: a matrix
  const attempt = (given: Model<never, never>, changed: object) =>
    amortize(given as never, { y } as never, { plate: "unit", encoder: linear, runtime, epochs: 1, ...changed });

  test.each([
    ["a plate that is not there", { plate: "units" }, 'amortize takes a plate at the outer level of the model, and "units" is none: there is "unit". Of nested plates take the outermost.'],
    ["no encoder", { encoder: undefined }, "amortize needs encoder: options of a network, such as { hidden: [64] }, or null for a free q(z_i)"],
    ["another q", { q: "banded" }, 'q is "banded", but it must be "diagonal" or "full"'],
    ["another way to estimate", { by: "mle" }, 'by is "mle", but it must be "ml" or "map"'],
    ["steps the wrong way", { learningRate: -1 }, "learningRate is -1, but it takes a number above 0"],
    ["another estimator", { estimator: "score" }, 'estimator is "score", but it must be "analytic" or "generic"'],
    ["an option that does not exist", { epoch: 3 }, 'amortize has no option "epoch"; there are: '],
    ["a batch of nothing", { batch: 0 }, "batch is 0, but it takes an integer of at least 1"],
  ])("%s", async (_what, changed, message) => {
    await expect(attempt(nested as never, changed)).rejects.toThrow(message);
  }); // biome-ignore format: a table

  test("nested plates inside work, and a free fit has no q for other data", async () => {
    await attempt(nested as never, {});
    const free = await attempt(nested as never, { encoder: null });
    await expect(free.encode({ y: [[1, 2]] })).rejects.toThrow(
      "this fit has parameters of q for each element of its own data, and none for other data: amortize with an encoder",
    );
  });

  test("a missing value has its address", async () => {
    const gap = amortize(nested as never, { y: [[0, 1], [2, Number.NaN]] } as never, { plate: "unit", encoder: linear, runtime }); // biome-ignore format: one line
    await expect(gap).rejects.toThrow('observe("y"): element [2,2] is NaN');
  });

  test("a parameter of each element, and a plate without anything to infer", async () => {
    const own = model(({ plate, param, sample, observe }, { y }: { y: Tensor }) => {
      plate("unit", y.shape[0]!, (i) => observe("y", normal(sample("z", normal(param("own"), 1)), 1), y.at(i)));
    });
    await expect(attempt(own as never, {})).rejects.toThrow(
      'param("own") stands in plate("unit"), where amortize learns q(z_i) alone: sample it, or declare it outside of the plate',
    );
    const empty = model(({ plate, param, observe }, { y }: { y: Tensor }) => {
      const mu = param("mu");
      plate("unit", y.shape[0]!, (i) => observe("y", normal(mu, 1), y.at(i)));
    });
    await expect(attempt(empty as never, {})).rejects.toThrow(
      'nothing continuous is sampled in plate("unit"): it has no q(z_i) to amortize',
    );
  });
});
