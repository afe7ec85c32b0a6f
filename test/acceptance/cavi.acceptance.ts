import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { digamma } from "../../src/base/special.ts";
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
      // The mean over n of logsumexp_k(E log π_k + E log N(x_n | μ_k, Λ_k)), from the factors' parameters by hand.
      const [mu, lambda] = [fit.factors.mu!.parameters, fit.factors.lambda!.parameters];
      const perComponent = concentration.map((alpha, k) => {
        const [kappa, df] = [mu.kappa!.values[k]!, lambda.df!.values[k]!];
        const [p, q, , r] = [...lambda.inverseScale!.values.subarray(4 * k, 4 * k + 4)] as [number, number, number, number]; // biome-ignore format: one line
        const det = p * r - q * q;
        const logDet = digamma(df / 2) + digamma((df - 1) / 2) + 2 * Math.LN2 - Math.log(det);
        return (row: readonly number[]) => {
          const [u, v] = [row[0]! - means[2 * k]!, row[1]! - means[2 * k + 1]!];
          const square = (df * (r * u * u - 2 * q * u * v + p * v * v)) / det + 2 / kappa;
          return digamma(alpha) - digamma(total) + 0.5 * logDet - Math.log(2 * Math.PI) - 0.5 * square;
        };
      });
      const score = x.reduce((s, row) => {
        const logs = perComponent.map((f) => f(row));
        const most = Math.max(...logs);
        return s + most + Math.log(logs.reduce((t, l) => t + Math.exp(l - most), 0));
      }, 0);
      expect(Math.abs(score / n + 4.189941)).toBeLessThan(1e-4);
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
