import { describe, expect, test } from "vitest";
import { bernoulli, beta, categorical, gamma, model, multivariateNormal, normal, type Tensor, wishart } from "../../../src/index.ts"; // biome-ignore format: one import
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator, monteCarloBound } from "./monte-carlo-bound.ts";

const g = generator("groups");
const N = 24;
const x = Array.from({ length: N }, () => [g.normal() + 1, g.normal()]);
const school = Array.from({ length: N }, (_, i) => (i * i) % 4);
const y = x.map((r, i) => 1 + 2 * r[0]! - r[1]! + school[i]! + 0.5 * g.normal());

/** log N(y; m, S) by elimination in plain JavaScript. */
function logNormalDensity(y: readonly number[], m: readonly number[], S: readonly (readonly number[])[]): number {
  const a = S.map((row, i) => [...row, y[i]! - m[i]!]);
  let [logDet, square] = [0, 0];
  const n = y.length;
  for (let i = 0; i < n; i++) {
    logDet += Math.log(a[i]![i]!);
    square += a[i]![n]! ** 2 / a[i]![i]!;
    for (let j = i + 1; j < n; j++) {
      const f = a[j]![i]! / a[i]![i]!;
      for (let k = i; k <= n; k++) a[j]![k]! -= f * a[i]![k]!;
    }
  }
  return -0.5 * (logDet + square + n * Math.log(2 * Math.PI));
}
const matrix = (f: (i: number, j: number) => number) => y.map((_, i) => y.map((_, j) => f(i, j)));
const eye = (i: number, j: number) => Number(i === j);

describe("sites in one factor", () => {
  for (const offset of [0, 1e4]) {
    test(`mean, effects and slopes of a jointly Gaussian model have its exact evidence, the data at ${offset}`, async () => {
      const body = model(({ sample, observe, plate }, { x, y, school }: { x: Tensor; y: Tensor; school: Tensor }) => {
        const mu = sample("mu", normal(offset, 3));
        const effect = plate("school", 4, () => sample("effect", normal(mu, 0.7)));
        const w = sample("w", normal(0, 2), [2]);
        plate("n", N, (i) => {
          observe("y", normal(effect.at(school.at(i)).add(x.at(i).mul(w).sum()), 0.5), y.at(i));
        });
      });
      const data = { x, y: y.map((v) => v + offset), school };
      const S = matrix((i, j) => 9 + 0.49 * eye(school[i]!, school[j]!) + 4 * (x[i]![0]! * x[j]![0]! + x[i]![1]! * x[j]![1]!) + 0.25 * eye(i, j)); // biome-ignore format: one line
      const evidence = logNormalDensity(
        y,
        y.map(() => 0),
        S,
      );
      const apart = await cavi(body, data);
      const together = await cavi(body, data, { groups: [["mu", "w", "effect"]] });
      expect(Math.abs(together.elbo - evidence)).toBeLessThan(1e-9 * Math.abs(evidence) + (offset ? 1e-7 : 0));
      expect(together.exact).toBe(true);
      expect(together.sweeps).toBeLessThan(4);
      expect(apart.elbo).toBeLessThan(together.elbo - 0.1);
      const half = await cavi(body, data, { groups: [["mu", "effect"]] });
      expect(half.elbo).toBeGreaterThan(apart.elbo);
      expect(half.elbo).toBeLessThan(together.elbo);
      // The means of jointly Gaussian sites are right under either.
      for (const name of ["mu", "effect", "w"]) {
        const [a, b] = [together, apart].map((fit) => fit.factors[name]!.parameters.mean!);
        expect(a!.shape).toEqual(b!.shape);
        for (const [i, v] of a!.values.entries()) expect(Math.abs(v - b!.values[i]!)).toBeLessThan(2e-3);
      }
    });
  }

  test("per element of a shared plate: intercept and slope of each school", async () => {
    const body = model(({ sample, observe, plate }, { x, y, school }: { x: Tensor; y: Tensor; school: Tensor }) => {
      const { a, b } = plate("school", 4, () => ({ a: sample("a", normal(0, 2)), b: sample("b", normal(0, 1), [2]) }));
      plate("n", N, (i) => {
        const s = school.at(i);
        observe("y", normal(a.at(s).add(x.at(i).mul(b.at(s)).sum()), 0.5), y.at(i));
      });
    });
    const same = (i: number, j: number) => eye(school[i]!, school[j]!);
    const S = matrix((i, j) => same(i, j) * (4 + x[i]![0]! * x[j]![0]! + x[i]![1]! * x[j]![1]!) + 0.25 * eye(i, j));
    const zero = y.map(() => 0);
    const fit = await cavi(body, { x, y, school }, { groups: [["b", "a"]] });
    expect(fit.elbo).toBeCloseTo(logNormalDensity(y, zero, S), 9);
    expect(fit.factors.a!.parameters.precision!.shape).toEqual([4, 3, 3]);
    const draws = await fit.sample(4000);
    const mean = (name: string, at: number) => {
      const { shape, values } = draws[name]!;
      const each = shape.slice(1).reduce((p, q) => p * q, 1);
      return Array.from({ length: 4000 }, (_, s) => values[s * each + at]!).reduce((p, q) => p + q, 0) / 4000;
    };
    for (const at of [0, 1, 2, 3])
      expect(Math.abs(mean("a", at) - fit.factors.a!.parameters.mean!.values[at]!)).toBeLessThan(0.05);
    for (const at of [0, 3, 7])
      expect(Math.abs(mean("b", at) - fit.factors.b!.parameters.mean!.values[at]!)).toBeLessThan(0.05);
  });

  test("across nested plates, each element of the outer one with all that stands in it", async () => {
    const rows = [0, 1, 2].map((i) => y.slice(4 * i, 4 * i + 4));
    const body = model(({ sample, observe, plate }, { rows }: { rows: Tensor }) => {
      plate("outer", 3, (i) => {
        const a = sample("a", normal(0, 2));
        plate("inner", 4, (j) => {
          observe("y", normal(sample("b", normal(a, 1)), 0.5), rows.at(i).at(j));
        });
      });
    });
    const fit = await cavi(body, { rows }, { groups: [["a", "b"]] });
    // Each row is N(0, 4 J + 1.25 I), of whose eigenvalues one is 16 + 1.25.
    const evidence = rows.reduce((s, r) => {
      const [total, square] = [r.reduce((p, q) => p + q, 0), r.reduce((p, q) => p + q * q, 0)];
      const within = square - total ** 2 / 4;
      return s - 0.5 * (4 * Math.log(2 * Math.PI) + 3 * Math.log(1.25) + Math.log(17.25) + within / 1.25 + total ** 2 / 4 / 17.25); // biome-ignore format: one line
    }, 0);
    expect(fit.elbo).toBeCloseTo(evidence, 9);
    expect(fit.factors.b!.parameters.precision!.shape).toEqual([3, 5, 5]);
  });

  test("several Gaussians with the precision that they scale with are the exact posterior", async () => {
    const body = model(({ sample, observe, plate }, { x, y }: { x: Tensor; y: Tensor }) => {
      const tau = sample("tau", gamma(2, 3));
      const a = sample("a", normal(0, tau.mul(0.1).pow(-0.5)));
      const w = sample("w", normal(0, tau.mul(0.3).pow(-0.5)), [2]);
      plate("n", N, (i) => {
        observe("y", normal(a.add(x.at(i).mul(w).sum()), tau.pow(-0.5)), y.at(i));
      });
    });
    for (const offset of [0, 1e4]) {
      const data = { x, y: y.map((v) => v + offset) };
      const { elbo, mean, se } = await monteCarloBound(body, data, 50, { groups: [["a", "w", "tau"]] });
      // Of an exact posterior log p(x, z) − log q(z) is the evidence at every z.
      expect(se).toBeLessThan(1e-8 * Math.abs(elbo));
      expect(Math.abs(mean / elbo - 1)).toBeLessThan(1e-8);
    }
  });

  test("a group of one forbids what would be joined by itself", async () => {
    const body = model(({ sample, observe }, { y }: { y: Tensor }) => {
      const tau = sample("tau", gamma(2, 3));
      observe("y", normal(sample("mu", normal(0, tau.mul(0.1).pow(-0.5))), tau.pow(-0.5)), y);
    });
    const joint = await cavi(body, { y });
    const demanded = await cavi(body, { y }, { groups: [["mu", "tau"]] });
    const apart = await cavi(body, { y }, { groups: [["mu"]] });
    expect(joint.factors.mu!.family).toBe("normalGamma");
    expect(demanded.elbo).toBe(joint.elbo);
    expect(apart.factors.mu!.family).toBe("gaussian");
    expect(apart.elbo).toBeLessThan(joint.elbo);
  });

  test("discrete sites in one table: the bound is the evidence of two noisy switches", async () => {
    const t = y.slice(0, 6);
    const body = model(({ sample, observe, plate }, { t }: { t: Tensor }) => {
      plate("n", 6, (i) => {
        const [z, u] = [sample("z", categorical([0.2, 0.3, 0.5])), sample("u", bernoulli(0.3))];
        observe("y", normal(z.mul(2).add(u.mul(z).mul(1.5)).add(u), 0.8), t.at(i));
      });
    });
    let evidence = 0;
    for (const v of t) {
      let p = 0;
      for (const [z, pz] of [0.2, 0.3, 0.5].entries())
        for (const u of [0, 1]) p += pz * (u ? 0.3 : 0.7) * Math.exp(-0.5 * ((v - 2 * z - 1.5 * u * z - u) / 0.8) ** 2) / 0.8 / Math.sqrt(2 * Math.PI); // biome-ignore format: one line
      evidence += Math.log(p);
    }
    const apart = await cavi(body, { t }, { restarts: 5 });
    const together = await cavi(body, { t }, { groups: [["u", "z"]] });
    expect(together.elbo).toBeCloseTo(evidence, 10);
    expect(apart.elbo).toBeLessThan(evidence - 1e-3);
    const { values } = (await together.sample(2000)).z!;
    const probs = together.factors.z!.parameters.probs!;
    expect(probs.shape).toEqual([6, 6]);
    for (let n = 0; n < 6; n++) {
      const wanted = [0, 1, 2].map((z) => probs.values[n * 6 + z]! + probs.values[n * 6 + 3 + z]!);
      for (const [z, p] of wanted.entries()) {
        const found = Array.from({ length: 2000 }, (_, s) => Number(values[s * 6 + n] === z)).reduce((a, b) => a + b, 0) / 2000; // biome-ignore format: one line
        expect(Math.abs(found - p)).toBeLessThan(4.5 * Math.sqrt((p * (1 - p)) / 2000) + 1e-3);
      }
    }
  });

  test("what cannot be one exponential family is refused by name", async () => {
    const body = model(({ sample, observe, plate, chain }, { y }: { y: Tensor }) => {
      const [mu, p] = [sample("mu", normal(0, 1)), sample("p", beta(1, 1))];
      const [s, t] = [sample("s", gamma(1, 1)), sample("t", gamma(1, 1))];
      const z = plate("n", N, (i) => {
        const z = sample("z", bernoulli(p));
        observe("y", normal(mu.add(z), s.pow(-0.5)), y.at(i));
        return z;
      });
      sample("u", bernoulli(0.5));
      const lambda = sample("lambda", wishart(3, [[1, 0], [0, 1]])); // biome-ignore format: short
      sample("v", multivariateNormal({ mean: [0, 0], precision: lambda }));
      chain("time", 3, sample("first", normal(0, 1)), (before) => sample("state", normal(before, t.pow(-0.5))));
      return { z };
    });
    const refused = (groups: string[][], words: RegExp) => expect(cavi(body, { y }, { groups })).rejects.toThrow(words);
    await refused([["mu", "nu"]], /"nu" is no latent site.*"mu"/s);
    await refused([["mu", "s"], ["s"]], /"s" stands in them twice/); // biome-ignore format: short
    await refused([["mu", "p"]], /"mu", "p" cannot be one factor: "p" is a beta/);
    await refused([["s", "t"]], /"s", "t".*"s" is a gamma, "t" is a gamma/s);
    await refused([["mu", "s"]], /"mu", "s" cannot be one factor: "mu" holds "mu" but does not scale with "s"/);
    await refused([["z", "mu"]], /"z" is discrete and the others are not/);
    await refused([["z", "u"]], /"u" and "z" do not stand in the same plates/);
    await refused([["mu", "state"]], /"state" is a state of a chain/);
    await refused([["mu", "v", "lambda"]], /Wishart/);
    await refused([["mu", "v", "mu"]], /twice/);
  });
});
