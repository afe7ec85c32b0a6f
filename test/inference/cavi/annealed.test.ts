import { expect, test } from "vitest";
import { categorical, dirichlet, model, normal, type Tensor } from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator } from "./monte-carlo-bound.ts";

const g = generator("annealed");
const y = Array.from({ length: 90 }, (_, i) => [-6, 0, 6][i % 3]! + g.normal());
const mixture = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
  const weights = sample("weights", dirichlet([1, 1, 1]));
  const mu = plate("component", 3, () => sample("mu", normal(0, 10)));
  plate("n", y.shape[0]!, (i) => {
    observe("y", normal(mu.at(sample("z", categorical(weights))), 1), y.at(i));
  });
});

test("temperatures end at 1: the bound is that of a fit without them, and never falls from there on", async () => {
  const temperatures = [8, 4, 2, 1.5];
  const fits = [];
  for (let seed = 0; seed < 3; seed++) fits.push(await cavi(mixture, { y }, { seed, temperatures }));
  const best = (await cavi(mixture, { y }, { restarts: 5 })).elbo;
  for (const fit of fits) {
    expect(fit.converged).toBe(true);
    expect(fit.sweeps).toBeGreaterThan(temperatures.length);
    for (let n = temperatures.length + 1; n < fit.sweeps; n++) {
      expect(fit.elbos[n]!).toBeGreaterThan(fit.elbos[n - 1]! - 1e-8);
    }
  }
  expect(Math.max(...fits.map((f) => f.elbo))).toBeCloseTo(best, 5);
  // At a great temperature nothing is decided.
  const hot = await cavi(mixture, { y }, { temperatures: [1e9], maxSweeps: 1 });
  for (const p of hot.factors.z!.parameters.probs!.values) expect(p).toBeCloseTo(1 / 3, 6);
  await expect(cavi(mixture, { y }, { temperatures: [0] })).rejects.toThrow(/temperature is 0/);
});
