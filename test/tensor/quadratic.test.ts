import { expect, test } from "vitest";
import { f64, gradient, program } from "../../src/program/program.ts";
import { squaredDistances } from "../../src/tensor/quadratic.ts";
import { Random } from "../conformance/random.ts";

const [N, K, D] = [70, 3, 4];
const random = new Random(5);
const some = (n: number) => Float64Array.from({ length: n }, () => random.between(-1, 1));
const rows = some(N * D);
const centres = some(K * D);
const weights = some(N * K);
/** Symmetric, with a diagonal that dominates. */
const half = some(K * D * D);
const metric = half.map((_, i) => {
  const [k, p, q] = [Math.floor(i / (D * D)), Math.floor(i / D) % D, i % D];
  return p === q ? D + 1 : half[(k * D + p) * D + q]! + half[(k * D + q) * D + p]!;
});

for (const offset of [0, 1e4]) {
  test(`distances and their gradients are those of the formula, the data at ${offset}`, async () => {
    const made = await program({
      inputs: { x: f64([N, D]), m: f64([K, D]), lambda: f64([K, D, D]), g: f64([N, K]) },
      body: ({ inputs: { x, m, lambda, g } }) => {
        const out = squaredDistances(x!, m!, lambda!);
        const [byCentre, byMetric] = gradient(out.mul(g!).sum(), [m!, lambda!]);
        return { outputs: { out, byCentre: byCentre!, byMetric: byMetric! } };
      },
    });
    const [x, m] = [rows.map((v) => v + offset), centres.map((v) => v + offset)];
    await made.run({ x, m, lambda: metric, g: weights });
    const out = new Float64Array(N * K);
    const byCentre = new Float64Array(K * D);
    const byMetric = new Float64Array(K * D * D);
    for (let n = 0; n < N; n++) {
      for (let k = 0; k < K; k++) {
        const r = Array.from({ length: D }, (_, d) => x[n * D + d]! - m[k * D + d]!);
        for (let p = 0; p < D; p++) {
          for (let q = 0; q < D; q++) {
            const at = (k * D + p) * D + q;
            out[n * K + k]! += r[p]! * r[q]! * metric[at]!;
            byCentre[k * D + p]! -= 2 * weights[n * K + k]! * metric[at]! * r[q]!;
            byMetric[at]! += weights[n * K + k]! * r[p]! * r[q]!;
          }
        }
      }
    }
    for (const [name, wanted] of Object.entries({ out, byCentre, byMetric })) {
      const found = made.outputs[name as "out"].read();
      // x − m itself is known to 1e4 · 2⁻⁵³.
      for (const [i, w] of wanted.entries()) expect(Math.abs(found[i]! - w), `${name}[${i}]`).toBeLessThan(offset ? 1e-9 : 1e-12); // biome-ignore format: one line
    }
  });
}
