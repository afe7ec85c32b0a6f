import { describe, expect, test } from "vitest";
import { bernoulli, beta, categorical, dirichlet, gamma, model, normal, type Tensor } from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator } from "./monte-carlo-bound.ts";

const g = generator("starts");

describe("one start leaves the points from which sweeps do not get away", () => {
  // Random states of many elements give all components one mean; with the noise learned, the mixture then stays one component.
  const mixture = model(({ sample, observe, plate }, { x, k }: { x: Tensor; k: number }) => {
    const weights = sample("weights", dirichlet(Array(k).fill(1)));
    const tau = sample("tau", gamma(1, 1));
    const mu = sample("mu", normal(0, 10), [k]);
    plate("n", x.shape[0]!, (i) => {
      const z = sample("z", categorical(weights));
      observe("x", normal(mu.at(z), tau.pow(-0.5)), x.at(i));
    });
  });

  for (const centres of [
    [-2, 2],
    [-9, -3, 3, 9],
  ]) {
    // biome-ignore format: short
    test(`${centres.length} components with one noise, each found`, async () => {
      const x = Array.from({ length: 600 }, (_, i) => centres[i % centres.length]! + g.normal());
      for (const seed of [0, 1, 2]) {
        const fit = await cavi(mixture, { x, k: centres.length }, { seed });
        const found = [...fit.factors.mu!.parameters.mean!.values].sort((a, b) => a - b);
        for (const [k, c] of centres.entries()) expect(Math.abs(found[k]! - c)).toBeLessThan(0.4);
      }
    });
  }

  test("three clusters of twenty, with room for six components and one noise", async () => {
    const x = Array.from({ length: 60 }, (_, i) => [-5, 0, 6][i % 3]! + 0.5 * g.normal());
    const roomy = model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
      const weights = sample("weights", dirichlet(Array(6).fill(1)));
      const mu = sample("mu", normal(0, 5), [6]);
      const tau = sample("tau", gamma(1, 1));
      plate("n", 60, (i) => {
        const z = sample("z", categorical(weights));
        observe("x", normal(mu.at(z), tau.pow(-0.5)), x.at(i));
      });
    });
    for (const seed of [0, 1, 2]) {
      const fit = await cavi(roomy, { x }, { seed });
      const { shape, rate } = fit.factors.tau!.parameters;
      // One component would have the sd 4.5.
      expect(Math.sqrt(rate!.values[0]! / shape!.values[0]!)).toBeLessThan(0.7);
    }
  });

  // Six strong columns of two causes, six that are noise, and room for five causes.
  const rows = Array.from({ length: 120 }, () => {
    const [u, v] = [g.normal(), g.normal()];
    return Array.from({ length: 12 }, (_, d) => (d < 4 ? 0.9 * u : d < 6 ? 0.9 * v : 0) + 0.6 * g.normal());
  });
  const analysis = model(({ sample, observe, plate }, { x, centre }: { x: Tensor; centre: number }) => {
    const alpha = sample("alpha", gamma(1e-3, 1e-3), [5]);
    const tau = sample("tau", gamma(1e-3, 1e-3));
    const mu = sample("mu", normal(centre, 100), [12]);
    const w = sample("w", normal(0, alpha.pow(-0.5)), [12, 5]);
    plate("n", 120, (i) => {
      const z = sample("z", normal(0, 1), [5]);
      observe("x", normal(w.mul(z).sum(-1).add(mu), tau.pow(-0.5)), x.at(i));
    });
  });

  for (const [unit, offset] of [
    [1, 0],
    [100, 0],

    [1, 1e4],
  ] as const) {
    // biome-ignore format: short
    test(`principal components with relevance find the two dimensions of data in units of ${unit} at ${offset}`, async () => {
      const x = rows.map((r) => r.map((v) => unit * v + offset));
      const fit = await cavi(analysis, { x, centre: offset }, { seed: 1, tolerance: 1e-8 });
      const { mean } = fit.factors.w!.parameters;
        const lengths = Array.from({ length: 5 }, (_, q) => Math.hypot(...Array.from({ length: 12 }, (_, d) => mean!.values[d * 5 + q]!)) / unit); // biome-ignore format: one line
      expect(lengths.filter((l) => l > 0.8)).toHaveLength(2);
      expect(lengths.filter((l) => l < 0.1)).toHaveLength(3);
      const { shape, rate } = fit.factors.tau!.parameters;
      const noise = Math.sqrt(rate!.values[0]! / shape!.values[0]!) / unit;
      expect(Math.abs(noise - 0.6)).toBeLessThan(0.05);
      const shift = Math.max(...[...fit.factors.mu!.parameters.mean!.values].map((m) => Math.abs(m - offset)));
      expect(shift / unit).toBeLessThan(0.5);
    });
  }
});

test("a small mixture parts into its components from any seed, whatever the order of the text", async () => {
  const centres = [-6, 0, 5];
  const random = generator("small mixture");
  const y = Array.from({ length: 60 }, (_, i) => centres[i % 3]! + 0.7 * random.normal());
  const k = 6;
  const mixture = (isNoiseFirst: boolean) =>
    model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const weights = sample("weights", dirichlet(Array(k).fill(0.1)));
      const noise = () => sample("noise", gamma(1, 1));
      const before = isNoiseFirst ? noise() : null;
      const mu = plate("component", k, () => sample("mu", normal(0, 5)));
      const tau = before ?? noise();
      plate("n", y.shape[0]!, (i) => {
        const z = sample("z", categorical(weights));
        observe("y", normal({ mean: mu.at(z), precision: tau }), y.at(i));
      });
    });
  for (const seed of [0, 1, 2, 3]) {
    const [first, last] = [await cavi(mixture(true), { y }, { seed }), await cavi(mixture(false), { y }, { seed })];
    expect(Math.abs(first.elbo - last.elbo)).toBeLessThan(1e-6);
    const { shape, rate } = first.factors.noise!.parameters;
    // One component for all has a precision of 0.05.
    expect(shape!.values[0]! / rate!.values[0]!).toBeGreaterThan(1);
  }
});

// A switch that is found before its slope is turned off, since a slope of mean 0 only adds variance: all of them were, at any start.
test("spikes and slabs: of four slopes those that are in the data are switched on, whatever the order of the text", async () => {
  const rows = Array.from({ length: 40 }, () => Array.from({ length: 4 }, () => g.normal()));
  const values = rows.map((x) => 2 * x[0]! - x[2]! + 0.3 * g.normal());
  for (const switchFirst of [true, false]) {
    const spikes = model(({ sample, observe, plate }, { rows, values }: { rows: Tensor; values: Tensor }) => {
      const share = sample("share", beta(1, 1));
      const tau = sample("tau", gamma(1, 1));
      const weights = [0, 1, 2, 3].map((d) => {
        const before = switchFirst ? sample(`on${d}`, bernoulli(share)) : null;
        const slope = sample(`slope${d}`, normal(0, 2));
        return slope.mul(before ?? sample(`on${d}`, bernoulli(share)));
      });
      plate("n", 40, (i) => {
        const mean = weights.map((w, d) => w.mul(rows.at(i).at(d))).reduce((a, b) => a.add(b));
        observe("y", normal(mean, tau.pow(-0.5)), values.at(i));
      });
    });
    for (let seed = 0; seed < 3; seed++) {
      const { factors } = await cavi(spikes, { rows, values }, { seed });
      for (const [d, slope] of [[0, 2], [2, -1]] as const) {
        expect(factors[`on${d}`]!.parameters.probs!.values[1]).toBeGreaterThan(0.99);
        expect(Math.abs(factors[`slope${d}`]!.parameters.mean!.values[0]! - slope)).toBeLessThan(0.25);
      } // biome-ignore format: short
    }
  }
});
