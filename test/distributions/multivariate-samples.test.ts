import { describe, expect, test } from "vitest";
import { dirichlet } from "../../src/distributions/dirichlet.ts";
import { dirichletMultinomial } from "../../src/distributions/dirichlet-multinomial.ts";
import { type Distribution, type Params, paramsOf } from "../../src/distributions/distribution.ts";
import { inverseWishart } from "../../src/distributions/inverse-wishart.ts";
import { lkjCholesky } from "../../src/distributions/lkj-cholesky.ts";
import { multinomial } from "../../src/distributions/multinomial.ts";
import { multivariateNormal } from "../../src/distributions/multivariate-normal.ts";
import { multivariateStudentT } from "../../src/distributions/multivariate-student-t.ts";
import { wishart } from "../../src/distributions/wishart.ts";
import { gradient } from "../../src/program/program.ts";
import { stack } from "../../src/tensor/functions.ts";
import {
  cholesky,
  diagonal,
  identity,
  inverseFromCholesky,
  logDetCholesky,
  triangularSolveVector,
} from "../../src/tensor/linalg.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { evaluate, given } from "../evaluate.ts";

const DRAWS = 20_000;
const of = (d: unknown): Distribution => d as Distribution;

/** Statistics of draws: `statistics` gives [DRAWS, …] tensors. */
function statistics(d: Distribution, made: (x: Tensor, params: Params) => Record<string, Tensor>, seed = 5) {
  return evaluate(
    {},
    (_, key) => {
      const params = paramsOf(key.words[0].trace, d);
      return made(d.family.sample!(key, params, [DRAWS]), params);
    },
    {},
    seed,
  );
}

/** The columns of [DRAWS, width] numbers have these means, to 4.5 standard errors. */
function expectMeans(values: readonly number[], means: readonly number[], what: string): void {
  const width = means.length;
  for (const [j, expected] of means.entries()) {
    const column = values.filter((_, i) => i % width === j);
    const mean = column.reduce((a, b) => a + b, 0) / column.length;
    const sd = Math.sqrt(column.reduce((a, b) => a + (b - mean) ** 2, 0) / column.length);
    const error = sd / Math.sqrt(column.length);
    expect(Math.abs(mean - expected), `${what}[${j}]: ${mean} and ${expected}, se ${error}`).toBeLessThanOrEqual(4.5 * error + 1e-12); // biome-ignore format: one line
    expect(column).toHaveLength(DRAWS);
  }
}

const square = [[2, 0.6, -0.4], [0.6, 1, 0.2], [-0.4, 0.2, 0.5]]; // biome-ignore format: a matrix

describe("draws of the multivariate normal", () => {
  const lower = [[1.2, 0, 0], [-0.5, 0.7, 0], [0.3, 2, 0.4]]; // biome-ignore format: a matrix
  const mean = [1, -2, 0.5];
  const cases: readonly [string, Distribution, (p: Params) => Tensor][] = [
    ["by covariance", of(multivariateNormal(mean, square)), (p) => cholesky(p.covariance!)],
    ["by Cholesky factor", of(multivariateNormal({ mean, cholesky: lower })), (p) => p.cholesky!],
    ["by precision", of(multivariateNormal({ mean, precision: square })), (p) => cholesky(inverseFromCholesky(cholesky(p.precision!)))], // biome-ignore format: one line
  ];
  test.each(cases)("%s are standard normal once the factor is taken away", async (_, d, factor) => {
    const { z, products } = await statistics(d, (x, p) => {
      const z = triangularSolveVector(factor(p), x.sub(p.mean!));
      return {
        z,
        products: z
          .reshape([DRAWS, 3, 1])
          .mul(z.reshape([DRAWS, 1, 3]))
          .reshape([DRAWS, 9]),
      };
    });
    expectMeans(z!, [0, 0, 0], "mean");
    expectMeans(products!, [1, 0, 0, 0, 1, 0, 0, 0, 1], "covariance");
    expectMeans(z!.map((v) => v ** 4), [3, 3, 3], "fourth moment"); // biome-ignore format: short
  });
});

describe("draws of the multivariate Student t", () => {
  const [nu, location] = [9, [1, -2, 0.5]];
  const d = of(multivariateStudentT(nu, location, square));
  test("are uncorrelated once the factor is taken away, with fourth moments 3 ν² / ((ν − 2)(ν − 4))", async () => {
    const { z, products, fourth } = await statistics(d, (x, p) => {
      const z = triangularSolveVector(cholesky(p.scale!), x.sub(p.location!));
      const products = z.reshape([DRAWS, 3, 1]).mul(z.reshape([DRAWS, 1, 3])).reshape([DRAWS, 9]); // biome-ignore format: short
      return { z, products, fourth: z.square().mul(z.square()) };
    });
    const variance = nu / (nu - 2);
    expectMeans(z!, [0, 0, 0], "mean");
    expectMeans(products!, [1, 0, 0, 0, 1, 0, 0, 0, 1].map((v) => v * variance), "covariance"); // biome-ignore format: short
    const expected = (3 * nu ** 2) / ((nu - 2) * (nu - 4));
    expectMeans(fourth!, [expected, expected, expected], "fourth moment");
  });
  test("are stretched all at once: squares of two coordinates are correlated", async () => {
    const { both } = await statistics(d, (x, p) => {
      const z = triangularSolveVector(cholesky(p.scale!), x.sub(p.location!)).square();
      return { both: z.narrow(-1, 0, 1).mul(z.narrow(-1, 1, 1)) };
    });
    expectMeans(both!, [nu ** 2 / ((nu - 2) * (nu - 4))], "product of squares");
  });
});

describe("draws of the Dirichlet distribution", () => {
  const d = of(dirichlet([0.3, 1.5, 4]));
  test("lie on the simplex and have its means, squares and mean logarithms", async () => {
    const { x, sums, squares, logs } = await statistics(d, (x) => ({
      x,
      sums: x.sum(-1),
      squares: x.square(),
      logs: x.log(),
    }));
    expect(sums!.every((s) => Math.abs(s - 1) < 1e-14)).toBe(true);
    expectMeans(x!, [0.3, 1.5, 4].map((a) => a / 5.8), "mean"); // biome-ignore format: short
    expectMeans(squares!, [0.3, 1.5, 4].map((a) => (a * (a + 1)) / (5.8 * 6.8)), "square"); // biome-ignore format: short
    // ψ(a) − ψ(5.8) by scipy
    expectMeans(logs!, [-5.171705296262583, -1.632691100083873, -0.41306340563064925], "logarithm");
  });
  test("are finite where the concentrations are tiny", async () => {
    const { x } = await statistics(of(dirichlet([1e-3, 2e-3])), (x) => ({ x: x.narrow(-1, 0, 1) }));
    expectMeans(x!, [1 / 3], "mean");
  });
  test("carry the gradient of the mean, ∂(a_i / s)/∂a_j = (δ_ij s − a_i) / s²", async () => {
    const { slope } = await statistics(d, (x, { concentration }) => ({
      slope: gradient(x.narrow(-1, 1, 1).sum(), [concentration!])[0]!.mul(1 / DRAWS),
    }));
    for (const [j, expected] of [-1.5, 5.8 - 1.5, -1.5].entries()) {
      expect(slope![j]).toBeCloseTo(expected / 5.8 ** 2, 2);
    }
  });
});

describe("draws of the LKJ distribution", () => {
  const [n, eta] = [4, 1.5];
  const d = of(lkjCholesky(n, eta));
  test("are factors of correlation matrices whose every element is 2 Beta(a, a) − 1, a = η − 1 + n/2", async () => {
    const { r, ones, above } = await statistics(d, (l) => {
      const correlation = l.matmul(l.transpose([0, 2, 1]));
      return {
        r: correlation.reshape([DRAWS, 16]),
        ones: diagonal(correlation),
        above: l.reshape([DRAWS, 16]).narrow(-1, 1, 1),
      };
    });
    expect(ones!.every((x) => Math.abs(x - 1) < 1e-14)).toBe(true);
    expect(above!.every((x) => x === 0)).toBe(true);
    const a = eta - 1 + n / 2;
    const off = Array.from({ length: 16 }, (_, i) => Math.floor(i / 4) !== i % 4);
    const all = (inside: number) => off.map((o) => (o ? inside : 1));
    expectMeans(r!, all(0), "mean");
    expectMeans(r!.map((x) => x ** 2), all(1 / (2 * a + 1)), "square"); // biome-ignore format: short
    expectMeans(r!.map((x) => x ** 4), all(3 / ((2 * a + 1) * (2 * a + 3))), "fourth moment"); // biome-ignore format: short
  });
  test("carry the gradient of the variance 1 / (2a + 1) in the concentration, −2 / (2a + 1)²", async () => {
    const { slope } = await statistics(d, (l, { concentration }) => {
      const correlation = l.matmul(l.transpose([0, 2, 1])).reshape([DRAWS, 16]);
      const squares = correlation.square().sum().sub(n * DRAWS).mul(1 / (DRAWS * n * (n - 1))); // biome-ignore format: short
      return { slope: gradient(squares, [concentration!])[0]! };
    });
    expect(slope![0]).toBeCloseTo(-2 / 36, 2);
  });
});

describe("draws of the Wishart distributions", () => {
  const df = 6.5;
  const s = square;
  const products = (i: number, j: number) => s[i]![i]! * s[j]![j]!;
  const elements = (f: (i: number, j: number) => number) => [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => f(i, j)));
  test("have mean df · scale, variance df (v_ij² + v_ii v_jj), and the mean log determinant", async () => {
    const { x, logDet, scale } = await statistics(of(wishart(df, square)), (x, p) => ({
      x: x.reshape([DRAWS, 9]),
      logDet: logDetCholesky(cholesky(x)),
      scale: logDetCholesky(cholesky(p.scale!)),
    }));
    const mean = elements((i, j) => df * s[i]![j]!);
    expectMeans(x!, mean, "mean");
    expectMeans(x!.map((v, i) => (v - mean[i % 9]!) ** 2), elements((i, j) => df * (s[i]![j]! ** 2 + products(i, j))), "variance"); // biome-ignore format: short
    // Σ_i ψ((6.5 − i) / 2) + 3 log 2 by scipy
    expectMeans(logDet!, [4.487879944347181 + scale![0]!], "log determinant");
  });
  test("carry the gradient of the mean trace in df, tr(scale)", async () => {
    const { slope } = await statistics(of(wishart(df, square)), (x, p) => ({
      slope: gradient(diagonal(x).sum(), [p.df!])[0]!.mul(1 / DRAWS),
    }));
    expect(Math.abs(slope![0]! / 3.5 - 1)).toBeLessThan(0.02);
  });
  test("of the inverse have mean scale / (df − n − 1), and inverses with mean df · scale⁻¹", async () => {
    const { x, whitened } = await statistics(of(inverseWishart(10.5, square)), (x, p) => {
      const l = cholesky(p.scale!).reshape([1, 3, 3]);
      // Lᵀ X⁻¹ L is Wishart(df, I).
      const middle = l.transpose([0, 2, 1]).matmul(inverseFromCholesky(cholesky(x))).matmul(l); // biome-ignore format: short
      return { x: x.reshape([DRAWS, 9]), whitened: middle.reshape([DRAWS, 9]) };
    });
    expectMeans(
      x!,
      elements((i, j) => s[i]![j]! / 6.5),
      "mean",
    );
    expectMeans(whitened!, elements((i, j) => (i === j ? 10.5 : 0)), "mean of the inverse"); // biome-ignore format: short
  });
});

describe("draws of the Dirichlet-multinomial distribution", () => {
  test("are counts with the given total, their means and products", async () => {
    const a = [0.4, 2.5, 1.1];
    const [total, sum] = [23, 4];
    const { x, products, sums } = await statistics(of(dirichletMultinomial(total, a)), (x) => ({
      x,
      sums: x.sum(-1),
      products: x.reshape([DRAWS, 3, 1]).mul(x.reshape([DRAWS, 1, 3])).reshape([DRAWS, 9]), // biome-ignore format: short
    }));
    expect(sums!.every((n) => n === total)).toBe(true);
    expect(x!.every((k) => Number.isInteger(k) && k >= 0)).toBe(true);
    expectMeans(x!, a.map((v) => (total * v) / sum), "mean"); // biome-ignore format: short
    // E[x_i x_j] = total (total − 1) E[p_i p_j] + δ_ij total E[p_i]
    const share = (i: number, j: number) => (a[i]! * (a[j]! + (i === j ? 1 : 0))) / (sum * (sum + 1));
    const expected = a.flatMap((v, i) => a.map((_, j) => total * (total - 1) * share(i, j) + (i === j ? (total * v) / sum : 0))); // biome-ignore format: one line
    expectMeans(products!, expected, "products");
  });
});

describe("draws of the multinomial distribution", () => {
  test("are counts with the given total, their means and products", async () => {
    const p = [0.1, 0.45, 0, 0.3, 0.15];
    const total = 23;
    const { x, products, sums } = await statistics(of(multinomial(total, p)), (x) => ({
      x,
      sums: x.sum(-1),
      products: x.reshape([DRAWS, 5, 1]).mul(x.reshape([DRAWS, 1, 5])).reshape([DRAWS, 25]), // biome-ignore format: short
    }));
    expect(sums!.every((n) => n === total)).toBe(true);
    expect(x!.every((k) => Number.isInteger(k) && k >= 0)).toBe(true);
    expectMeans(x!, p.map((q) => total * q), "mean"); // biome-ignore format: short
    const expected = p.flatMap((a, i) => p.map((b, j) => total * (total - 1) * a * b + (i === j ? total * a : 0)));
    expectMeans(products!, expected, "products");
  });
});

// lgamma has values at negative arguments, so that the formula alone would give a density where there is no distribution.
test.each([
  ["wishart", wishart],
  ["inverseWishart", inverseWishart],
] as const)("a %s of three rows has no density at two degrees of freedom or fewer", async (_, family) => {
  const { densities } = await evaluate({ df: given([4], [0.7, 1.5, 2, 2.1]) }, ({ df }) => {
    const rows = Array.from({ length: 4 }, (_, i) => {
      const unit = identity(df, 3);
      return family.logProb(unit, { df: df.narrow(0, i, 1).reshape([]), scale: unit } as never);
    });
    return { densities: stack(rows, 0) };
  });
  expect(densities!.map(Number.isFinite)).toEqual([false, false, false, true]);
});
