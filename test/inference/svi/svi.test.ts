import { describe, expect, test } from "vitest";
import { bernoulli, beta, categorical, dirichlet, gamma, loadFit, model, normal, svi, type Tensor } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator } from "../cavi/monte-carlo-bound.ts";

const g = generator("svi");
const N = 240;
const y = Array.from({ length: N }, () => 3 + g.normal());
const clusters = Array.from({ length: N }, (_, i) => (i % 3 ? 4 : -4) + g.normal());
const halfPower = (tau: Tensor) => tau.pow(-0.5);

const meanAt = (offset: number) =>
  model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
    const mu = sample("mu", normal(offset, 10));
    plate("n", N, (i) => {
      observe("y", normal(mu, 1), y.at(i));
    });
  });
const normalGamma = (offset: number) =>
  model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
    const tau = sample("tau", gamma(2, 3));
    const mu = sample("mu", normal(offset, halfPower(tau.mul(0.1))));
    plate("n", N, (i) => {
      observe("y", normal(mu, halfPower(tau)), y.at(i));
    });
  });
const mixture = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
  const weights = sample("weights", dirichlet([1, 1]));
  const mu = plate("component", 2, () => sample("mu", normal(0, 10)));
  plate("n", N, (i) => {
    observe("y", normal(mu.at(sample("z", categorical(weights))), 1), y.at(i));
  });
});

const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);

describe("steps of all data at rate 1 are sweeps", () => {
  for (const offset of [0, 1e4]) {
    test(`one step finds the posterior of a mean and a precision, the data at ${offset}`, async () => {
      const data = { y: y.map((v) => v + offset) };
      const fit = await svi(normalGamma(offset), data, { batch: N, delay: 0, maxEpochs: 1 });
      const exact = await cavi(normalGamma(offset), data);
      for (const name of ["mean", "precision", "shape", "rate"]) {
        const [found, wanted] = [fit, exact].map((f) => f.factors.mu!.parameters[name]!.values[0]!) as [number, number];
        expect(Math.abs(found / wanted - 1)).toBeLessThan(1e-10);
      }
      expect(Math.abs(fit.elbo / exact.elbo - 1)).toBeLessThan(1e-10);
    });
  }

  test("from three sweeps over a mixture a step makes the fourth", async () => {
    const [three, four] = [await cavi(mixture, { y: clusters }, { maxSweeps: 3 }), await cavi(mixture, { y: clusters }, { maxSweeps: 4 })]; // biome-ignore format: one line
    const step = await svi(mixture, { y: clusters }, { from: three, batch: N, delay: 0, maxEpochs: 1, plate: "n" });
    expect(step.elbos[0]).toBeCloseTo(three.elbo, 8);
    expect(step.elbo).toBeCloseTo(four.elbo, 8);
    for (const [i, p] of four.factors.z!.parameters.probs!.values.entries()) {
      expect(step.factors.z!.parameters.probs!.values[i]).toBeCloseTo(p, 10);
    }
  });
});

describe("batches lead where all data lead", () => {
  for (const offset of [0, 1e4]) {
    test(`at forgetting 1 one epoch averages a mean exactly, the data at ${offset}`, async () => {
      // With ρ_t = 1 / t the natural parameters are the mean of those of the batches, which is the posterior.
      const fit = await svi(
        meanAt(offset),
        { y: y.map((v) => v + offset) },
        { batch: 40, delay: 0, forgetting: 1, maxEpochs: 1 },
      );
      const precision = 0.01 + N;
      const { parameters } = fit.factors.mu!;
      expect(Math.abs(parameters.precision!.values[0]! / precision - 1)).toBeLessThan(1e-12);
      expect(parameters.mean!.values[0]! - offset).toBeCloseTo(sum(y) / precision, offset ? 9 : 12);
    });
  }

  test("a mean and a precision; a mixture", async () => {
    const exact = await cavi(normalGamma(0), { y });
    const fit = await svi(normalGamma(0), { y }, { batch: 40, maxEpochs: 60 });
    expect(fit.converged).toBe(true);
    expect(exact.elbo - fit.elbo).toBeGreaterThan(-1e-9);
    expect(exact.elbo - fit.elbo).toBeLessThan(0.02);
    const whole = await cavi(mixture, { y: clusters }, { restarts: 3 });
    const parts = await svi(mixture, { y: clusters }, { plate: "n", batch: 40, maxEpochs: 60 });
    expect(whole.elbo - parts.elbo).toBeGreaterThan(-1e-9);
    expect(whole.elbo - parts.elbo).toBeLessThan(0.1);
    const probs = parts.factors.z!.parameters.probs!;
    expect(probs.shape).toEqual([N, 2]);
    expect((await parts.sample(5)).z!.shape).toEqual([5, N]);
  });

  test("the noisy bounds of an epoch at a fixed q average to the bound", async () => {
    const start = await cavi(mixture, { y: clusters }, { maxSweeps: 5 });
    const fit = await svi(
      mixture,
      { y: clusters },
      { plate: "n", from: start, batch: 30, delay: 1e12, forgetting: 1, maxEpochs: 1 },
    );
    expect(fit.elbo).toBeCloseTo(start.elbo, 6);
    expect(fit.elbos[0]).toBeCloseTo(start.elbo, 6);
  });
});

describe("a fit that was stored goes on with the bits of one that never stopped", () => {
  test("factors, bound and noisy bounds", async () => {
    const options = { plate: "n", batch: 50, seed: 4 };
    const whole = await svi(mixture, { y: clusters }, { ...options, maxEpochs: 5 });
    const first = await svi(mixture, { y: clusters }, { ...options, maxEpochs: 2 });
    const second = await svi(mixture, { y: clusters }, { from: loadFit(first.save()), maxEpochs: 5 });
    expect(second.elbos).toEqual(whole.elbos);
    expect(second.elbo).toBe(whole.elbo);
    expect(second.progress).toEqual(whole.progress);
    for (const [key, values] of whole.state) expect(second.state.get(key)).toEqual(values);
  });
});

describe("elements that go with those of a plate", () => {
  const D = 30;
  const entries = Array.from({ length: D }, (_, d) => Array.from({ length: 3 + (d % 7) }, () => [d, (d < 15 ? 0 : 5) + g.integer(5)])).flat(); // biome-ignore format: one line
  const data = { document: entries.map((e) => e[0]!), word: entries.map((e) => e[1]!) };
  const topics = model(({ sample, observe, plate }, { document, word }: { document: Tensor; word: Tensor }) => {
    const phi = plate("topic", 2, () => sample("phi", dirichlet(Array(10).fill(0.5))));
    const theta = plate("document", D, () => sample("theta", dirichlet([0.5, 0.5])));
    plate("token", word.shape[0]!, (i) => {
      observe("w", categorical(phi.at(sample("z", categorical(theta.at(document.at(i)))))), word.at(i));
    });
  });

  test("documents take their tokens along: the noisy bounds average to the bound, and it rises to that of all", async () => {
    const all = await cavi(topics, data, { restarts: 3, tolerance: 1e-12 });
    const options = { plate: "document", batch: 7, localTolerance: 1e-13, localSweeps: 1000 };
    const held = await svi(topics, data, { ...options, from: all, delay: 1e12, forgetting: 1, maxEpochs: 1 });
    // Thirty documents in batches of 6, each scaled to all.
    expect(held.elbo).toBeCloseTo(all.elbo, 5);
    expect(held.elbos[0]).toBeCloseTo(held.elbo, 5);
    const fit = await svi(topics, data, { ...options, seed: 1, maxEpochs: 40 });
    expect(all.elbo - fit.elbo).toBeLessThan(0.5);
    expect(fit.factors.z!.parameters.probs!.shape).toEqual([entries.length, 2]);
  });

  test("a lone local factor whose terms are a bound at itself is swept to its optimum all the same", async () => {
    const [documents, words] = [
      [0, 0, 0, 1, 1, 1, 2, 2, 2],
      [0, 0, 1, 2, 3, 3, 0, 2, 3],
    ];
    const summed = model(({ sample, observe, plate }, { documents, words }: { documents: Tensor; words: Tensor }) => {
      const phi = plate("topic", 2, () => sample("phi", dirichlet([0.5, 0.5, 0.5, 0.5])));
      const theta = plate("document", 3, () => sample("theta", dirichlet([0.2, 0.2])));
      plate("token", 9, (i) => {
        const probs = theta.at(documents.at(i)).reshape([1, 2]).matmul(phi).reshape([4]);
        observe("w", categorical(probs), words.at(i));
      });
    });
    const options = { plate: "document", batch: 3, maxEpochs: 5, localTolerance: 1e-12 };
    const bounds = [1, 3, 200].map(async (localSweeps) => {
      const { state, progress } = await svi(summed, { documents, words }, { ...options, localSweeps: 200 });
      return (await svi(summed, { documents, words }, { ...options, localSweeps, from: { state, progress } })).elbo;
    });
    const [one, three, many] = (await Promise.all(bounds)) as [number, number, number];
    expect(three).toBeGreaterThan(one + 1e-4);
    expect(many).toBeGreaterThan(three + 1e-6);
  });
  test("by default it is the documents, since their topics then are local", async () => {
    const fit = await svi(topics, data, { maxEpochs: 1 });
    expect(fit.progress.plate).toBe("document");
  });

  test("what cannot be drawn apart is refused with its reason", async () => {
    await expect(svi(topics, data, { plate: "topic" })).rejects.toThrow(
      /"w" looks at plate\("topic"\) by an index that is not data/,
    );
    await expect(svi(topics, data, { plate: "page" })).rejects.toThrow(
      /there is no plate\("page"\).*"topic", "document", "token"/,
    );
    const flat = model(({ sample, observe }, { y }: { y: Tensor }) => {
      observe("y", normal(sample("mu", normal(0, 1)), 1), y);
    });
    await expect(svi(flat, { y })).rejects.toThrow(/Write the data in a plate/);
    await expect(svi(topics, data, { maxEpoch: 3 } as never)).rejects.toThrow(
      'svi has no option "maxEpoch"; there are: ',
    );
    await expect(cavi(topics, data, { restart: 3 } as never)).rejects.toThrow(
      'cavi has no option "restart"; there are: ',
    );
    await expect(svi(topics, data, { forgetting: 0.5 })).rejects.toThrow(/0\.5 < forgetting/);
  });
});

test("parameters that are estimated end at the optimum of all data, not at a mean of batches' optima", async () => {
  const body = model(({ param, sample, observe, plate }, { y }: { y: Tensor }) => {
    const p = sample("p", beta(1, 1));
    const [low, high] = [param("low", { initial: -1 }), param("high", { initial: 1 })];
    plate("n", N, (i) => {
      const z = sample("z", bernoulli(p));
      observe("y", normal(high.sub(low).mul(z).add(low), 1), y.at(i));
    });
  });
  const whole = await cavi(body, { y: clusters }, { tolerance: 1e-13 });
  const fit = await svi(body, { y: clusters }, { batch: 24, maxEpochs: 80 });
  expect(whole.elbo - fit.elbo).toBeLessThan(0.05);
  // Which is which is a matter of the start.
  const values = [whole, fit].map((f) => ["low", "high"].map((name) => f.factors[name]!.parameters.value!.values[0]!).sort((a, b) => a - b)); // biome-ignore format: one line
  for (const [i, value] of values[0]!.entries()) expect(values[1]![i]).toBeCloseTo(value, 1);
});

// Three groups of unequal sizes, and normal components whose means and precisions are unknown: from random starts near 0 two of them merge.
test("components of a mixture begin where a batch suits them: from nearly each seed it ends at the best bound of many starts", async () => {
  const values = Array.from({ length: 600 }, (_, i) => [-4, -4, -4, 0, 0, 0, 5, 5, 5, 5][i % 10]! + g.normal());
  const three = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
    const weights = sample("weights", dirichlet([1, 1, 1]));
    const mu = plate("component", 3, () => sample("mu", normal(0, 10)));
    const tau = plate("noise", 3, () => sample("tau", gamma(1, 1)));
    plate("n", 600, (i) => {
      const z = sample("z", categorical(weights));
      observe("y", normal({ mean: mu.at(z), precision: tau.at(z) }), y.at(i));
    });
  });
  const best = await cavi(three, { y: values }, { restarts: 10 });
  let ended = 0;
  for (let seed = 0; seed < 10; seed++) {
    const fit = await svi(three, { y: values }, { plate: "n", batch: 50, seed });
    if (best.elbo - fit.elbo < 0.5) ended++;
  }
  expect(ended).toBeGreaterThanOrEqual(8);
});

describe("topics, which depend on where a fit begins", () => {
  const [K, D, V] = [6, 48, 30];
  const tokens = Array.from({ length: D }, (_, d) => {
    const own = [g.integer(K), g.integer(K)];
    return Array.from({ length: 25 }, (): [number, number] => [d, (5 * own[g.integer(2)]! + g.integer(8)) % V]);
  }).flat();
  const data = { documents: tokens.map(([d]) => d), words: tokens.map(([, w]) => w) };
  const topics = model(({ sample, observe, plate }, { documents, words }: { documents: Tensor; words: Tensor }) => {
    const phi = plate("topic", K, () => sample("phi", dirichlet(Array(V).fill(0.5))));
    const theta = plate("document", D, () => sample("theta", dirichlet(Array(K).fill(0.5))));
    plate("token", tokens.length, (i) => {
      observe("w", categorical(theta.at(documents.at(i)).reshape([1, K]).matmul(phi).reshape([V])), words.at(i));
    });
  });
  const options = { plate: "document", batch: 8, tolerance: 1e-4 };

  test("several starts end higher on average than single ones, and the choice is the one with the best bound", async () => {
    let gained = 0;
    for (let seed = 0; seed < 6; seed++) {
      const [one, best] = [await svi(topics, data, { ...options, seed, restarts: 1 }), await svi(topics, data, { ...options, seed })]; // biome-ignore format: one line
      expect(one.starts).toEqual([one.elbo]);
      expect(best.starts).toHaveLength(4);
      if (best.starts.indexOf(Math.max(...best.starts)) === 0) expect(best.elbo).toBe(one.elbo);
      gained += best.elbo - one.elbo;
    }
    expect(gained / 6).toBeGreaterThan(5);
  });

  // At forgetting 1 the steps of 40 epochs are so short that the bound seems to stand.
  test("what says that it has converged has: a whole sweep changes the bound by no more than was asked for", async () => {
    for (const forgetting of [0.7, 1]) {
      for (let seed = 0; seed < 4; seed++) {
        const fit = await svi(topics, data, { ...options, seed, forgetting, restarts: 1, maxEpochs: 60 });
        const { state } = fit;
        const swept = await svi(topics, data, { plate: "document", batch: D, delay: 0, maxEpochs: 1, from: { state, progress: null } }); // biome-ignore format: one line
        if (fit.converged) expect(swept.elbo - fit.elbo).toBeLessThan(2e-4 * Math.abs(fit.elbo));
        if (!fit.converged) expect(fit.reason).toMatch(/made its 60 epochs/);
      }
    }
  });

  test("a fit that stops between two looks at all data goes on with the bits of one that did not", async () => {
    const whole = await svi(topics, data, { ...options, maxEpochs: 60 });
    expect(whole.converged).toBe(true);
    const first = await svi(topics, data, { ...options, maxEpochs: whole.sweeps - 3 });
    const second = await svi(topics, data, { ...options, from: loadFit(first.save()), maxEpochs: 60 });
    expect([second.sweeps, second.elbo, second.reason]).toEqual([whole.sweeps, whole.elbo, whole.reason]);
    expect(second.progress).toEqual(whole.progress);
  });
});

test("where all starts are the same one, none is tried", async () => {
  const fit = await svi(meanAt(0), { y }, { batch: 40, maxEpochs: 3 });
  expect(fit.starts).toEqual([fit.elbo]);
  await expect(svi(meanAt(0), { y }, { restarts: 0 })).rejects.toThrow("svi: restarts is 0: an integer of at least 1");
});
