import { describe, expect, test } from "vitest";
import { bernoulli } from "../../../src/distributions/bernoulli.ts";
import { beta } from "../../../src/distributions/beta.ts";
import { halfCauchy } from "../../../src/distributions/half-cauchy.ts";
import { mixture } from "../../../src/distributions/mixture.ts";
import { multivariateNormal } from "../../../src/distributions/multivariate-normal.ts";
import { normal } from "../../../src/distributions/normal.ts";
import { poisson } from "../../../src/distributions/poisson.ts";
import { studentT } from "../../../src/distributions/student-t.ts";
import { compileLogDensity } from "../../../src/inference/compile.ts";
import { baseOf } from "../../../src/inference/ep/base.ts";
import { sitesOf } from "../../../src/inference/ep/sites.ts";
import { problemOf } from "../../../src/inference/problem.ts";
import { type Model, model, type Returned } from "../../../src/model/model.ts";
import { stack, where } from "../../../src/tensor/functions.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";

interface Case {
  readonly name: string;
  readonly model: Model<never, Returned>;
  readonly data: Readonly<Record<string, unknown>>;
  /** Projections of each block of sites, and how many sites it has. */
  readonly blocks: readonly (readonly [k: number, count: number])[];
}
const row = <D>(name: string, body: Parameters<typeof model<D>>[0], data: Readonly<Record<string, unknown>>, blocks: Case["blocks"]): Case => ({ name, model: model(body) as never, data, blocks }); // biome-ignore format: one line

const wave = (n: number, shift = 0): number[] => Array.from({ length: n }, (_, i) => Math.sin(3 * i + shift));
const table = (n: number, m: number): number[][] => Array.from({ length: n }, (_, i) => wave(m, i));
type T = Tensor;

const cases: Case[] = [
  row("elements of a matrix of observations", ({ sample, observe }, { y }: { y: T }) => {
    const a = sample("a", normal(0, 1), [4, 1]);
    const b = sample("b", normal(0, 1), [3]);
    observe("y", studentT(3, a.add(b), 1), y);
  }, { y: table(4, 3) }, [[1, 12]]),
  row("players by index in a plate", ({ sample, observe, plate }, { i, j }: { i: T; j: T }) => {
    const skill = sample("skill", normal(0, 2), [4]);
    plate("game", i.shape[0]!, (g) => observe("won", bernoulli({ logits: skill.at(i.at(g)).sub(skill.at(j.at(g))) }), 1));
  }, { i: [0, 1, 2, 3, 0], j: [1, 2, 3, 0, 2] }, [[1, 5]]),
  row("a matrix product, transposed", ({ sample, observe }, { x, y }: { x: T; y: T }) => {
    const w = sample("w", normal(0, 1), [3, 2]);
    observe("y", poisson(x.matmul(w).transpose().exp()), y);
  }, { x: table(5, 3), y: [[1, 0, 2, 3, 1], [0, 1, 1, 4, 2]] }, [[1, 10]]),
  row("a mixture whose components see one and the same direction", ({ sample, observe }, { y }: { y: T }) => {
    const m = sample("m", normal(0, 3));
    observe("y", mixture([0.3, 0.7], [normal(m, 1), normal(m.mul(-2), 2)]), y);
  }, { y: wave(6) }, [[1, 6]]),
  row("a hierarchy with a scale: two directions each, and one of the prior", ({ sample, observe, plate }, { y }: { y: T }) => {
    const mu = sample("mu", normal(0, 5));
    const tau = sample("tau", halfCauchy(2));
    plate("group", 3, (g) => {
      const theta = sample("theta", normal(mu, tau));
      observe("y", normal(theta, 1), y.at(g));
    });
  }, { y: [1, 2, 3] }, [[1, 1], [2, 3]]),
  row("nested plates and a step; an element whose data are 0 sees nothing", ({ sample, factor, plate }, { x }: { x: T }) => {
    plate("outer", 2, (o) => {
      const a = sample("a", normal(0, 1));
      plate("inner", 3, (i) => factor("f", where(a.mul(x.at(o).at(i)).gt(0.1), a.mul(0).add(0.4), -1.5)));
    });
  }, { x: table(2, 3) }, [[0, 1], [1, 5]]),
  row("a constrained site: prior and Jacobian", ({ sample, observe }, { y }: { y: T }) => {
    const p = sample("p", beta(2, 3));
    observe("y", bernoulli(p), y);
  }, { y: [1, 0, 1] }, [[1, 1], [1, 3], [1, 1]]),
  row("sums, slices and stacks written out", ({ sample, factor }) => {
    const z = sample("z", multivariateNormal({ mean: [0, 1, 2], covariance: [[2, 1, 0], [1, 2, 0], [0, 0, 1]] }));
    const pairs = stack([z.narrow(0, 0, 2), z.narrow(0, 1, 2)], 1);
    factor("f", pairs.sum(1).tanh().sum().mul(2));
  }, {}, [[1, 2]]),
]; // biome-ignore format: a table

describe("quadratic part and sites together are the log joint", () => {
  for (const c of cases) {
    test(c.name, async () => {
      const problem = (await problemOf(c.model, c.data as never)) as never as Parameters<typeof sitesOf>[0];
      const [base, blocks, density] = await Promise.all([
        baseOf(problem),
        sitesOf(problem),
        compileLogDensity(problem),
      ]);
      expect(blocks.map((b) => [b.k, b.count]).sort()).toEqual([...c.blocks].sort());
      const { dim } = problem;
      for (const shift of [0.1, 1.7, 4]) {
        const z = Float64Array.from(wave(dim, shift));
        let sum = base.constant;
        for (let i = 0; i < dim; i++) {
          const d = z[i]! - base.origin[i]!;
          sum += base.linear[i]! * d;
          for (let j = 0; j < dim; j++) sum -= 0.5 * d * base.precision[i * dim + j]! * (z[j]! - base.origin[j]!);
        }
        for (const { count, k, directions, logDensity } of blocks) {
          const t = Float64Array.from({ length: count * k }, (_, r) =>
            z.reduce((s, v, i) => s + v * directions[r * dim + i]!, 0),
          );
          const values = new Float64Array(count);
          logDensity(
            Int32Array.from({ length: count }, (_, i) => i),
            t,
            count,
            values,
          );
          for (const v of values) sum += v;
        }
        expect(sum).toBeCloseTo(density.evaluate(z, new Float64Array(dim)), 9);
      }
    });
  }
});
