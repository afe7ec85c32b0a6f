import { describe, expect, test } from "vitest";
import { configure } from "../../src/vae/configuration.ts";
import { trainVae } from "../../src/vae/train.ts";
import { Vae, type VaePlace } from "../../src/vae/vae.ts";
import { onBackends } from "../on-backends.ts";

// With an affine decoder, one noise variance and a full-covariance posterior the model is probabilistic PCA (Tipping and Bishop
// 1999): x = W z + b + sd · noise, so log p(x) = log N(x; b, W Wᵀ + sd² I), and the posterior is N(M⁻¹ Wᵀ (x − b), sd² M⁻¹) with
// M = Wᵀ W + sd² I.
const W = [[1.2, -0.4], [0.3, 0.9], [-0.8, 0.5], [0.1, -1.1]]; // biome-ignore format: a matrix
const b = [0.5, -1, 0.25, 2];
const sd = 0.6;
const [D, d] = [4, 2];
const x = Array.from({ length: 7 }, (_, i) => b.map((m, j) => m + 1.7 * Math.sin(5 * i + 2.3 * j + 0.4)));

const options = {
  encoder: [], decoder: [], latent: d, posterior: "full", likelihood: "gaussian-shared", dtype: "f64",
} as const; // biome-ignore format: one line of options
const facts = { isImage: false, isBinary: false, greatest: 3 };

const M = [0, 1].map((i) => [0, 1].map((j) => W.reduce((s, w) => s + w[i]! * w[j]!, i === j ? sd ** 2 : 0)));
const detM = M[0]![0]! * M[1]![1]! - M[0]![1]! * M[1]![0]!;
const inverse = [[M[1]![1]! / detM, -M[0]![1]! / detM], [-M[1]![0]! / detM, M[0]![0]! / detM]]; // biome-ignore format: a matrix
/** M⁻¹ Wᵀ, [d, D]. */
const gain = inverse.map((r) => W.map((w) => r[0]! * w[0]! + r[1]! * w[1]!));
const posteriorCovariance = inverse.map((r) => r.map((v) => v * sd ** 2));

/** log N(x; b, W Wᵀ + sd² I) by Gaussian elimination of the D × D covariance. */
function exactLogProb(row: readonly number[]): number {
  const A = W.map((w, i) => W.map((v, j) => w[0]! * v[0]! + w[1]! * v[1]! + (i === j ? sd ** 2 : 0)));
  const rest = row.map((v, i) => v - b[i]!);
  let [logDet, form] = [0, 0];
  for (let k = 0; k < D; k++) {
    logDet += Math.log(A[k]![k]!);
    form += rest[k]! ** 2 / A[k]![k]!;
    for (let i = k + 1; i < D; i++) {
      const ratio = A[i]![k]! / A[k]![k]!;
      for (let j = k; j < D; j++) A[i]![j]! -= ratio * A[k]![j]!;
      rest[i]! -= ratio * rest[k]!;
    }
  }
  return -0.5 * (form + logDet + D * Math.log(2 * Math.PI));
}

/** A model with these weights and the exact posterior as its encoder. */
async function exactModel(estimator: "generic" | "analytic", { runtime, backend }: VaePlace): Promise<Vae> {
  const config = configure({ ...options, estimator }, facts);
  const vae = await Vae.create(config, { name: "ppca", eventShape: [D], scale: 1, count: x.length }, runtime!, backend);
  const [l00, l10] = [
    Math.sqrt(posteriorCovariance[0]![0]!),
    posteriorCovariance[1]![0]! / Math.sqrt(posteriorCovariance[0]![0]!),
  ];
  const l11 = Math.sqrt(posteriorCovariance[1]![1]! - l10 ** 2);
  const values: Record<string, number[]> = {
    "encoder.mean.weight": Array.from({ length: D * d }, (_, i) => gain[i % d]![Math.floor(i / d)]!),
    "encoder.mean.bias": gain.map((g) => -g.reduce((s, v, j) => s + v * b[j]!, 0)),
    "encoder.logDiagonal.bias": [Math.log(l00), Math.log(l11)],
    "encoder.lower.bias": [l10],
    "decoder.mean.weight": Array.from({ length: d * D }, (_, i) => W[i % D]![Math.floor(i / D)]!),
    "decoder.mean.bias": b,
    "likelihood.logSd": [Math.log(sd)],
  };
  const flat = vae.context.architecture.layout.places.flatMap(
    ({ name, size }) => values[name] ?? new Array(size).fill(0),
  );
  vae.parameters.write(flat);
  return vae;
}

describe("with the exact posterior of probabilistic PCA", () => {
  onBackends((place) => {
    test("every draw of the generic bound is log p(x)", async () => {
      const { negElbo } = await (await exactModel("generic", place())).score(x);
      for (const [i, row] of x.entries()) expect(negElbo[i]).toBeCloseTo(-exactLogProb(row), 10);
    });

    test("the bound with analytic KL is log p(x) on average over draws", async () => {
      const draws = 500;
      const { negElbo } = await (await exactModel("analytic", place())).score(x.slice(0, 2), { draws });
      // E log p(x given z) varies by draw: its sd is at most that of ½ ‖x − W z − b‖² / sd², about 3 nats here.
      for (const [i, row] of x.slice(0, 2).entries()) {
        expect(Math.abs(negElbo[i]! + exactLogProb(row))).toBeLessThan((4 * 3) / Math.sqrt(draws));
      }
    });

    test("importance sampling gives log p(x) with any number of samples, and no Monte Carlo error", async () => {
      for (const samples of [1, 7, 50]) {
        const vae = await exactModel("generic", place());
        const { logProb, nll, monteCarloError, standardError, effectiveSamples } = await vae.logLikelihood(x, {
          samples,
        });
        for (const n of effectiveSamples) expect(n / samples).toBeCloseTo(1, 12);
        const exact = x.map(exactLogProb);
        for (const [i, p] of exact.entries()) expect(logProb[i]).toBeCloseTo(p, 10);
        const mean = -exact.reduce((s, p) => s + p, 0) / x.length;
        expect(nll).toBeCloseTo(mean, 10);
        expect(monteCarloError).toBeLessThan(1e-7);
        const variance = exact.reduce((s, p) => s + (p + mean) ** 2, 0) / (x.length - 1);
        expect(standardError).toBeCloseTo(Math.sqrt(variance / x.length), 10);
      }
    });

    test("beside a posterior that the encoder misses one sample outweighs the others", async () => {
      const vae = await exactModel("generic", place());
      const values = vae.parameters.read() as Float64Array;
      let at = 0;
      for (const { name, size } of vae.context.architecture.layout.places) {
        if (name === "encoder.mean.bias") values[at] = values[at]! + 5;
        at += size;
      }
      vae.parameters.write(values);
      const { effectiveSamples } = await vae.logLikelihood(x, { samples: 100 });
      expect(effectiveSamples.slice().sort()[3]).toBeLessThan(2);
      expect(effectiveSamples.every((n) => n >= 1)).toBe(true);
    });

    test("encode returns it", async () => {
      const { mean, sd: sds, cholesky } = await (await exactModel("generic", place())).encode(x);
      for (const [i, row] of x.entries()) {
        for (let j = 0; j < d; j++) {
          expect(mean.values[i * d + j]).toBeCloseTo(gain[j]!.reduce((s, g, k) => s + g * (row[k]! - b[k]!), 0), 12); // biome-ignore format: short
          expect(sds.values[i * d + j]).toBeCloseTo(Math.sqrt(posteriorCovariance[j]![j]!), 12);
          for (let k = 0; k < d; k++) {
            const L = cholesky!.values.subarray(i * d * d, (i + 1) * d * d);
            expect(L[j * d]! * L[k * d]! + L[j * d + 1]! * L[k * d + 1]!).toBeCloseTo(posteriorCovariance[j]![k]!, 12);
          }
        }
      }
    });
  });
});

test("training reaches the maximum likelihood of probabilistic PCA", async () => {
  // All corners of a box with half axes a, turned: the sample covariance has exactly the eigenvalues a².
  const a = [2, 1.2, 0.5];
  const [c, s] = [0.8, 0.6];
  const rows = Array.from({ length: 8 }, (_, corner) => {
    const u = a.map((half, j) => ((corner >> j) & 1 ? half : -half));
    const v = [c * u[0]! - s * u[1]!, s * u[0]! + c * u[1]!, u[2]!];
    return [v[0]! + 1, c * v[1]! - s * v[2]! - 0.5, s * v[1]! + c * v[2]!];
  });
  // Tipping and Bishop 1999, eq. 7 and 8 at the optimum: two axes kept, the third is the noise.
  const logDet = 2 * a.reduce((sum, half) => sum + Math.log(half), 0);
  const best = 0.5 * (3 * Math.log(2 * Math.PI) + logDet + 3);
  const { vae } = await trainVae(rows, {
    ...options, epochs: 12_000, batch: 8, draws: 4, lr: 0.02, schedule: "cosine",
  }); // biome-ignore format: one line of options
  const { nll } = await vae.logLikelihood(rows, { samples: 1000 });
  expect(nll).toBeGreaterThan(best - 1e-4);
  expect(nll).toBeLessThan(best + 0.002);
});
