import { expect, test } from "vitest";
import { digamma } from "../../../src/base/special.ts";
import { categorical, dirichlet, model, multivariateNormal, type Tensor, wishart } from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator } from "./monte-carlo-bound.ts";

// Enough rows that the distances of rows from components take their own pass.
const [N, D, K] = [900, 3, 3];
const g = generator("components");
const clusters = Array.from({ length: N }, (_, n) => Array.from({ length: D }, (_, d) => 7 * Number(n % K === d) + g.normal())); // biome-ignore format: one line

const mixture = (prior: number) =>
  model(({ sample, observe, plate }, { x }: { x: Tensor }) => {
    const weights = sample("weights", dirichlet([1, 1, 1]));
    const { mu, lambda } = plate("component", K, () => {
      const lambda = sample("lambda", wishart(4, [[0.25, 0, 0], [0, 0.25, 0], [0, 0, 0.25]])); // biome-ignore format: short
      return {
        lambda,
        mu: sample("mu", multivariateNormal({ mean: Array(D).fill(prior), precision: lambda.mul(0.1) })),
      };
    });
    plate("n", N, (i) => {
      const z = sample("z", categorical(weights));
      observe("x", multivariateNormal({ mean: mu.at(z), precision: lambda.at(z) }), x.at(i));
    });
  });

/** Inverse and determinant of a symmetric 3 × 3 matrix. */
function inverse3(a: readonly number[]): { inverse: number[]; det: number } {
  const [p, q, r, , s, t, , , u] = a as number[] as [number, number, number, number, number, number, number, number, number]; // biome-ignore format: one line
  const [A, B, C] = [s * u - t * t, -(q * u - t * r), q * t - s * r];
  const det = p * A + q * B + r * C;
  const [E, F, I] = [p * u - r * r, -(p * t - q * r), p * s - q * q];
  return { inverse: [A, B, C, B, E, F, C, F, I].map((v) => v / det), det };
}

for (const offset of [0, 1e4]) {
  test(`a mixture of many rows ends where Bishop's equations (10.46 to 10.63) hold, the data at ${offset}`, async () => {
    const x = clusters.map((row) => row.map((v) => v + offset));
    const fit = await cavi(mixture(offset), { x }, { tolerance: 1e-15, seed: 2 });
    const { mean, kappa, df, inverseScale } = fit.factors.mu!.parameters;
    const { concentration } = fit.factors.weights!.parameters;
    const { probs } = fit.factors.z!.parameters;
    const total = concentration!.values.reduce((a, b) => a + b, 0);
    // E log π_k, ½ E log |Λ_k| and W_k, from the factors.
    const components = Array.from({ length: K }, (_, k) => {
      const nu = df!.values[k]!;
      const { inverse, det } = inverse3([...inverseScale!.values.subarray(k * 9, k * 9 + 9)]);
      let logDet = D * Math.LN2 - Math.log(det);
      for (let d = 0; d < D; d++) logDet += digamma((nu - d) / 2);
      const constant = digamma(concentration!.values[k]!) - digamma(total) + logDet / 2 - D / (2 * kappa!.values[k]!);
      return { nu, inverse, constant, mean: mean!.values.subarray(k * D, k * D + D) };
    });
    const counts = [0, 0, 0];
    for (const [n, row] of x.entries()) {
      const logits = components.map(({ nu, inverse, constant, mean }) => {
        let square = 0;
        for (let p = 0; p < D; p++) for (let q = 0; q < D; q++) square += inverse[p * D + q]! * (row[p]! - mean[p]!) * (row[q]! - mean[q]!); // biome-ignore format: one line
        return constant - (nu * square) / 2;
      });
      const top = Math.max(...logits);
      const norm = logits.reduce((a, l) => a + Math.exp(l - top), 0);
      for (let k = 0; k < K; k++) {
        const r = probs!.values[n * K + k]!;
        counts[k]! += r;
        expect(Math.abs(r - Math.exp(logits[k]! - top) / norm)).toBeLessThan(1e-8);
      }
    }
    for (let k = 0; k < K; k++) {
      expect(concentration!.values[k]).toBeCloseTo(1 + counts[k]!, 4);
      expect(kappa!.values[k]).toBeCloseTo(0.1 + counts[k]!, 4);
      const centre = Array.from({ length: D }, (_, d) => x.reduce((s, row, n) => s + probs!.values[n * K + k]! * (row[d]! - offset), 0) / (0.1 + counts[k]!)); // biome-ignore format: one line
      for (let d = 0; d < D; d++) expect(Math.abs(components[k]!.mean[d]! - offset - centre[d]!)).toBeLessThan(1e-5);
      // W⁻¹ = W0⁻¹ + Σ r (x − m)(x − m)ᵀ + κ0 (m − m0)(m − m0)ᵀ
      for (let p = 0; p < D; p++) {
        for (let q = 0; q < D; q++) {
          const [mp, mq] = [components[k]!.mean[p]!, components[k]!.mean[q]!];
          let scatter = (p === q ? 4 : 0) + 0.1 * (mp - offset) * (mq - offset);
          for (const [n, row] of x.entries()) scatter += probs!.values[n * K + k]! * (row[p]! - mp) * (row[q]! - mq);
          expect(Math.abs(inverseScale!.values[k * 9 + p * D + q]! - scatter)).toBeLessThan(1e-3);
        }
      }
    }
  });
}
