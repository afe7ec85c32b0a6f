import { describe, expect, test } from "vitest";
import { bernoulli } from "../../../src/nn/outputs/bernoulli.ts";
import { categorical } from "../../../src/nn/outputs/categorical.ts";
import { continuousBernoulli } from "../../../src/nn/outputs/continuous-bernoulli.ts";
import { normal } from "../../../src/nn/outputs/normal.ts";
import { gradient } from "../../../src/program/program.ts";
import { evaluate, given } from "../../evaluate.ts";
import { onBackends } from "../../on-backends.ts";
import { integrate } from "../../quadrature.ts";

const close = (ours: number, theirs: number, tolerance: number, what = ""): void =>
  expect(Math.abs(ours - theirs), `${what}: ${ours} and ${theirs}`).toBeLessThan(
    tolerance * Math.max(1, Math.abs(theirs)),
  );

describe("the normal distribution", () => {
  onBackends((place) => {
    test("has the density (2π sd²)^−½ e^(−(x − mean)² / 2sd²)", async () => {
      const cases = [[0, 0, 1], [1.5, -2, 0.1], [-3, 4, 25], [1e-3, 0, 1e-2]]; // biome-ignore format: short rows
      const [x, mean, logSd] = [0, 1, 2].map((i) => given([4], cases.map((c) => (i < 2 ? c[i]! : Math.log(c[2]!))))); // biome-ignore format: short
      const { logProb, entropy } = await evaluate(
        { x: x!, mean: mean!, logSd: logSd! },
        ({ x, ...p }) => ({ logProb: normal.logProb(x, p), entropy: normal.entropy!(p) }),
        place(),
      );
      for (const [i, [value, m, sd]] of cases.entries()) {
        close(
          logProb![i]!,
          Math.log(1 / Math.sqrt(2 * Math.PI * sd! ** 2)) - (value! - m!) ** 2 / (2 * sd! ** 2),
          1e-13,
        );
        close(entropy![i]!, 0.5 * Math.log(2 * Math.PI * Math.E * sd! ** 2), 1e-13);
      }
    });
  });
});

describe("the Bernoulli distribution", () => {
  onBackends((place) => {
    test("gives 1 the probability 1 / (1 + e^−l), also far out where it is 0 or 1 in floating point", async () => {
      const logits = [-800, -30, -1.25, 0, 0.5, 40];
      const p = { logits: given([6], logits) };
      const { one, zero, entropy } = await evaluate(
        p,
        (p) => ({
          one: bernoulli.logProb(p.logits.mul(0).add(1), p),
          zero: bernoulli.logProb(p.logits.mul(0), p),
          entropy: bernoulli.entropy!(p),
        }),
        place(),
      );
      for (const [i, l] of logits.entries()) {
        close(one![i]!, l < -30 ? l : -Math.log1p(Math.exp(-l)), 1e-14);
        close(zero![i]!, l > 30 ? -l : -Math.log1p(Math.exp(l)), 1e-14);
        const [a, b] = [Math.exp(one![i]!), Math.exp(zero![i]!)];
        close(entropy![i]!, -(a && a * one![i]!) - (b && b * zero![i]!), 1e-13);
      }
    });
  });
});

describe("the continuous Bernoulli distribution", () => {
  // Near 0, at the change between series and closed form, and far out.
  const logits = [0, 1e-12, -1e-6, 1e-3, 0.4999999, 0.5, -0.5000001, 1, -3, 12, -40];
  const x = 0.3;
  onBackends((place) => {
    test("integrates to 1, has the stated mean, and its score is x − mean", async () => {
      const found = await evaluate(
        { logits: given([logits.length], logits) },
        ({ logits }) => {
          const logProb = continuousBernoulli.logProb(logits.mul(0).add(x), { logits });
          const [score] = gradient(logProb.sum(), [logits]);
          const mean = continuousBernoulli.mean({ logits });
          const [slope] = gradient(mean.sum(), [logits]);
          return { logProb, score: score!, mean, slope: slope!, entropy: continuousBernoulli.entropy!({ logits }) };
        },
        place(),
      );
      for (const [i, l] of logits.entries()) {
        const total = integrate((t) => Math.exp(t * l), 0, 1);
        const mean = integrate((t) => t * Math.exp(t * l), 0, 1) / total;
        const square = integrate((t) => t * t * Math.exp(t * l), 0, 1) / total;
        close(found.logProb![i]!, x * l - Math.log(total), 2e-14, `log density at logit ${l}`);
        close(found.mean![i]!, mean, 2e-14, `mean at logit ${l}`);
        close(found.score![i]!, x - mean, 2e-14, `score at logit ${l}`);
        // The derivative of an exponential family's mean is its variance.
        close(found.slope![i]!, square - mean ** 2, 2e-13, `variance at logit ${l}`);
        close(found.entropy![i]!, Math.log(total) - l * mean, 1e-13, `entropy at logit ${l}`);
      }
    });

    test("draws have its mean", async () => {
      const [rows, l] = [20_000, [-9, -0.5, 1e-5, 2, 60]];
      const draws = await evaluate(
        { logits: given([5], l) },
        ({ logits }, key) => ({ x: continuousBernoulli.sample(key, { logits: logits.broadcastTo([rows, 5]) }) }),
        place(),
      );
      for (const [j, logit] of l.entries()) {
        const values = draws.x!.filter((_, i) => i % 5 === j);
        const total = integrate((t) => Math.exp(t * logit), 0, 1);
        const mean = integrate((t) => t * Math.exp(t * logit), 0, 1) / total;
        const sd = Math.sqrt(integrate((t) => (t - mean) ** 2 * Math.exp(t * logit), 0, 1) / total);
        expect(values.every((v) => v >= 0 && v <= 1)).toBe(true);
        expect(Math.abs(values.reduce((s, v) => s + v / rows, 0) - mean), `logit ${logit}`).toBeLessThan(
          (4 * sd) / Math.sqrt(rows),
        );
      }
    });
  });
});

describe("the categorical distribution", () => {
  const logits = [0.5, -2, 3, 1000, 999, 0];
  const weights = [[0.5, -2, 3], [0, -1, -1000]].map((l) => l.map(Math.exp)); // biome-ignore format: short
  const probability = weights.map((w) => w.map((x) => x / w.reduce((a, b) => a + b)));
  onBackends((place) => {
    test("has the probabilities softmax(logits), whatever their size", async () => {
      for (const k of [0, 1, 2]) {
        const found = await evaluate(
          { logits: given([2, 3], logits), x: given([2], [k, k]) },
          ({ logits, x }) => ({
            logProb: categorical(3).logProb(x, { logits }),
            mean: categorical(3).mean({ logits }),
            entropy: categorical(3).entropy!({ logits }),
          }),
          place(),
        );
        close(found.logProb![0]!, Math.log(probability[0]![k]!), 1e-14);
        // An ulp of the logits themselves is 1e-13.
        close(found.logProb![1]!, [0, -1, -1000][k]! - Math.log1p(Math.exp(-1)), 1e-12);
        for (const [i, p] of probability.entries()) {
          close(found.mean![i]!, p[1]! + 2 * p[2]!, 1e-13);
          close(found.entropy![i]!, -p.reduce((s, q) => s + (q && q * Math.log(q)), 0), 1e-12);
        }
      }
    });

    test("draws have its frequencies", async () => {
      const rows = 20_000;
      const { x } = await evaluate(
        { logits: given([3], [0.5, -2, 3]) },
        ({ logits }, key) => ({ x: categorical(3).sample(key, { logits: logits.broadcastTo([rows, 3]) }) }),
        place(),
      );
      for (const [k, p] of probability[0]!.entries()) {
        const share = x!.filter((v) => v === k).length / rows;
        expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / rows));
      }
    });
  });
});
