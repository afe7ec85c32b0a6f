import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { categorical, dirichlet, model, multivariateNormal, type Tensor, wishart } from "../../src/index.ts";
import { cavi } from "../../src/inference/cavi/cavi.ts";

const path = join(process.env.ANSATZ_DATA ?? "../shared/data", "tabular/old_faithful.csv.gz");

// scikit-learn's BayesianGaussianMixture with six components under a Dirichlet(1e-3) prior, the best of ten starts.
describe.runIf(existsSync(path))("Old Faithful, a mixture whose components die out", () => {
  const rows = (offset: number) =>
    gunzipSync(readFileSync(path)).toString().trim().split("\n").slice(1).map((l) => l.split(",").slice(-2).map((v) => Number(v) + offset)); // biome-ignore format: one line

  const mixture = model(
    (
      { sample, observe, plate },
      { x, centre, inverse, components }: { x: Tensor; centre: Tensor; inverse: Tensor; components: number },
    ) => {
      const weights = sample("weights", dirichlet(Array(components).fill(1e-3)));
      const { mu, lambda } = plate("component", components, () => {
        const lambda = sample("lambda", wishart(2, inverse));
        return { lambda, mu: sample("mu", multivariateNormal({ mean: centre, precision: lambda })) };
      });
      plate("eruption", x.shape[0]!, (i) => {
        const z = sample("z", categorical(weights));
        observe("x", multivariateNormal({ mean: mu.at(z), precision: lambda.at(z) }), x.at(i));
      });
    },
  );

  for (const offset of [0, 1e4]) {
    test(`two of six are left, with the published weights and means, at ${offset}`, async () => {
      const x = rows(offset);
      const n = x.length;
      const centre = [0, 1].map((d) => x.reduce((s, r) => s + r[d]!, 0) / n);
      const spread = (i: number, j: number) => x.reduce((s, r) => s + (r[i]! - centre[i]!) * (r[j]! - centre[j]!), 0) / (n - 1); // biome-ignore format: one line
      const [a, b, c] = [spread(0, 0), spread(0, 1), spread(1, 1)];
      const inverse = [[c, -b], [-b, a]].map((r) => r.map((v) => v / (a * c - b * b))); // biome-ignore format: short
      const fit = await cavi(
        mixture,
        { x, centre, inverse, components: 6 },
        { restarts: 10, tolerance: 1e-12, maxSweeps: 5000 },
      );
      const concentration = [...fit.factors.weights!.parameters.concentration!.values];
      const total = concentration.reduce((s, v) => s + v, 0);
      const means = fit.factors.mu!.parameters.mean!.values;
      const alive = concentration
        .map((v, k) => ({ weight: v / total, mean: [means[2 * k]! - offset, means[2 * k + 1]! - offset] }))
        .filter(({ weight }) => weight > 1e-3)
        .sort((p, q) => q.weight - p.weight);
      expect(alive).toHaveLength(2);
      for (const [k, [weight, first, second]] of [
        [0.64274, 4.2878, 79.9459],
        [0.35725, 2.0549, 54.6904],
      ].entries()) {
        // biome-ignore format: short
        expect(Math.abs(alive[k]!.weight - weight!)).toBeLessThan(1e-4);
        expect(Math.abs(alive[k]!.mean[0]! - first!)).toBeLessThan(1e-4 * first!);
        expect(Math.abs(alive[k]!.mean[1]! - second!)).toBeLessThan(1e-4 * second!);
      }
    });
  }
});
