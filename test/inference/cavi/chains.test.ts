import { describe, expect, test } from "vitest";
import { categorical, dirichlet, full, model, multivariateNormal, normal, type Tensor } from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";
import { generator } from "./monte-carlo-bound.ts";

const g = generator("chains");
const T = 30;
const y = Array.from({ length: T }, (_, t) => (Math.floor(t / 7) % 2 ? 3 : 0) + g.normal());
const LOG_2PI = Math.log(2 * Math.PI);

/** log p(y) of an HMM and the last filtered probabilities, by the forward recursion in plain JavaScript. */
function forward(start: readonly number[], move: readonly (readonly number[])[], mean: readonly number[]) {
  let [state, log] = [[...start], 0];
  for (const v of y) {
    const next = mean.map((m, k) => sum(state.map((p, j) => p * move[j]![k]!)) * Math.exp(-0.5 * (v - m) ** 2 - 0.5 * LOG_2PI)); // biome-ignore format: one line
    const total = sum(next);
    log += Math.log(total);
    state = next.map((p) => p / total);
  }
  return { log, last: state };
}
const sum = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0);

/** log p(y) by the Kalman filter, and the last filtered mean. */
function kalman(
  y: readonly number[],
  a: number,
  q: number,
  r: number,
  m0: number,
  p0: number,
): { log: number; last: number } {
  let [m, p, log] = [m0, p0, 0];
  for (const v of y) {
    [m, p] = [a * m, a * a * p + q];
    const s = p + r;
    log += -0.5 * (LOG_2PI + Math.log(s) + (v - m) ** 2 / s);
    [m, p] = [m + (p / s) * (v - m), p * (1 - p / s)];
  }
  return { log, last: m };
}

describe("with fixed parameters a chain is one factor, and its bound the evidence", () => {
  const move = [[0.8, 0.2], [0.3, 0.7]]; // biome-ignore format: short

  test("hidden Markov model with a random first state", async () => {
    const hmm = model(({ sample, observe, chain }, { y, move, mean }: { y: Tensor; move: Tensor; mean: Tensor }) => {
      const first = sample("first", categorical([0.6, 0.4]));
      chain("time", T, first, (before, t) => {
        const z = sample("z", categorical(move.at(before)));
        observe("y", normal(mean.at(z), 1), y.at(t));
        return z;
      });
    });
    const fit = await cavi(hmm, { y, move, mean: [0, 3] });
    expect(fit.elbo).toBeCloseTo(forward([0.6, 0.4], move, [0, 3]).log, 10);
    expect(fit.exact).toBe(true);
  });

  test("hidden Markov model from a given state, and its draws follow the smoothed marginals", async () => {
    const hmm = model(({ sample, observe, chain }, { y, move, mean }: { y: Tensor; move: Tensor; mean: Tensor }) => {
      chain("time", T, full(y, [], 1), (before, t) => {
        const z = sample("z", categorical(move.at(before)));
        observe("y", normal(mean.at(z), 1), y.at(t));
        return z;
      });
    });
    const fit = await cavi(hmm, { y, move, mean: [0, 3] });
    const exact = forward([0, 1], move, [0, 3]);
    expect(fit.elbo).toBeCloseTo(exact.log, 10);
    const { values } = (await fit.sample(4000)).z!;
    // The last state's smoothed probability is the filtered one.
    const last = sum(Array.from({ length: 4000 }, (_, s) => values[s * T + T - 1]!)) / 4000;
    const p = exact.last[1]!;
    expect(Math.abs(last - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 4000));
  });

  test("states that are only passed through once: zeros among the probabilities of moves", async () => {
    const leftRight = [[0.9, 0.1, 0], [0, 0.8, 0.2], [0, 0, 1]]; // biome-ignore format: short
    const hmm = model(({ sample, observe, chain }, { y, move, mean }: { y: Tensor; move: Tensor; mean: Tensor }) => {
      chain("time", T, full(y, [], 0), (before, t) => {
        const z = sample("z", categorical(move.at(before)));
        observe("y", normal(mean.at(z), 1), y.at(t));
        return z;
      });
    });
    const fit = await cavi(hmm, { y, move: leftRight, mean: [0, 3, 1] });
    expect(fit.elbo).toBeCloseTo(forward([1, 0, 0], leftRight, [0, 3, 1]).log, 10);
  });

  for (const offset of [0, 1e4]) {
    test(`linear dynamical system at ${offset}`, async () => {
      const lds = model(({ sample, observe, chain }, { y }: { y: Tensor }) => {
        const first = sample("first", normal(offset, 1));
        chain("time", T, first, (before, t) => {
          const state = sample("state", normal(before.sub(offset).mul(0.9).add(offset), Math.SQRT1_2));
          observe("y", normal(state, 1), y.at(t));
          return state;
        });
      });
      const fit = await cavi(lds, { y: y.map((v) => v + offset) });
      const exact = kalman(y, 0.9, 0.5, 1, 0, 1);
      expect(fit.elbo).toBeCloseTo(exact.log, 9);
      expect(fit.factors.state!.parameters.mean!.values[T - 1]! - offset).toBeCloseTo(exact.last, 9);
    });
  }
});

test("several sequences, of unequal length by what is missing: the bound is the sum of their evidences", async () => {
  const move = [[0.8, 0.2], [0.3, 0.7]]; // biome-ignore format: short
  const rows = [0, 1, 2].map((k) => y.map((v, t) => (t < T - 5 * k ? v + 0.3 * k : Number.NaN)));
  const body = model(({ sample, observe, chain, plate }, { rows, move }: { rows: Tensor; move: Tensor }) => {
    plate("sequence", 3, (k) => {
      const first = sample("first", categorical([0.6, 0.4]));
      chain("time", T, first, (before, t) => {
        const z = sample("z", categorical(move.at(before)));
        observe("y", normal(z.mul(3), 1), rows.at(k).at(t));
        return z;
      });
    });
  });
  const fit = await cavi(body, { rows, move });
  const each = rows.map((row) => {
    let [state, log] = [[0.6, 0.4], 0];
    for (const v of row.filter((v) => !Number.isNaN(v))) {
      const next = [0, 3].map((m, k) => sum(state.map((p, j) => p * move[j]![k]!)) * Math.exp(-0.5 * (v - m) ** 2 - 0.5 * LOG_2PI)); // biome-ignore format: one line
      const total = sum(next);
      log += Math.log(total);
      state = next.map((p) => p / total);
    }
    return log;
  });
  expect(fit.elbo).toBeCloseTo(sum(each), 9);
});

test("states that are vectors: a known rotation, correlated noise; the bound is the evidence", async () => {
  const steps = 6;
  const x = y.slice(0, steps).map((v, t) => [v, Math.cos(t)]);
  const [a, q, r] = [[[0.9, 0.2], [-0.2, 0.8]], [[0.5, 0.1], [0.1, 0.4]], [[1, 0.3], [0.3, 0.7]]] as const; // biome-ignore format: short
  const body = model(({ sample, observe, chain }, { x, a, q, r }: Record<"x" | "a" | "q" | "r", Tensor>) => {
    const first = sample("first", multivariateNormal([0, 0], [[1, 0], [0, 1]])); // biome-ignore format: short
    chain("time", steps, first, (before, t) => {
      const state = sample("state", multivariateNormal(a.matmul(before.reshape([2, 1])).reshape([2]), q));
      observe("x", multivariateNormal(state, r), x.at(t));
      return state;
    });
  });
  const fit = await cavi(body, { x, a, q, r } as never);
  // Kalman filter in two dimensions.
  const times = (m: readonly (readonly number[])[], n: readonly (readonly number[])[]) => m.map((row) => n[0]!.map((_, j) => sum(row.map((v, k) => v * n[k]![j]!)))); // biome-ignore format: one line
  const plus = (m: readonly (readonly number[])[], n: readonly (readonly number[])[], by = 1) => m.map((row, i) => row.map((v, j) => v + by * n[i]![j]!)); // biome-ignore format: one line
  const flip = (m: readonly (readonly number[])[]) => m[0]!.map((_, j) => m.map((row) => row[j]!));
  let [m, P, log] = [[[0], [0]] as number[][], [[1, 0], [0, 1]] as number[][], 0]; // biome-ignore format: short
  for (const row of x) {
    [m, P] = [times(a, m), plus(times(times(a, P), flip(a)), q)];
    const S = plus(P, r);
    const det = S[0]![0]! * S[1]![1]! - S[0]![1]! * S[1]![0]!;
    const inverse = [[S[1]![1]!, -S[0]![1]!], [-S[1]![0]!, S[0]![0]!]].map((v) => v.map((w) => w / det)); // biome-ignore format: short
    const e = row.map((v, i) => [v - m[i]![0]!]);
    log += -0.5 * (2 * LOG_2PI + Math.log(det) + times(times(flip(e), inverse), e)[0]![0]!);
    const gain = times(P, inverse);
    [m, P] = [plus(m, times(gain, e)), plus(P, times(gain, P), -1)];
  }
  expect(fit.elbo).toBeCloseTo(log, 9);
  expect(fit.exact).toBe(true);
});

test("transitions with a Dirichlet prior are learned with the states", async () => {
  const hmm = model(({ sample, observe, chain, plate }, { y }: { y: Tensor }) => {
    const move = plate("from", 2, () => sample("move", dirichlet([1, 1])));
    const mean = plate("state", 2, () => sample("mean", normal(0, 5)));
    const first = sample("first", categorical([0.5, 0.5]));
    chain("time", T, first, (before, t) => {
      const z = sample("z", categorical(move.at(before)));
      observe("y", normal(mean.at(z), 1), y.at(t));
      return z;
    });
  });
  const apart = y.map((v, t) => v + (Math.floor(t / 7) % 2 ? 3 : 0));
  const fit = await cavi(hmm, { y: apart }, { restarts: 3 });
  const found = [...fit.factors.mean!.parameters.mean!.values].sort((a, b) => a - b);
  // The states are plain to see: the means are those of the two kinds of stretches, shrunk by the prior of precision 1/25.
  const mean = (high: number) => {
    const own = apart.filter((_, t) => Math.floor(t / 7) % 2 === high);
    return sum(own) / (own.length + 1 / 25);
  };
  expect(Math.abs(found[0]! - mean(0))).toBeLessThan(0.1);
  expect(Math.abs(found[1]! - mean(1))).toBeLessThan(0.1);
  for (const [i, bound] of fit.elbos.entries()) if (i) expect(bound).toBeGreaterThanOrEqual(fit.elbos[i - 1]! - 1e-9);
});
