import { describe, expect, test } from "vitest";
import { dirichlet } from "../../src/distributions/dirichlet.ts";
import { halfCauchy } from "../../src/distributions/half-cauchy.ts";
import { multinomial } from "../../src/distributions/multinomial.ts";
import { normal } from "../../src/distributions/normal.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { type Model, model } from "../../src/model/model.ts";
import { f64, program } from "../../src/program/program.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { halfCauchyLog, normalLog, poissonLog, sum } from "./formulas.ts";
import { expectGradient, logJoint } from "./log-joint.ts";

describe("a plate is a loop over its elements", () => {
  const schools = {
    y: [28, 8, -3, 7, -1, 1, 18, 12],
    sigma: [15, 10, 16, 11, 9, 11, 10, 18],
  };

  test("may observe one vector in each element, also where it is as long as the plate", async () => {
    const counts = model(({ sample, observe, plate }) => {
      plate("row", 3, () => {
        const p = sample("p", dirichlet([1, 2, 3]));
        observe("counts", multinomial(12, p), [3, 4, 5]);
      });
    });
    const density = await logJoint(counts, {});
    expect(density.names.length).toBe(6);
  });

  test("eight schools", async () => {
    const centred = model(({ sample, observe, plate }, { y, sigma }: { y: Tensor; sigma: Tensor }) => {
      const mu = sample("mu", normal(0, 5));
      const tau = sample("tau", halfCauchy(5));
      plate("school", 8, (i) => {
        const theta = sample("theta", normal(mu, tau));
        observe("y", normal(theta, sigma.at(i)), y.at(i));
      });
    });
    const density = await logJoint(centred, schools);
    expect(density.names).toEqual(["mu", "log tau", ...schools.y.map((_, i) => `theta[${i + 1}]`)]);
    const u = [1.5, 0.7, 3, -2, 0.5, 4, 1, 2, -1, 6];
    const [mu, tau, theta] = [u[0]!, Math.exp(u[1]!), u.slice(2)];
    const formula =
      normalLog(mu, 0, 5) +
      halfCauchyLog(tau, 5) +
      u[1]! +
      sum(theta.map((t, i) => normalLog(t, mu, tau) + normalLog(schools.y[i]!, t, schools.sigma[i]!)));
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("one in another", async () => {
    const y = [
      [1, 2, 3, 4],
      [0, 1, 0, 2],
      [5, 7, 4, 6],
    ];
    const counts = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const base = sample("base", normal(0, 1));
      plate("row", 3, (i) => {
        const row = sample("row effect", normal(base, 0.5));
        plate("column", 4, (j) => {
          const cell = sample("cell", normal(row, 0.3));
          observe("y", poisson({ logRate: cell.add(j.cast("f64").mul(0.1)) }), y.at(i).at(j));
        });
      });
    });
    const density = await logJoint(counts, { y });
    expect(density.names.slice(4, 7)).toEqual(["cell[1,1]", "cell[1,2]", "cell[1,3]"]);
    const u = Array.from({ length: 16 }, (_, i) => Math.sin(i + 1));
    let formula = normalLog(u[0]!, 0, 1);
    for (let i = 0; i < 3; i++) {
      formula += normalLog(u[1 + i]!, u[0]!, 0.5);
      for (let j = 0; j < 4; j++) {
        const cell = u[4 + 4 * i + j]!;
        formula += normalLog(cell, u[1 + i]!, 0.3) + poissonLog(y[i]![j]!, Math.exp(cell + 0.1 * j));
      }
    }
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("ragged groups by an index array", async () => {
    const group = [0, 0, 2, 1, 2, 2, 2];
    const y = [1, 1.5, -2, 0.3, -1, -2.5, -3];
    const grouped = model(({ sample, observe, plate }, data: { group: Tensor; y: Tensor }) => {
      const alpha = plate("group", 3, () => sample("alpha", normal(0, 2)));
      plate("row", 7, (i) => observe("y", normal(alpha.at(data.group.at(i)), 0.5), data.y.at(i)));
    });
    const density = await logJoint(grouped, { group, y });
    const u = [1.1, 0.2, -2.2];
    const formula = sum(u.map((a) => normalLog(a, 0, 2))) + sum(y.map((v, i) => normalLog(v, u[group[i]!]!, 0.5)));
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("what it returns is stacked, in the structure it was returned in", async () => {
    const differences = model(({ sample, observe, plate }) => {
      const { twice, pair } = plate("i", 3, (i) => {
        const z = sample("z", normal(i.cast("f64"), 1), [2]);
        return { twice: z.sum().mul(2), pair: [z] };
      });
      observe("sum", normal(twice.sum(), 1), 4);
      observe("last", normal(pair[0]!.at(2).at(1), 2), -1);
    });
    const density = await logJoint(differences, {});
    const u = [0.3, -0.2, 1.4, 0.9, 2.2, 1.7];
    const prior = sum(u.map((z, k) => normalLog(z, Math.floor(k / 2), 1)));
    expect(density.value(u)).toBeCloseTo(prior + normalLog(4, 2 * sum(u), 1) + normalLog(-1, u[5]!, 2), 10);
  });

  test("a term that does not depend on the index counts once for each element", async () => {
    const repeated = model(({ sample, observe, plate, factor }) => {
      const mu = sample("mu", normal(0, 1));
      plate("i", 5, () => {
        observe("y", normal(mu, 1), 2);
        factor("w", mu.mul(0.1));
      });
    });
    const density = await logJoint(repeated, {});
    expect(density.value([0.4])).toBeCloseTo(normalLog(0.4, 0, 1) + 5 * normalLog(2, 0.4, 1) + 5 * 0.04, 12);
  });
});

describe("a subsampled plate", () => {
  const n = 12;
  const y = Array.from({ length: n }, (_, i) => Math.cos(3 * i) + 0.1 * i);
  const subsampled = (batch: number): Model<{ y: Tensor }> =>
    model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const mu = sample("mu", normal(0, 1));
      plate("i", n, { batch }, (i) => {
        const z = sample("z", normal(mu, 0.7));
        observe("y", normal(z, 0.5), y.at(i));
      });
    });
  const u = [0.3, ...Array.from({ length: n }, (_, i) => 0.2 * Math.sin(i))];
  const prior = normalLog(u[0]!, 0, 1);
  const element = (i: number): number => normalLog(u[1 + i]!, u[0]!, 0.7) + normalLog(y[i]!, u[1 + i]!, 0.5);
  const elements = Array.from({ length: n }, (_, i) => element(i));

  /** Log densities with the elements that each seed draws. */
  async function drawn(batch: number, seeds: number): Promise<number[]> {
    const runtime = new Runtime({ blas: null });
    const problem = await problemOf(subsampled(batch), { y }, { runtime });
    const made = await program({
      runtime,
      inputs: { u: f64([n + 1]), "data.y": f64([n]) },
      body: ({ inputs, rng }) => ({ outputs: { value: problem.logDensity(inputs.u, { "data.y": inputs["data.y"] }, rng) } }), // biome-ignore format: one line
    });
    return Array.from({ length: seeds }, (_, seed) => {
      made.call({ u: Float64Array.from(u), "data.y": Float64Array.from(y) }, seed);
      return made.outputs.value.read()[0] as number;
    });
  }

  test("of one element stands for all of them: its terms count n times, others once", async () => {
    const possible = elements.map((e) => prior + n * e);
    for (const value of await drawn(1, 20)) {
      expect(Math.min(...possible.map((p) => Math.abs(p - value)))).toBeLessThan(1e-9);
    }
  });

  test("has the log density of the whole as its expectation", async () => {
    const values = await drawn(4, 3000);
    const mean = sum(values) / values.length;
    const sd = Math.sqrt(sum(values.map((v) => (v - mean) ** 2)) / (values.length - 1));
    expect(sd).toBeGreaterThan(0.1);
    expect(Math.abs(mean - prior - sum(elements))).toBeLessThan((4 * sd) / Math.sqrt(values.length));
  });

  test("is taken whole where nothing is drawn", async () => {
    const density = await logJoint(subsampled(4), { y });
    expect(density.value(u)).toBeCloseTo(prior + sum(elements), 10);
  });
});
