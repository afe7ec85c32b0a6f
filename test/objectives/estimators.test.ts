import { describe, expect, test } from "vitest";
import { couplingFlow } from "../../src/families/coupling-flow.ts";
import { fullRank } from "../../src/families/full-rank.ts";
import { gaussianMixture } from "../../src/families/gaussian-mixture.ts";
import { meanField } from "../../src/families/mean-field.ts";
import type { VariationalFamily } from "../../src/families/variational-family.ts";
import { type EstimatorVarianceRow, estimatorVariance } from "../../src/inference/estimator-variance.ts";
import { stochasticVi } from "../../src/inference/stochastic-vi.ts";
import { elbo } from "../../src/objectives/elbo.ts";
import { forwardKl } from "../../src/objectives/forward-kl.ts";
import { importanceWeighted, renyi } from "../../src/objectives/renyi.ts";
import { checkComposition, type VariationalObjective } from "../../src/objectives/variational-objective.ts";
import { correlated, gaussianTarget, targetOf } from "../inference/targets.ts";
import { integrate } from "../quadrature.ts";

/** log p(u) = −½ u² − e^{u/2}: smooth, skewed, and light in both tails. */
const logP = (u: number): number => -0.5 * u * u - Math.exp(0.5 * u);
const skewed = () => targetOf(1, (u) => u.square().mul(-0.5).sub(u.mul(0.5).exp()).sum());
const logNormal = (x: number, mean: number, logSd: number): number =>
  -0.5 * ((x - mean) * Math.exp(-logSd)) ** 2 - logSd - 0.5 * Math.log(2 * Math.PI);

/** Central differences of a function of q's parameters. */
const slopes = (f: (params: number[]) => number, params: number[], h = 1e-4): number[] =>
  params.map((_, i) => (f(params.with(i, params[i]! + h)) - f(params.with(i, params[i]! - h))) / (2 * h));

/** The mean gradient against the exact one, in standard errors of that mean. */
function expectMean(
  { mean, variance, estimator }: EstimatorVarianceRow,
  exact: readonly number[],
  repeats: number,
): void {
  for (const [i, m] of mean.entries()) {
    const error = Math.sqrt(variance[i]! / repeats) + 1e-6;
    expect(Math.abs(m - exact[i]!) / error, `${estimator}, entry ${i}: ${m} for ${exact[i]}`).toBeLessThan(5);
  }
}

const repeats = 4000;

describe("the mean gradient of every estimator", () => {
  test("of the ELBO is the closed form on a Gaussian: Λ (m − μ) and Λ_jj s_j² − 1", async () => {
    const params = Float64Array.of(0.5, -1.5, 30.5, -0.2, 0.1, 0.3);
    const rest = [-0.5, 0.5, 0.5];
    const exact = [
      ...correlated.precision.map((row) => row.reduce<number>((sum, l, j) => sum + l * rest[j]!, 0)),
      ...correlated.precision.map((row, j) => row[j]! * Math.exp(2 * params[3 + j]!) - 1),
    ];
    const target = gaussianTarget(correlated.mean, correlated.precision);
    const rows = await estimatorVariance(target, meanField(3), { params, objective: elbo(), draws: 4, repeats });
    expect(rows.map((row) => row.estimator)).toEqual(["reparameterised", "pathDerivative", "score"]);
    for (const row of rows) expectMean(row, exact, repeats);
  });

  test("of the ELBO of a mixture is that of quadrature, in the weights too", async () => {
    const family = gaussianMixture(1, { components: 2 });
    const params = [0.3, -0.4, -1.2, 0.7, -0.5, 0.1];
    const negElbo = (p: number[]) => {
      const total = Math.log(Math.exp(p[0]!) + Math.exp(p[1]!));
      const logQ = (x: number) =>
        Math.log(
          Math.exp(p[0]! - total + logNormal(x, p[2]!, p[4]!)) + Math.exp(p[1]! - total + logNormal(x, p[3]!, p[5]!)),
        );
      return integrate((x) => Math.exp(logQ(x)) * (logQ(x) - logP(x)), -9, 9);
    };
    const rows = await estimatorVariance(skewed(), family, {
      params: Float64Array.from(params),
      objective: elbo(),
      draws: 4,
      repeats,
    });
    expect(rows).toHaveLength(3);
    for (const row of rows) expectMean(row, slopes(negElbo, params), repeats);
  });

  const [m, s] = [0.4, 0.2];
  const nodes = Array.from({ length: 161 }, (_, i) => -8 + 0.1 * i);
  /** E over two standard normals, by the trapezoidal rule. */
  const overTwo = (f: (a: number, b: number) => number): number => {
    let sum = 0;
    for (const a of nodes)
      for (const b of nodes) sum += f(a, b) * Math.exp(logNormal(a, 0, 0) + logNormal(b, 0, 0)) * 0.01;
    return sum;
  };
  const logWeight = (z: number, [mean, logSd]: number[]) => {
    const x = mean! + Math.exp(logSd!) * z;
    return logP(x) - logNormal(x, mean!, logSd!);
  };

  test.each([
    ["importance-weighted", 0, importanceWeighted({ particles: 2 })],
    ["Rényi, α = ½", 0.5, renyi({ alpha: 0.5, particles: 2 })],
    ["Rényi, α = −1", -1, renyi({ alpha: -1, particles: 2 })],
  ] as const)("of two-draw bounds is that of quadrature: %s", async (_name, alpha, objective) => {
    const power = 1 - alpha;
    const negBound = (p: number[]) => {
      const logW = new Map(nodes.map((z) => [z, Math.exp(power * logWeight(z, p))]));
      return -overTwo((a, b) => Math.log((logW.get(a)! + logW.get(b)!) / 2) / power);
    };
    const rows = await estimatorVariance(skewed(), meanField(1), {
      params: Float64Array.of(m, s),
      objective,
      draws: 2,
      repeats,
    });
    expect(rows.map((row) => row.estimator)).toEqual(["doublyReparameterised", "reparameterised", "score"]);
    for (const row of rows) expectMean(row, slopes(negBound, [m, s]), repeats);
  });

  test("of the forward KL is −E Σ v_k ∇ log q(x_k), by quadrature, for both", async () => {
    const weights = new Map(nodes.map((z) => [z, Math.exp(logWeight(z, [m, s]))]));
    // ∇ log q at x = m + e^s z: z e^{−s} in the mean, z² − 1 in the log sd.
    const exact = [(z: number) => z * Math.exp(-s), (z: number) => z * z - 1].map(
      (score) =>
        -overTwo(
          (a, b) => (weights.get(a)! * score(a) + weights.get(b)! * score(b)) / (weights.get(a)! + weights.get(b)!),
        ),
    );
    const objective = forwardKl({ particles: 2 });
    const rows = await estimatorVariance(skewed(), meanField(1), {
      params: Float64Array.of(m, s),
      objective,
      draws: 2,
      repeats,
    });
    expect(rows.map((row) => row.estimator)).toEqual(["doublyReparameterised", "score"]);
    for (const row of rows) expectMean(row, exact, repeats);
  });
});

describe("the variance", () => {
  test("of the path derivative is 0 where q is the posterior, and that of the others is not", async () => {
    const target = gaussianTarget([1, -2], [[4, 0], [0, 0.25]]); // biome-ignore format: a matrix
    const params = Float64Array.of(1, -2, Math.log(0.5), Math.log(2));
    const rows = await estimatorVariance(target, meanField(2), { params, objective: elbo(), repeats: 100 });
    const total = Object.fromEntries(rows.map((row) => [row.estimator, row.totalVariance]));
    expect(total.pathDerivative).toBeLessThan(1e-25);
    expect(total.reparameterised).toBeGreaterThan(0.1);
    expect(rows.find((row) => row.estimator === "pathDerivative")!.squaredNorm).toBeLessThan(1e-25);
  });

  test("of the doubly reparameterised gradient is below that of the reparameterised at many particles", async () => {
    const params = Float64Array.of(0.4, 0.2);
    const objective = importanceWeighted({ particles: 50 });
    const rows = await estimatorVariance(skewed(), meanField(1), { params, objective, draws: 1, repeats: 500 });
    const total = Object.fromEntries(rows.map((row) => [row.estimator, row.totalVariance]));
    expect(total.doublyReparameterised! * 3).toBeLessThan(total.reparameterised!);
    for (const row of rows) expect(row.microseconds).toBeGreaterThan(0);
  });

  test("falls as one over the number of draws", async () => {
    const at = async (draws: number) => {
      const params = Float64Array.of(0.4, 0.2);
      const given = { params, objective: elbo(), estimators: ["score" as const], draws, repeats: 2000 };
      return (await estimatorVariance(skewed(), meanField(1), given))[0]!.totalVariance;
    };
    expect((await at(4)) / (await at(40))).toBeGreaterThan(7);
  });
});

test("the importance-weighted bound rises with the number of draws towards the log evidence", async () => {
  const evidence = Math.log(integrate((u) => Math.exp(logP(u)), -9, 9));
  const q = { mean: [1.5], scale: [1.2] };
  const seen: number[] = [];
  for (const particles of [1, 4, 32]) {
    let [sum, blocks] = [0, 0];
    // At a learning rate this small q stays where it is, and the trace is the bound there.
    await stochasticVi(skewed(), {
      objective: importanceWeighted({ particles }),
      start: q,
      learningRate: 1e-12,
      draws: 50,
      maxSteps: 500,
      onEvent: (event) => {
        if (event.kind !== "progress") return;
        sum -= event.minimised;
        blocks++;
      },
    });
    seen.push(sum / blocks);
  }
  expect(seen[0]!).toBeLessThan(seen[1]! - 0.05);
  expect(seen[1]!).toBeLessThan(seen[2]! - 0.01);
  expect(seen[2]!).toBeLessThan(evidence + 0.01);
  expect(evidence - seen[2]!).toBeLessThan(0.1);
});

describe("what does not go together", () => {
  const mixture = gaussianMixture(1, { components: 2 });
  test.each<[string, VariationalObjective, Parameters<typeof checkComposition>[1], VariationalFamily, number, RegExp]>([
    ["a path derivative of a weighted bound", importanceWeighted({ particles: 5 }), "pathDerivative", meanField(1), 1,
      /importance-weighted has no estimator "pathDerivative"; it has doublyReparameterised, reparameterised, score/],
    ["double reparameterisation of the ELBO", elbo(), "doublyReparameterised", meanField(1), 1, /elbo has no estimator/],
    ["a reparameterised forward KL", forwardKl(), "reparameterised", meanField(1), 1, /it has doublyReparameterised, score/],
    ["double reparameterisation of a mixture", forwardKl(), "doublyReparameterised", mixture, 1, /use reparameterised or score/],
    ["a baseline of no other draws", elbo(), "score", meanField(1), 1, /give it 2 draws or more/],
    ["half a draw", elbo(), "reparameterised", meanField(1), 0.5, /whole number of estimates/],
  ])("is refused: %s", (_what, objective, estimator, family, draws, message) => {
    expect(() => checkComposition(objective, estimator, family, draws)).toThrow(message);
  }); // biome-ignore format: rows

  test("is refused by the types where they can", async () => {
    // @ts-expect-error the ELBO has no doubly reparameterised gradient
    const fit = stochasticVi(skewed(), { objective: elbo(), estimator: "doublyReparameterised" });
    await expect(fit).rejects.toThrow(/no estimator/);
  });

  test.each([
    [() => renyi({ alpha: 1, particles: 3 }), /order 1 is the ELBO/],
    [() => importanceWeighted({ particles: 0 }), /at least 1, not 0/],
    [() => forwardKl({ particles: 1 }), /2 particles or more/],
  ] as const)("in an objective is refused (%#)", (make, message) => {
    expect(make).toThrow(message);
  });

  test("a family of another dimension", async () => {
    await expect(stochasticVi(skewed(), { family: fullRank(2) })).rejects.toThrow(
      /full-rank has 2 coordinates and the density 1/,
    );
    await expect(stochasticVi(skewed(), { family: couplingFlow })).rejects.toThrow(/two coordinates or more/);
  });
});
