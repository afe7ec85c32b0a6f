import { describe, expect, test } from "vitest";
import { bernoulli } from "../../../src/distributions/bernoulli.ts";
import { multivariateNormal } from "../../../src/distributions/multivariate-normal.ts";
import { normal } from "../../../src/distributions/normal.ts";
import { poisson } from "../../../src/distributions/poisson.ts";
import { studentT } from "../../../src/distributions/student-t.ts";
import { ep } from "../../../src/inference/ep/ep.ts";
import { infer } from "../../../src/inference/infer.ts";
import { model } from "../../../src/model/model.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";

const LOG_2PI = Math.log(2 * Math.PI);
const logNormal = (x: number, mean: number, sd: number): number =>
  -0.5 * ((x - mean) / sd) ** 2 - Math.log(sd) - 0.5 * LOG_2PI;

/** Mass, mean and variance of e^logF on a line, by the trapezoidal rule, which converges geometrically for smooth decaying functions. */
function moments(logF: (x: number) => number, low: number, high: number, n = 40_000) {
  const h = (high - low) / n;
  let [mass, first, second] = [0, 0, 0];
  for (let i = 0; i <= n; i++) {
    const x = low + i * h;
    const w = h * Math.exp(logF(x));
    mass += w;
    first += w * x;
    second += w * x * x;
  }
  const mean = first / mass;
  return { logMass: Math.log(mass), mean, variance: second / mass - mean * mean };
}

describe("a Gaussian model is answered exactly, without a sweep", () => {
  const line = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
    const level = sample("level", normal(0, 3));
    const slope = sample("slope", normal(level, 2));
    observe("y", normal(x.mul(slope).add(level), 0.5), y);
  });
  // One observation at a time: N(m, S) becomes N(m + g (y − a·m), S − g aᵀS), g = S a / (aᵀ S a + ¼).
  function kalman(x: readonly number[], y: readonly number[]) {
    let m = [0, 0];
    let s = [9, 9, 9, 13];
    let logZ = 0;
    for (const [i, xi] of x.entries()) {
      const sa = [s[0]! + s[1]! * xi, s[2]! + s[3]! * xi];
      const variance = sa[0]! + xi * sa[1]! + 0.25;
      const rest = y[i]! - m[0]! - xi * m[1]!;
      logZ += logNormal(rest, 0, Math.sqrt(variance));
      m = m.map((v, j) => v + (sa[j]! * rest) / variance);
      s = s.map((v, e) => v - (sa[Math.floor(e / 2)]! * sa[e % 2]!) / variance);
    }
    return { m, s, logZ };
  }
  for (const offset of [0, 1e4]) {
    test(`a line through points around ${offset}`, async () => {
      const x = [-1, 0.5, 2, 3, 4.5];
      const y = x.map((v, i) => offset + 1.3 * v - 0.4 + 0.3 * (i % 2));
      const found = await ep(line, { x, y });
      const exact = kalman(x, y);
      expect(found).toMatchObject({ converged: true, sweeps: 0 });
      for (const j of [0, 1]) expect(Math.abs(found.mean[j]! / exact.m[j]! - 1)).toBeLessThan(1e-10);
      for (const e of [0, 1, 2, 3]) expect(found.covariance[e]).toBeCloseTo(exact.s[e]!, 10);
      expect(Math.abs(found.logZ / exact.logZ - 1)).toBeLessThan(1e-10);
    });
  }
  test("a vector with a full covariance, seen through products", async () => {
    const vector = model(({ sample, observe }) => {
      const z = sample("z", multivariateNormal({ mean: [1, -1], covariance: [[2, 0.6], [0.6, 1]] })); // biome-ignore format: a matrix
      observe("sum", normal(z.sum(), 1), 0.7);
    });
    const found = await ep(vector, {});
    // The sum is N(0, 4.2) a priori.
    expect(found.logZ).toBeCloseTo(logNormal(0.7, 0, Math.sqrt(5.2)), 12);
    expect(found.mean[0]).toBeCloseTo(1 + (2.6 / 5.2) * 0.7, 12);
    expect(found.covariance[0]).toBeCloseTo(2 - 2.6 ** 2 / 5.2, 12);
  });
});

describe("one site in each direction leaves nothing to approximate: log Z, means and variances are the integrals", () => {
  const rows = [
    { name: "logistic", d: (z: Tensor) => bernoulli({ logits: z.mul(2).sub(1) }), y: 1, logF: (z: number) => -Math.log1p(Math.exp(1 - 2 * z)) },
    { name: "Poisson with a logarithmic link", d: (z: Tensor) => poisson(z.exp()), y: 4, logF: (z: number) => 4 * z - Math.exp(z) - Math.log(24) },
    { name: "Student t far from the prior", d: (z: Tensor) => studentT(3, z, 0.1), y: 6, logF: (z: number) => -2 * Math.log1p((100 * (6 - z) ** 2) / 3) + Math.log(20 / (Math.PI * Math.sqrt(3))) },
  ]; // biome-ignore format: a table
  for (const { name, d, y, logF } of rows) {
    test(name, async () => {
      const one = model(({ sample, observe }) => {
        const z = sample("z", normal(0.5, 2));
        observe("y", d(z), y);
      });
      const found = await ep(one, {});
      const exact = moments((z) => logNormal(z, 0.5, 2) + logF(z), -20, 20);
      expect(found.converged).toBe(true);
      expect(found.logZ).toBeCloseTo(exact.logMass, 9);
      expect(found.mean[0]).toBeCloseTo(exact.mean, 8);
      expect(found.covariance[0]).toBeCloseTo(exact.variance, 8);
    });
  }
  test("a kink of the density is found: the Laplace distribution's", async () => {
    const kink = model(({ sample, factor }) => {
      const z = sample("z", normal(0, 1));
      factor("kink", z.sub(0.3).abs().mul(-4));
    });
    const { logZ, mean } = await ep(kink, {});
    // The trapezoidal rule with a node at the kink.
    const exact = moments((z) => logNormal(z, 0, 1) - 4 * Math.abs(z - 0.3), -9.7, 10.3, 200_000);
    expect(logZ).toBeCloseTo(exact.logMass, 7);
    expect(mean[0]).toBeCloseTo(exact.mean, 7);
  });
  test("mean and log scale of one observation: a site of two projections, in the plane", async () => {
    const plane = model(({ sample, observe }) => {
      const z = sample("z", normal(0, 1));
      const u = sample("u", normal(0, 0.3));
      observe("y", normal(z, u.exp()), 1.5);
    });
    const found = await ep(plane, {});
    // Given u, z is Gaussian: the integral over u is left.
    const given = (u: number) => logNormal(1.5, 0, Math.sqrt(1 + Math.exp(2 * u)));
    const exact = moments((u) => logNormal(u, 0, 0.3) + given(u), -3, 3, 4000);
    const mean = moments((u) => logNormal(u, 0, 0.3) + given(u) + Math.log(1.5 / (1 + Math.exp(2 * u))), -3, 3, 4000);
    expect(found.logZ).toBeCloseTo(exact.logMass, 7);
    expect(found.mean[1]).toBeCloseTo(exact.mean, 6);
    expect(found.mean[0]).toBeCloseTo(Math.exp(mean.logMass - exact.logMass), 6);
    expect(found.covariance[3]).toBeCloseTo(exact.variance, 6);
  });
});

describe("in two dimensions, with more sites than directions", () => {
  const regression = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
    const a = sample("a", normal(0, 2));
    const b = sample("b", normal(0, 2));
    observe("y", bernoulli({ logits: x.mul(b).add(a) }), y);
    return { a, b };
  });
  const data = { x: [-2, -1, -0.5, 0.3, 1, 1.7, 2.2, 3], y: [0, 0, 1, 0, 1, 0, 1, 1] };
  const logJoint = (a: number, b: number): number =>
    data.x.reduce(
      (sum, x, i) => sum - Math.log1p(Math.exp((1 - 2 * data.y[i]!) * (a + b * x))),
      logNormal(a, 0, 2) + logNormal(b, 0, 2),
    );
  let exact = { mass: 0, a: 0, b: 0 };
  for (let a = -8; a <= 8; a += 0.04) {
    for (let b = -5; b <= 9; b += 0.04) {
      const w = 0.0016 * Math.exp(logJoint(a, b));
      exact = { mass: exact.mass + w, a: exact.a + w * a, b: exact.b + w * b };
    }
  }
  test("log Z and means come near the integrals over the plane, nearer than those of a small power", async () => {
    const [found, small] = [await ep(regression, data), await ep(regression, data, { alpha: 0.01, damping: 0.2 })];
    const [ours, theirs] = [found, small].map(({ logZ, mean }) => [
      Math.abs(logZ - Math.log(exact.mass)),
      Math.hypot(mean[0]! - exact.a / exact.mass, mean[1]! - exact.b / exact.mass),
    ]) as [number[], number[]];
    expect(ours[0]).toBeLessThan(0.03);
    expect(ours[1]).toBeLessThan(0.05);
    for (const i of [0, 1]) expect(ours[i]).toBeLessThan(0.75 * theirs[i]!);
  });
  test("both schedules, with damping and without, end in the same place", async () => {
    const first = await ep(regression, data, { tolerance: 1e-10 });
    for (const options of [
      { schedule: "parallel" },
      { damping: 0.5 },
      { schedule: "parallel", damping: 0.3 },
    ] as const) {
      const other = await ep(regression, data, { tolerance: 1e-10, ...options });
      expect(other.converged).toBe(true);
      for (const j of [0, 1]) expect(other.mean[j]).toBeCloseTo(first.mean[j]!, 8);
      expect(other.logZ).toBeCloseTo(first.logZ, 9);
    }
  });
  test("as a method of infer it reports the posterior of the sites", async () => {
    const gentle = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      const b = sample("b", normal(0, 1));
      observe("y", bernoulli({ logits: x.mul(b) }), y);
      return { b };
    });
    const posterior = await infer(gentle, data, { method: "ep", seed: 2 });
    const logF = (b: number) => data.x.reduce((t, x, i) => t - Math.log1p(Math.exp((1 - 2 * data.y[i]!) * b * x)), 0);
    const right = moments((b) => logNormal(b, 0, 1) + logF(b), -10, 10);
    expect([posterior.method, posterior.approximation!.converged]).toEqual(["ep", true]);
    const row = posterior.table.find((r) => r.name === "b")!;
    expect(Math.abs(row.mean - right.mean)).toBeLessThan(0.03);
    expect(Math.abs(row.sd / Math.sqrt(right.variance) - 1)).toBeLessThan(0.05);
  });
});

describe("power EP", () => {
  const one = model(({ sample, observe }, { y }: { y: Tensor }) => {
    const z = sample("z", normal(0, 2));
    observe("y", bernoulli({ logits: z.mul(3) }), y);
  });
  const y = [1, 1, 0, 1];
  // E under N(m, s²) of the log joint, plus the entropy, at its maximum: searched by halving steps.
  const elbo = (m: number, s: number): number => {
    let sum = 0;
    for (let i = -800; i <= 800; i++) {
      const e = i / 100;
      const z = m + s * e;
      const logJoint = y.reduce((t, v) => t - Math.log1p(Math.exp((1 - 2 * v) * 3 * z)), logNormal(z, 0, 2));
      sum += 0.01 * Math.exp(logNormal(e, 0, 1)) * logJoint;
    }
    return sum + Math.log(s) + 0.5 * (1 + LOG_2PI);
  };
  test("with a small power it is variational inference, and log Z its bound", async () => {
    let best = { m: 0, s: 1, value: elbo(0, 1) };
    for (let step = 0.5; step > 1e-5; step *= 0.5) {
      for (let moved = true; moved; ) {
        moved = false;
        for (const [dm, ds] of [[step, 0], [-step, 0], [0, step], [0, -step]] as const) {
          const value = elbo(best.m + dm, best.s + ds);
          if (value > best.value) {
            best = { m: best.m + dm, s: best.s + ds, value };
            moved = true;
          }
        }
      }
    } // biome-ignore format: short
    const found = await ep(one, { y }, { alpha: 1e-3, damping: 0.2 });
    expect(found.converged).toBe(true);
    expect(Math.abs(found.mean[0]! - best.m)).toBeLessThan(5e-4);
    expect(Math.abs(Math.sqrt(found.covariance[0]!) - best.s)).toBeLessThan(5e-4);
    expect(Math.abs(found.logZ - best.value)).toBeLessThan(5e-4);
  });
  test("between, log Z rises with the power towards the evidence", async () => {
    const powers = [0.01, 0.3, 0.7, 1];
    const found = await Promise.all(powers.map((alpha) => ep(one, { y }, { alpha, damping: 0.2 })));
    for (let i = 1; i < found.length; i++) expect(found[i]!.logZ).toBeGreaterThan(found[i - 1]!.logZ);
    const exact = moments(
      (z) => y.reduce((t, v) => t - Math.log1p(Math.exp((1 - 2 * v) * 3 * z)), logNormal(z, 0, 2)),
      -20,
      20,
    );
    expect(Math.abs(found.at(-1)!.logZ - exact.logMass)).toBeLessThan(0.85 * Math.abs(found[0]!.logZ - exact.logMass));
  });
});
