import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { autoregressiveFlow } from "../../src/families/autoregressive-flow.ts";
import { blockGaussian } from "../../src/families/block-gaussian.ts";
import { couplingFlow } from "../../src/families/coupling-flow.ts";
import { fullRank } from "../../src/families/full-rank.ts";
import { gaussianMixture } from "../../src/families/gaussian-mixture.ts";
import { lowRank } from "../../src/families/low-rank.ts";
import { meanField } from "../../src/families/mean-field.ts";
import { drawWithLogProb, sample, type VariationalFamily } from "../../src/families/variational-family.ts";
import { f64, gradient, program } from "../../src/program/program.ts";
import { integrate } from "../quadrature.ts";

/** Every family, small; `plane` is the same in two dimensions, where densities can be integrated. */
const families: readonly { readonly name: string; readonly of: (dim: number) => VariationalFamily }[] = [
  { name: "mean-field", of: meanField },
  { name: "full-rank", of: fullRank },
  { name: "low-rank", of: (dim) => lowRank(dim, { rank: 1 }) },
  { name: "block", of: (dim) => blockGaussian(dim, { blocks: [[0, 2]] }) },
  { name: "coupling flow", of: (dim) => couplingFlow(dim, { layers: 3, hidden: [5] }) },
  { name: "inverse autoregressive flow", of: (dim) => autoregressiveFlow(dim, { hidden: 5 }) },
  { name: "masked autoregressive flow", of: (dim) => autoregressiveFlow(dim, { direction: "masked", hidden: 5 }) },
  { name: "mixture", of: (dim) => gaussianMixture(dim, { components: 3 }) },
];

/** Parameters away from where they begin, so that nothing is 0 or the identity. */
function someParams(family: VariationalFamily, size = 0.3): Float64Array {
  const generator = new Generator(5, "parameters");
  const start = family.initial(new Float64Array(family.dim).fill(0.3), new Float64Array(family.dim).fill(0.8), 2);
  return start.map((p) => p + size * generator.normal());
}

async function evaluator(family: VariationalFamily, rows: number) {
  const run = await program({
    runtime: new Runtime({ blas: null }),
    deterministic: true,
    inputs: { params: f64([family.size]), x: f64([rows, family.dim]) },
    body: ({ inputs: { params, x } }) => ({ outputs: { logProb: family.logProb(params, x) } }),
  });
  return (params: Float64Array, x: Float64Array): Float64Array => {
    run.call({ params, x });
    return run.outputs.logProb.read() as Float64Array;
  };
}

describe.each(families)("$name", ({ of }) => {
  test("has a density that integrates to 1", async () => {
    const family = of(2);
    const params = someParams(family, 0.15);
    const [reach, n] = [12, 361];
    const logProb = await evaluator(family, n);
    // The trapezoidal rule on the plane, which for smooth functions that vanish at the ends is as good as any.
    const step = (2 * reach) / (n - 1);
    let total = 0;
    for (let i = 0; i < n; i++) {
      const x = Float64Array.from({ length: 2 * n }, (_, at) =>
        at % 2 ? -reach + ((at - 1) / 2) * step : -reach + i * step,
      );
      for (const l of logProb(params, x)) total += Math.exp(l) * step * step;
    }
    expect(total).toBeCloseTo(1, 4);
  });

  test("says of its draws the density that they have", async () => {
    const family = of(3);
    const run = await program({
      runtime: new Runtime({ blas: null }),
      inputs: { params: f64([family.size]), noise: f64([4 * family.strata, family.noiseSize]) },
      body: ({ inputs: { params, noise } }) => {
        const { x, logProb } = drawWithLogProb(family, params, noise);
        return { outputs: { x, drawn: family.draw(params, noise), logProb, again: family.logProb(params, x) } };
      },
    });
    const noise = new Generator(1, "noise").normals(new Float64Array(4 * family.strata * family.noiseSize));
    run.call({ params: someParams(family), noise });
    const { x, drawn, logProb, again } = run.outputs;
    expect(Array.from(drawn.read())).toEqual(Array.from(x.read()));
    for (const [i, l] of again.read().entries()) expect(logProb.read()[i]).toBeCloseTo(l, 9);
  });

  test("begins near the given mean and standard deviations", async () => {
    const family = of(3);
    if (family.strata > 1) return;
    const [mean, scale] = [Float64Array.of(4, -2, 100), Float64Array.of(0.5, 3, 20)];
    const params = family.initial(mean, scale, 0);
    expect(params.length).toBe(family.size);
    const logProb = await evaluator(family, 2);
    const at = logProb(params, Float64Array.from([...mean, ...mean.map((m, j) => m + scale[j]!)]));
    expect(at[0]! - at[1]!).toBeCloseTo(1.5, 1);
  });

  test("has the gradient in its parameters that finite differences have, through a draw", async () => {
    const family = of(3);
    const rows = 2 * family.strata;
    const run = await program({
      runtime: new Runtime({ blas: null }),
      inputs: { params: f64([family.size]), noise: f64([rows, family.noiseSize]) },
      body: ({ inputs: { params, noise } }) => {
        const { x, logProb } = drawWithLogProb(family, params, noise);
        const value = x
          .sin()
          .sum()
          .add(logProb.sum())
          .add(family.entropy?.(params) ?? 0);
        return { outputs: { value, gradient: gradient(value, [params])[0]! } };
      },
    });
    const noise = new Generator(1, "noise").normals(new Float64Array(rows * family.noiseSize));
    const params = someParams(family);
    const valueAt = (p: Float64Array) => {
      run.call({ params: p, noise });
      return run.outputs.value.read()[0]!;
    };
    valueAt(params);
    const slope = run.outputs.gradient.read();
    for (let i = 0; i < family.size; i += Math.ceil(family.size / 12)) {
      const h = 1e-5;
      const [up, down] = [params.slice(), params.slice()];
      up[i]! += h;
      down[i]! -= h;
      expect(slope[i]).toBeCloseTo((valueAt(up) - valueAt(down)) / (2 * h), 6);
    }
  });

  test("draws with the moments that it states, and with entropy −E log q", async () => {
    const family = of(2);
    const params = someParams(family);
    const n = 4000;
    const run = await program({
      runtime: new Runtime({ blas: null }),
      inputs: { params: f64([family.size]) },
      body: ({ inputs: { params }, rng }) => {
        const x = sample(family, params, rng, n);
        return {
          outputs: { x, logProb: family.logProb(params, x), entropy: family.entropy?.(params) ?? params.sum() },
        };
      },
    });
    run.call({ params }, 3);
    const [x, logProb] = [run.outputs.x.read(), Float64Array.from(run.outputs.logProb.read())];
    const stated = family.moments?.(params);
    for (let i = 0; stated && i < 2; i++) {
      const sd = Math.sqrt(stated.covariance[i * 3]!);
      let [mean, cross] = [0, 0];
      for (let s = 0; s < n; s++) mean += x[2 * s + i]! / n;
      for (let s = 0; s < n; s++) cross += ((x[2 * s]! - stated.mean[0]!) * (x[2 * s + i]! - stated.mean[i]!)) / n;
      // Standard errors: sd / √n, and at most √2 times the variances' geometric mean for a covariance; 5 of them.
      expect(Math.abs(mean - stated.mean[i]!)).toBeLessThan((5 * sd) / Math.sqrt(n));
      const size = Math.sqrt(stated.covariance[0]! * stated.covariance[i * 3]!);
      expect(Math.abs(cross - stated.covariance[i]!)).toBeLessThan((10 * size) / Math.sqrt(n));
    }
    if (family.entropy) {
      const mean = logProb.reduce((a, b) => a + b, 0) / n;
      // The variance of log q under a Gaussian is dim / 2 = 1.
      expect(Math.abs(run.outputs.entropy.read()[0]! + mean)).toBeLessThan(5 / Math.sqrt(n));
    } else {
      // E_q[1 / q] over a box of area 4 is 4 times the probability's share: a check of density and sampler together.
      const inside = Array.from(logProb, (l, s) =>
        Math.abs(x[2 * s]!) < 1 && Math.abs(x[2 * s + 1]!) < 1 ? Math.exp(-l) : 0,
      );
      const mean = inside.reduce((a, b) => a + b, 0) / n;
      const sd = Math.sqrt(inside.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
      expect(Math.abs(mean - 4)).toBeLessThan((5 * sd) / Math.sqrt(n));
    }
  });
});

describe("parameters under a map x = location + factor · y", () => {
  const location = Float64Array.of(3, -1);
  const maps = [
    { location, factor: Float64Array.of(2, 0.3), diagonal: true },
    { location, factor: Float64Array.of(2, 0, -0.7, 0.3), diagonal: false },
  ];
  test.each(families)("are those of x: $name", async ({ of }) => {
    const family = of(2);
    const params = someParams(family);
    const logProb = await evaluator(family, 1);
    let found = 0;
    for (const map of maps) {
      const mapped = family.mapped(params, map);
      if (!mapped) continue;
      found++;
      const [a, b] = [0.4, -1.1];
      const { factor: f } = map;
      const x = map.diagonal ? [3 + f[0]! * a, -1 + f[1]! * b] : [3 + f[0]! * a, -1 + f[2]! * a + f[3]! * b];
      const atX = logProb(mapped, Float64Array.from(x))[0]!;
      // log q(x) = log q(y) − log det, which is log 0.6 for both.
      expect(atX).toBeCloseTo(logProb(params, Float64Array.of(a, b))[0]! - Math.log(0.6), 10);
    }
    expect(found).toBe(family.name === "full-rank" ? 2 : 1);
  });
});

test("the full-rank density is that of N(mean, L Lᵀ)", async () => {
  // L = [[2, 0], [0.5, 1]]: Σ = [[4, 1], [1, 1.25]], det 4, Σ⁻¹ = [[1.25, −1], [−1, 4]] / 4.
  const family = fullRank(2);
  const params = Float64Array.of(1, -1, Math.log(2), 0, 0.5);
  const logProb = (await evaluator(family, 1))(params, Float64Array.of(2, 1));
  const [a, b] = [1, 2];
  const square = (1.25 * a * a - 2 * a * b + 4 * b * b) / 4;
  expect(logProb[0]).toBeCloseTo(-0.5 * square - 0.5 * Math.log(4) - Math.log(2 * Math.PI), 12);
  expect(Array.from(family.moments!(params).covariance)).toEqual([4, 1, 1, 1.25]);
});

test("a mixture's density is the weighted sum of its components'", async () => {
  const family = gaussianMixture(1, { components: 2 });
  const params = Float64Array.of(0, Math.log(3), -1, 2, Math.log(0.5), Math.log(1.5));
  const normal = (x: number, m: number, s: number) => Math.exp(-0.5 * ((x - m) / s) ** 2) / s / Math.sqrt(2 * Math.PI);
  const density = (x: number) => 0.25 * normal(x, -1, 0.5) + 0.75 * normal(x, 2, 1.5);
  const logProb = (await evaluator(family, 2))(params, Float64Array.of(-0.7, 3));
  expect(logProb[0]).toBeCloseTo(Math.log(density(-0.7)), 12);
  expect(logProb[1]).toBeCloseTo(Math.log(density(3)), 12);
  const { mean, covariance } = family.moments!(params);
  expect(mean[0]).toBeCloseTo(
    integrate((x) => x * density(x), -12, 16),
    8,
  );
  expect(covariance[0]).toBeCloseTo(
    integrate((x) => (x - mean[0]!) ** 2 * density(x), -12, 16),
    8,
  );
});

test.each([
  [() => blockGaussian(4, { blocks: [[0, 2], [1, 3]] }), /block \[1, 3\) does not fit: .* of the 4 coordinates/],
  [() => lowRank(3, { rank: 0 }), /rank that is an integer from 1 on, not 0/],
  [() => gaussianMixture(3, { components: 1 }), /two components or more, not 1/],
  [() => couplingFlow(1), /needs two coordinates or more/],
  [() => autoregressiveFlow(1), /needs two coordinates or more/],
] as const)("a family that cannot be is refused (%#)", (make, message) => {
  expect(make).toThrow(message);
}); // biome-ignore format: rows
