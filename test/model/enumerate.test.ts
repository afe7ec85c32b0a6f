import { describe, expect, test } from "vitest";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { binomial } from "../../src/distributions/binomial.ts";
import { categorical } from "../../src/distributions/categorical.ts";
import { discreteUniform } from "../../src/distributions/discrete-uniform.ts";
import { normal } from "../../src/distributions/normal.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { model } from "../../src/model/model.ts";
import { full, softmax, stack, where } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { logSumExp, normalLog, poissonLog, sequences, sigmoid, sum } from "./formulas.ts";
import { expectGradient, logJoint } from "./log-joint.ts";

const softmaxOf = (u: readonly number[]): number[] => u.map((x) => Math.exp(x - logSumExp(u)));

describe("discrete sites are summed out exactly", () => {
  const y = [0.2, 3.1, -1, 2.7, 0.4];

  test("a mixture", async () => {
    const mixture = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const weights = softmax(sample("logits", normal(0, 1), [3]));
      const mean = sample("mean", normal(0, 3), [3]);
      plate("i", 5, (i) => {
        const z = sample("z", categorical(weights));
        observe("y", normal(mean.at(z), 0.7), y.at(i));
      });
    });
    const density = await logJoint(mixture, { y });
    const u = [0.1, -0.4, 0.6, -0.5, 0.9, 2.5];
    const [weights, mean] = [softmaxOf(u.slice(0, 3)), u.slice(3)];
    const formula =
      sum(u.slice(0, 3).map((x) => normalLog(x, 0, 1))) +
      sum(mean.map((x) => normalLog(x, 0, 3))) +
      sum(y.map((v) => logSumExp(mean.map((m, k) => Math.log(weights[k]!) + normalLog(v, m, 0.7)))));
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("of five hundred values: how many were asked, when so many of five surveys came back", async () => {
    const back = [16, 18, 22, 25, 27];
    const survey = model(({ sample, observe }, { back }: { back: Tensor }) => {
      const logit = sample("logit", normal(0, 1));
      const asked = sample("asked", discreteUniform(1, 500));
      observe("back", binomial(asked, logit.sigmoid()), back);
    });
    const density = await logJoint(survey, { back });
    const u = -1.2;
    const choose = (n: number, k: number) => sum(Array.from({ length: k }, (_, i) => Math.log((n - i) / (i + 1))));
    const each = (n: number) =>
      sum(
        back.map((k) =>
          k > n ? -Infinity : choose(n, k) + k * Math.log(sigmoid(u)) + (n - k) * Math.log(sigmoid(-u)),
        ),
      );
    const all = Array.from({ length: 500 }, (_, i) => each(i + 1) - Math.log(500));
    expect(density.value([u])).toBeCloseTo(normalLog(u, 0, 1) + logSumExp(all), 10);
    expectGradient(density, [u]);
  });

  test("two in one plate, the second depending on the first", async () => {
    const nested = model(({ sample, observe, plate }, { y }: { y: Tensor }) => {
      const a = sample("a", normal(0, 1));
      plate("i", 5, (i) => {
        const first = sample("first", bernoulli({ logits: a }));
        const second = sample("second", binomial(2, first.mul(0.5).add(0.3)));
        observe("y", normal(first.add(second).mul(a), 1), y.at(i));
      });
    });
    const density = await logJoint(nested, { y });
    const a = 0.7;
    const binomialLog = (k: number, p: number) => Math.log([1, 2, 1][k]! * p ** k * (1 - p) ** (2 - k));
    const each = (v: number) =>
      logSumExp(
        [0, 1].flatMap((f) =>
          [0, 1, 2].map(
            (s) =>
              Math.log(f ? sigmoid(a) : sigmoid(-a)) + binomialLog(s, f ? 0.8 : 0.3) + normalLog(v, (f + s) * a, 1),
          ),
        ),
      );
    expect(density.value([a])).toBeCloseTo(normalLog(a, 0, 1) + sum(y.map(each)), 10);
    expectGradient(density, [a]);
  });

  test("one outside of a plate: a change point", async () => {
    const counts = [4, 5, 3, 3, 6, 2, 4, 0, 1, 0, 1, 0];
    const change = model(({ sample, observe, plate }, { counts }: { counts: Tensor }) => {
      const before = sample("before", normal(0, 1));
      const after = sample("after", normal(0, 1));
      const at = sample("at", categorical(Array(12).fill(1 / 12)));
      plate("t", 12, (t) => {
        observe("count", poisson({ logRate: where(t.cast("f64").lt(at), before, after) }), counts.at(t));
      });
    });
    const density = await logJoint(change, { counts });
    const u = [1.2, -0.6];
    const given = (at: number) =>
      -Math.log(12) + sum(counts.map((c, t) => poissonLog(c, Math.exp(t < at ? u[0]! : u[1]!))));
    const formula = sum(u.map((x) => normalLog(x, 0, 1))) + logSumExp(counts.map((_, at) => given(at)));
    expect(density.value(u)).toBeCloseTo(formula, 10);
    expectGradient(density, u);
  });

  test("the rows of nested plates: each group is of one kind", async () => {
    const rows = [
      [0.1, 0.3, -0.2],
      [2.2, 1.7, 2.6],
    ];
    const kinds = model(({ sample, observe, plate }, { rows }: { rows: Tensor }) => {
      const shift = sample("shift", normal(0, 2));
      plate("group", 2, (i) => {
        const kind = sample("kind", bernoulli(0.3));
        plate("row", 3, (j) => observe("y", normal(kind.mul(shift), 0.5), rows.at(i).at(j)));
      });
    });
    const density = await logJoint(kinds, { rows });
    const shift = 1.8;
    const each = (row: number[]) =>
      logSumExp([0, 1].map((k) => Math.log(k ? 0.3 : 0.7) + sum(row.map((v) => normalLog(v, k * shift, 0.5)))));
    expect(density.value([shift])).toBeCloseTo(normalLog(shift, 0, 2) + sum(rows.map(each)), 10);
    expectGradient(density, [shift]);
  });

  test("states of probability zero leave no NaN", async () => {
    const sure = model(({ sample, observe }) => {
      const mu = sample("mu", normal(0, 1));
      const z = sample("z", categorical([0, 1, 0]));
      observe("y", normal(mu.mul(z), 1), 0.5);
    });
    const density = await logJoint(sure, {});
    expect(density.value([0.3])).toBeCloseTo(normalLog(0.3, 0, 1) + normalLog(0.5, 0.3, 1), 10);
    expectGradient(density, [0.3]);
  });

  test("nor do probabilities that are zero in some states only, as of an animal that is seen when dead", async () => {
    const seen = model(({ sample, observe }) => {
      const p = sample("p", normal(0, 1)).sigmoid();
      const alive = sample("alive", bernoulli(0.8));
      const young = sample("young", categorical(stack([alive.mul(p), alive.mul(p).neg().add(1)])));
      observe("seen", bernoulli(alive.mul(p)), 1);
      observe("kind", normal(young, 1), 0.5);
    });
    const density = await logJoint(seen, {});
    const [u, p] = [0.4, 1 / (1 + Math.exp(-0.4))];
    const young = p * Math.exp(normalLog(0.5, 0, 1)) + (1 - p) * Math.exp(normalLog(0.5, 1, 1));
    expect(density.value([u])).toBeCloseTo(normalLog(u, 0, 1) + Math.log(0.8 * p * young), 10);
    expectGradient(density, [u]);
  });
});

describe("the states of a Markov chain are summed out by a recursion", () => {
  const y = [0.1, 0.4, 2.2, 1.9, 2.4, -0.3];

  /** log Σ over all paths of p(path) p(y given path), with the first state's probabilities. */
  const bruteForce = (first: number[], rows: number[][], emission: (k: number, t: number) => number): number =>
    logSumExp(
      [...sequences(y.length, first.length)].map((path) =>
        sum(path.map((k, t) => Math.log(t ? rows[path[t - 1]!]![k]! : first[k]!) + emission(k, t))),
      ),
    );

  test("where most paths are impossible: an animal that is marked, missed, and seen again", async () => {
    const capture = model(({ sample, observe, chain }, { seen }: { seen: Tensor }) => {
      const survival = sample("survival", normal(0, 1)).sigmoid();
      const chance = sample("chance", normal(0, 1)).sigmoid();
      chain("year", 3, full(seen, [], 1), (before, t) => {
        const alive = sample("alive", bernoulli(before.mul(survival)));
        observe("seen", bernoulli(alive.mul(chance)), seen.at(t));
        return alive;
      });
    });
    const density = await logJoint(capture, { seen: [0, 1, 0] });
    const u = [0.7, -0.4];
    const [s, p] = u.map(sigmoid) as [number, number];
    const history = s * (1 - p) * s * p * (1 - s + s * (1 - p));
    expect(density.value(u)).toBeCloseTo(sum(u.map((x) => normalLog(x, 0, 1))) + Math.log(history), 10);
    expectGradient(density, u);
  });

  test("a hidden Markov model", async () => {
    const hidden = model(({ sample, observe, chain }, { y }: { y: Tensor }) => {
      const rows = softmax(sample("rows", normal(0, 1), [3, 3]));
      const mean = sample("mean", normal(0, 2), [3]);
      const start = sample("z0", categorical([0.2, 0.3, 0.5]));
      observe("y0", normal(mean.at(start), 0.6), y.at(0));
      chain("time", 5, start, (before, t) => {
        const z = sample("z", categorical(rows.at(before)));
        observe("y", normal(mean.at(z), 0.6), y.at(t.add(1)));
        return z;
      });
    });
    const density = await logJoint(hidden, { y });
    const u = [0.5, -0.3, 0.2, 0.1, 0.9, -0.7, 0.4, -0.2, 0.3, 0.1, 1.1, 2.3];
    const rows = [0, 1, 2].map((k) => softmaxOf(u.slice(3 * k, 3 * k + 3)));
    const mean = u.slice(9);
    const prior = sum(u.slice(0, 9).map((x) => normalLog(x, 0, 1))) + sum(mean.map((x) => normalLog(x, 0, 2)));
    const paths = bruteForce([0.2, 0.3, 0.5], rows, (k, t) => normalLog(y[t]!, mean[k]!, 0.6));
    expect(density.value(u)).toBeCloseTo(prior + paths, 9);
    expectGradient(density, u);
  });

  test("one whose data depend on two states in a row", async () => {
    const jumps = model(({ sample, observe, chain }, { y }: { y: Tensor }) => {
      const size = sample("size", normal(0, 2));
      const start = sample("z0", bernoulli(0.5));
      chain("time", 6, start, (before, t) => {
        const z = sample("z", bernoulli(before.mul(0.7).add(0.2)));
        observe("y", normal(z.sub(before).mul(size), 0.8), y.at(t));
        return z;
      });
    });
    const density = await logJoint(jumps, { y });
    const size = 1.3;
    const paths = [...sequences(7, 2)].map((path) => {
      const steps = path.slice(1).map((z, t) => {
        const p = path[t] ? 0.9 : 0.2;
        return Math.log(z ? p : 1 - p) + normalLog(y[t]!, (z - path[t]!) * size, 0.8);
      });
      return Math.log(0.5) + sum(steps);
    });
    expect(density.value([size])).toBeCloseTo(normalLog(size, 0, 2) + logSumExp(paths), 9);
    expectGradient(density, [size]);
  });

  test("one for each element of a plate", async () => {
    const rows = [y, y.map((v) => 2 - v)];
    const several = model(({ sample, observe, plate, chain }, data: { rows: Tensor }) => {
      const stay = sample("stay", normal(0, 1)).sigmoid();
      const table = stack([stack([stay, stay.neg().add(1)]), stack([stay.neg().add(1), stay])]);
      plate("series", 2, (i) => {
        const start = sample("z0", categorical([0.6, 0.4]));
        observe("y0", normal(start.mul(2), 0.6), data.rows.at(i).at(0));
        chain("time", 5, start, (before, t) => {
          const z = sample("z", categorical(table.at(before)));
          observe("y", normal(z.mul(2), 0.6), data.rows.at(i).at(t.add(1)));
          return z;
        });
      });
    });
    const density = await logJoint(several, { rows });
    const p = sigmoid(0.8);
    const table = [
      [p, 1 - p],
      [1 - p, p],
    ];
    const all = rows.map((row) => bruteForce([0.6, 0.4], table, (k, t) => normalLog(row[t]!, 2 * k, 0.6)));
    expect(density.value([0.8])).toBeCloseTo(normalLog(0.8, 0, 1) + sum(all), 9);
    expectGradient(density, [0.8]);
  });
});
