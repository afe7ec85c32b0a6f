import { describe, expect, test } from "vitest";
import { lgamma } from "../../../src/base/special.ts";
import { beta, binomial, gamma, geometric, infer, model, negativeBinomial, normal, poisson, type Tensor, truncated } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";

const logPoisson = (x: number, rate: number) => x * Math.log(rate) - rate - lgamma(x + 1);
const logNormal = (x: number, mean: number, sd: number) => -0.5 * ((x - mean) / sd) ** 2 - Math.log(sd) - 0.5 * Math.log(2 * Math.PI); // biome-ignore format: one line
const sum = (n: number, f: (i: number) => number) =>
  Array.from({ length: n }, (_, i) => f(i)).reduce((a, b) => a + b, 0);
const evidence = (prior: (k: number) => number, likelihood: (k: number) => number) => Math.log(sum(3000, (k) => Math.exp(prior(k) + likelihood(k)))); // biome-ignore format: one line
const probsOf = (values: ArrayLike<number>, at: number, n: number) => Array.from({ length: n }, (_, i) => values[at * n + i]!); // biome-ignore format: one line

describe("counts without end are latent", () => {
  // Of thinned Poisson counts, those that were not seen are a Poisson of their own.
  for (const [rate, y] of [[4, 3], [300, 100]] as const) {
    test(`thinned: a poisson(${rate}) of which ${y} were seen`, async () => {
      const thinned = model(({ sample, observe }, { y }: { y: number }) => {
        observe("y", binomial(sample("k", poisson(rate)), 0.4), y);
      });
      const fit = await cavi(thinned, { y });
      expect(fit.exact).toBe(true);
      expect(Math.abs(fit.elbo - logPoisson(y, 0.4 * rate))).toBeLessThan(1e-10);
      const { values } = fit.factors.k!.parameters.probs!;
      for (const [k, p] of values.entries()) {
        expect(p).toBeCloseTo(k < y ? 0 : Math.exp(logPoisson(k - y, 0.6 * rate)), 12);
      }
    });
  } // biome-ignore format: short

  const priors = {
    poisson: [() => poisson(7), (k: number) => logPoisson(k, 7)],
    geometric: [() => geometric(0.05), (k: number) => Math.log(0.05) + k * Math.log(0.95)],
    negativeBinomial: [() => negativeBinomial({ total: 3, probs: 0.2 }), (k: number) => lgamma(k + 3) - lgamma(3) - lgamma(k + 1) + 3 * Math.log(0.2) + k * Math.log(0.8)],
    "zero-truncated poisson": [() => truncated(poisson(7), { low: 1 }), (k: number) => k ? logPoisson(k, 7) - Math.log(-Math.expm1(-7)) : -Infinity],
  } as const; // biome-ignore format: a table
  for (const [name, [prior, logPrior]] of Object.entries(priors)) {
    test(`seen with noise, each element for itself: ${name}`, async () => {
      const y = [2.2, 31.5, 400.3];
      const noisy = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
        plate("n", 3, (i) => {
          observe("y", normal(sample("k", prior()).mul(1.5), 4), y.at(i));
        });
      });
      const fit = await cavi(noisy, { y });
      const exact = sum(3, (i) => evidence(logPrior, (k) => logNormal(y[i]!, 1.5 * k, 4)));
      expect(Math.abs(fit.elbo - exact)).toBeLessThan(1e-9 * Math.abs(exact));
      const { values, shape } = fit.factors.k!.parameters.probs!;
      const n = shape.at(-1)!;
      expect(sum(n, (k) => probsOf(values, 1, n)[k]!)).toBeCloseTo(1, 10);
    });
  }

  test("with a gamma rate: the fixed point of the two factors, whose updates are written out here", async () => {
    const y = [3.1, 0.4, 6.2, 4.4];
    const counted = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const rate = sample("rate", gamma(2, 1));
      plate("n", 4, (i) => {
        observe("y", normal(sample("k", poisson(rate)), 0.7), y.at(i));
      });
    });
    const fit = await cavi(counted, { y }, { tolerance: 1e-14 });
    const { shape, rate } = fit.factors.rate!.parameters;
    expect(rate!.values[0]).toBeCloseTo(5, 10);
    // q(k) ∝ exp(k E log rate − log k! − (y − k)² / 2 σ²), and the rate's shape is 2 + Σ E k.
    const log = (lgamma(shape!.values[0]! + 1e-5) - lgamma(shape!.values[0]! - 1e-5)) / 2e-5 - Math.log(5);
    const means = y.map((v) => {
      const weights = Array.from({ length: 200 }, (_, k) => Math.exp(k * log - lgamma(k + 1) - 0.5 * ((v - k) / 0.7) ** 2)); // biome-ignore format: one line
      const total = weights.reduce((a, b) => a + b);
      return weights.reduce((a, w, k) => a + k * w, 0) / total;
    });
    expect(shape!.values[0]).toBeCloseTo(2 + means.reduce((a, b) => a + b), 7);
    const { k } = await fit.sample(4000, 1);
    const drawn = sum(4000, (s) => k!.values[4 * s + 2]!) / 4000;
    expect(Math.abs(drawn - means[2]!)).toBeLessThan(0.05);
  });

  test("of a binomial whose total is not known, totals below what came up count for nothing", async () => {
    const caught = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const chance = sample("chance", beta(3, 3));
      const total = sample("total", poisson(30));
      plate("visit", 5, (i) => observe("y", binomial(total, chance), y.at(i)));
    });
    const y = [12, 15, 9, 14, 11];
    const fit = await cavi(caught, { y }, { tolerance: 1e-13 });
    const { a, b } = fit.factors.chance!.parameters;
    const { values } = fit.factors.total!.parameters.probs!;
    const mean = sum(values.length, (k) => k * values[k]!);
    expect(sum(15, (k) => values[k]!)).toBe(0);
    expect(a!.values[0]).toBeCloseTo(3 + 61, 8);
    expect(b!.values[0]).toBeCloseTo(3 + 5 * mean - 61, 4);
  });
});

test("methods of gradients say how a count without end is made one that can be summed out", async () => {
  const body = (end: boolean) =>
    model(({ sample, observe }, { y }: { y: number }) => {
      const rate = sample("rate", gamma(2, 1));
      observe("y", normal(sample("k", end ? truncated(poisson(rate), { high: 40 }) : poisson(rate)), 0.5), y);
    });
  await expect(infer(body(false), { y: 3.2 }, { method: "nuts" })).rejects.toThrow(/truncated\(poisson\(rate\), \{ high: 40 \}\).*cavi/s); // biome-ignore format: one line
  const posterior = await infer(body(true), { y: 3.2 }, { method: "laplace" });
  expect(posterior.mean("rate")[0]).toBeGreaterThan(2);
});
