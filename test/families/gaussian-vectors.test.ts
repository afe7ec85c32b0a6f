import { describe, expect, test } from "vitest";
import { choleskyGaussian } from "../../src/families/cholesky-gaussian.ts";
import { diagonalGaussian } from "../../src/families/diagonal-gaussian.ts";
import { evaluate, given } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";

const rows = 4;
const d = 3;
const numbers = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => Math.sin(3.7 * i + seed) * 1.3);
const [mean, logDiagonal, lower] = [numbers(rows * d, 1), numbers(rows * d, 2), numbers(rows * d, 3)];
const [noise, priorMean, priorLogSd] = [numbers(rows * d, 4), numbers(d, 5), numbers(d, 6)];
const row = (x: readonly number[], i: number, width = d) => x.slice(i * width, (i + 1) * width);

/** L of one row, dense. */
function factor(i: number): number[][] {
  const [l, below] = [row(logDiagonal, i), row(lower, i)];
  return [
    [Math.exp(l[0]!), 0, 0],
    [below[0]!, Math.exp(l[1]!), 0],
    [below[1]!, below[2]!, Math.exp(l[2]!)],
  ];
}

const covariance = (L: number[][]) => L.map((a) => L.map((b) => a.reduce((s, x, k) => s + x * b[k]!, 0)));

const determinant = ([a, b, c]: number[][]): number =>
  a![0]! * (b![1]! * c![2]! - b![2]! * c![1]!) -
  a![1]! * (b![0]! * c![2]! - b![2]! * c![0]!) +
  a![2]! * (b![0]! * c![1]! - b![1]! * c![0]!);

/** vᵀ A⁻¹ v by Cramer's rule. */
function quadraticForm(A: number[][], v: readonly number[]): number {
  const det = determinant(A);
  return v.reduce((s, x, j) => s + (x * determinant(A.map((r, i) => r.map((y, k) => (k === j ? v[i]! : y))))) / det, 0);
}

const logDensity = (z: readonly number[], m: readonly number[], A: number[][]): number => {
  const centred = z.map((x, j) => x - m[j]!);
  return -0.5 * (quadraticForm(A, centred) + Math.log(determinant(A)) + d * Math.log(2 * Math.PI));
};

/** KL between Gaussians, ½ (tr(B⁻¹ A) + (m − n)ᵀ B⁻¹ (m − n) − d + log det B − log det A), for a diagonal B. */
function kl(m: readonly number[], A: number[][], n: readonly number[], variances: readonly number[]): number {
  const terms = m.map((x, j) => (A[j]![j]! + (x - n[j]!) ** 2) / variances[j]! - 1 + Math.log(variances[j]!));
  return 0.5 * (terms.reduce((a, b) => a + b) - Math.log(determinant(A)));
}

const families = {
  diagonal: {
    family: diagonalGaussian(d),
    params: { mean, logSd: logDiagonal },
    covarianceOf: (i: number) => covariance(factor(i).map((r, j) => r.map((x, k) => (j === k ? x : 0)))),
  },
  "full covariance": {
    family: choleskyGaussian(d),
    params: { mean, logDiagonal, lower },
    covarianceOf: (i: number) => covariance(factor(i)),
  },
};

describe.each(Object.entries(families))("the Gaussian with %s", (_name, { family, params, covarianceOf }) => {
  onBackends((place) => {
    test("is N(mean, L Lᵀ): density at draws and elsewhere, KL, entropy, sds, and draws mean + L noise", async () => {
      const heads = Object.fromEntries(Object.entries(params).map(([name, x]) => [name, given([rows, d], x)]));
      const prior = { priorMean: given([d], priorMean), priorLogSd: given([d], priorLogSd) };
      const found = await evaluate(
        { ...heads, ...prior, noise: given([rows, d], noise) } as Record<string, ReturnType<typeof given>>,
        ({ noise, priorMean, priorLogSd, ...heads }) => {
          const z = family.draw(heads as never, noise!);
          return {
            z,
            ofDraw: family.logProbOfDraw(heads as never, noise!),
            atDraw: family.logProb(z, heads as never),
            elsewhere: family.logProb(noise!, heads as never),
            kl: family.kl(heads as never, null),
            klLearned: family.kl(heads as never, { mean: priorMean!, logSd: priorLogSd! }),
            entropy: family.entropy(heads as never),
            sd: family.sd(heads as never),
          };
        },
        place(),
      );
      for (let i = 0; i < rows; i++) {
        const A = covarianceOf(i);
        const [m, e, z] = [row(mean, i), row(noise, i), row(found.z!, i)];
        if ("lower" in params) {
          const drawn = factor(i).map((r, j) => m[j]! + r.reduce((s, x, k) => s + x * e[k]!, 0));
          for (const [j, x] of drawn.entries()) expect(z[j]).toBeCloseTo(x, 12);
        }
        expect(found.ofDraw![i]).toBeCloseTo(logDensity(z, m, A), 10);
        expect(found.atDraw![i]).toBeCloseTo(logDensity(z, m, A), 10);
        expect(found.elsewhere![i]).toBeCloseTo(logDensity(e, m, A), 9);
        expect(found.kl![i]).toBeCloseTo(kl(m, A, [0, 0, 0], [1, 1, 1]), 10);
        expect(found.klLearned![i]).toBeCloseTo(kl(m, A, priorMean, priorLogSd.map((s) => Math.exp(2 * s))), 10); // biome-ignore format: short
        expect(found.entropy![i]).toBeCloseTo(0.5 * Math.log((2 * Math.PI * Math.E) ** d * determinant(A)), 10);
        for (let j = 0; j < d; j++) expect(found.sd![i * d + j]).toBeCloseTo(Math.sqrt(A[j]![j]!), 12);
      }
    });
  });
});

test("the packed triangle's places are right up to 60 dimensions", async () => {
  const n = 60;
  const packed = (n * (n - 1)) / 2;
  const [low, e] = [numbers(packed, 7), numbers(n, 8)];
  const zeros = given([1, n], new Float64Array(n));
  const { z } = await evaluate(
    { mean: zeros, logDiagonal: zeros, lower: given([1, packed], low), noise: given([1, n], e) },
    ({ noise, ...p }) => ({ z: choleskyGaussian(n).draw(p, noise) }),
  );
  let t = 0;
  for (let i = 0; i < n; i++) {
    let sum = e[i]!;
    for (let j = 0; j < i; j++) sum += low[t++]! * e[j]!;
    expect(z![i]).toBeCloseTo(sum, 11);
  }
});
