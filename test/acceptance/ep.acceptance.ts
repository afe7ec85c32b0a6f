import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { normal } from "../../src/distributions/normal.ts";
import { logNormalCdf } from "../../src/distributions/normal-cdf.ts";
import { compileLogDensity } from "../../src/inference/compile.ts";
import { ep } from "../../src/inference/ep/ep.ts";
import { sampleChains } from "../../src/inference/mcmc/chains.ts";
import { type Problem, problemOf } from "../../src/inference/problem.ts";
import type { Context } from "../../src/model/context.ts";
import { model } from "../../src/model/model.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const folder = join(process.env["ANSATZ_DATA"] ?? join(import.meta.dirname, "../../../shared/data"), "tabular");
const hasTables = existsSync(join(folder, "pima_uci.csv.gz"));

/** Columns in units of their sd around their mean, with a column of ones; those that never change are left out. */
function tableOf(file: string, positive: string): { x: number[][]; y: number[] } {
  const lines = gunzipSync(readFileSync(join(folder, file))).toString().trim().split("\n").slice(1); // biome-ignore format: short
  const rows = lines.map((line) => line.split(","));
  const columns = rows[0]!.slice(0, -1).map((_, j) => rows.map((row) => Number(row[j])));
  const scaled = columns.flatMap((column) => {
    const mean = column.reduce((a, b) => a + b, 0) / column.length;
    const sd = Math.sqrt(column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / column.length);
    return sd > 0 ? [column.map((v) => (v - mean) / sd)] : [];
  });
  return { x: rows.map((_, i) => [1, ...scaled.map((c) => c[i]!)]), y: rows.map((r) => Number(r.at(-1) === positive)) };
}

type Data = { readonly x: Tensor; readonly y: Tensor };
const score = (sample: Context["sample"], x: Tensor): Tensor =>
  x.mul(sample("w", normal(0, 1), [x.shape[1]!])).sum(1); // biome-ignore format: short
const models = {
  // log Φ itself, which NUTS can start on anywhere.
  probit: model(({ sample, factor }, { x, y }: Data) => {
    factor("y", logNormalCdf(score(sample, x).mul(y.mul(2).sub(1))));
  }),
  logistic: model(({ sample, observe }, { x, y }: Data) => {
    observe("y", bernoulli({ logits: score(sample, x) }), y);
  }),
};

describe.runIf(hasTables)("expectation propagation on Pima and ionosphere", () => {
  for (const [file, positive] of [
    ["pima_uci.csv.gz", "1"],
    ["ionosphere.csv.gz", "g"],
  ] as const) {
    for (const [name, text] of Object.entries(models)) {
      test(`${name} regression on ${file}: means and sds are those of long chains`, async () => {
        const data = tableOf(file, positive);
        const started = performance.now();
        const found = await ep(text, data);
        const seconds = (performance.now() - started) / 1000;
        const again = await ep(text, data, { schedule: "parallel" });
        expect(found.converged && again.converged).toBe(true);
        expect(again.logZ).toBeCloseTo(found.logZ, 7);
        const problem = (await problemOf(text, data as never)) as unknown as Problem;
        const density = await compileLogDensity(problem);
        const { chains, count } = await sampleChains(density, { seed: 1, chains: 4, draws: 1000, names: problem.names, algorithm: { name: "nuts" } }); // biome-ignore format: one line
        const { dim } = problem;
        let [worstMean, worstSd] = [0, 0];
        for (let j = 0; j < dim; j++) {
          const values = chains.flatMap(({ draws }) => Array.from({ length: count }, (_, i) => draws[i * dim + j]!));
          const mean = values.reduce((a, b) => a + b, 0) / values.length;
          const sd = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
          worstMean = Math.max(worstMean, Math.abs(found.mean[j]! - mean) / sd);
          worstSd = Math.max(worstSd, Math.abs(Math.sqrt(found.covariance[j * (dim + 1)]!) / sd - 1));
        }
        console.log(
          `${name} on ${file}: log Z ${found.logZ.toFixed(6)}, ${found.sweeps} sweeps, ${seconds.toFixed(2)} s with compilation; ` +
            `against NUTS means within ${worstMean.toFixed(3)} sd, sds within ${(100 * worstSd).toFixed(1)} %`,
        );
        // Monte Carlo errors of 4000 draws are about 0.03 of an sd; the rest is EP's own.
        expect(worstMean).toBeLessThan(0.12);
        expect(worstSd).toBeLessThan(0.1);
      });
    }
  }
});
