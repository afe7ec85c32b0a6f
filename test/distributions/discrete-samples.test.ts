import { describe, expect, test } from "vitest";
import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { betaBinomial } from "../../src/distributions/beta-binomial.ts";
import { binomial } from "../../src/distributions/binomial.ts";
import { categorical } from "../../src/distributions/categorical.ts";
import { discreteUniform } from "../../src/distributions/discrete-uniform.ts";
import { type Distribution, paramsOf } from "../../src/distributions/distribution.ts";
import { geometric } from "../../src/distributions/geometric.ts";
import { negativeBinomial } from "../../src/distributions/negative-binomial.ts";
import { orderedLogistic } from "../../src/distributions/ordered-logistic.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { truncated } from "../../src/distributions/truncated.ts";
import { zeroInflated } from "../../src/distributions/zero-inflated.ts";
import { iota } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { evaluate } from "../evaluate.ts";

const DRAWS = 40_000;

/**
 * Pearson's χ² of counts against probabilities, as a standard normal number (Wilson and Hilferty 1931). Neighbouring values are taken
 * together until each cell expects at least ten; what lies beyond the probabilities belongs to the last.
 */
function deviation(counts: readonly number[], probabilities: readonly number[], draws: number): number {
  const cells: [number, number][] = [];
  let [seen, expected] = [0, 0];
  for (const [k, p] of probabilities.entries()) {
    seen += counts[k]!;
    expected += p * draws;
    if (expected < 10) continue;
    cells.push([seen, expected]);
    [seen, expected] = [0, 0];
  }
  const inside = cells.reduce((total, [n]) => total + n, 0);
  const covered = cells.reduce((total, [, e]) => total + e, 0);
  const last = draws - covered > 5 ? ([0, 0] as [number, number]) : cells.pop()!;
  cells.push([last[0] + draws - inside, last[1] + draws - covered]);
  const statistic = cells.reduce((total, [n, e]) => total + (n - e) ** 2 / e, 0);
  const k = cells.length - 1;
  return (Math.cbrt(statistic / k) - (1 - 2 / (9 * k))) / Math.sqrt(2 / (9 * k));
}

/** Draws of one distribution counted by value, and the probabilities of 0 … top under it and under its slightly wrong neighbour. */
async function sampled(d: Distribution, wrong: Distribution, top: number, seed: number) {
  const found = await evaluate(
    {},
    (_, key) => {
      const { trace } = key.words[0];
      const [params, other] = [paramsOf(trace, d), paramsOf(trace, wrong)];
      const x = iota(key.words[0], [top + 1], 0, "f64") as Tensor;
      return {
        draws: d.family.sample!(key.site("test"), params, [DRAWS]),
        right: d.family.logProb(x, params).exp(),
        wrong: wrong.family.logProb(x, other).exp(),
      };
    },
    {},
    seed,
  );
  const counts = Array(top + 1).fill(0) as number[];
  for (const x of found.draws!) if (x in counts) counts[x]!++;
  return { ...found, counts } as unknown as Record<"draws" | "right" | "wrong" | "counts", number[]>;
}

describe("draws have the probabilities of the distribution, and not those of one that is slightly off", () => {
  const of = (d: unknown): Distribution => d as Distribution;
  const cases: readonly [string, Distribution, Distribution, number][] = [
    ["bernoulli(0.3)", of(bernoulli(0.3)), of(bernoulli(0.32)), 1],
    ["bernoulli({ logits: 2 })", of(bernoulli({ logits: 2 })), of(bernoulli({ logits: 2.15 })), 1],
    ["categorical([0.2, 0, 0.5, 0.3])", of(categorical([0.2, 0, 0.5, 0.3])), of(categorical([0.22, 0, 0.5, 0.28])), 3],
    ["categorical({ logits })", of(categorical({ logits: [9, 8, 7.5] })), of(categorical({ logits: [9, 8.1, 7.5] })), 2],
    ["orderedLogistic", of(orderedLogistic(0.5, [-1, 0.25, 3])), of(orderedLogistic(0.6, [-1, 0.25, 3])), 3],
    ["geometric(0.3)", of(geometric(0.3)), of(geometric(0.313)), 60],
    ["geometric({ logits: -2 })", of(geometric({ logits: -2 })), of(geometric({ logits: -1.95 })), 200],
    ["poisson(0.2)", of(poisson(0.2)), of(poisson(0.215)), 12],
    ["poisson(9.99)", of(poisson(9.99)), of(poisson(10.12)), 60],
    ["poisson(10.01)", of(poisson(10.01)), of(poisson(10.14)), 60],
    ["poisson({ logRate: 5 })", of(poisson({ logRate: 5 })), of(poisson({ logRate: 5.0045 })), 400],
    ["zeroInflated(poisson(2), 0.3)", zeroInflated(of(poisson(2)), 0.3), zeroInflated(of(poisson(2)), 0.32), 20],
    ["truncated(geometric(0.2), …)", truncated(of(geometric(0.2)), { low: 2, high: 9 }), truncated(of(geometric(0.22)), { low: 2, high: 9 }), 9],
    ["binomial(7, 0.25)", of(binomial(7, 0.25)), of(binomial(7, 0.26)), 7],
    ["binomial(19, 0.5)", of(binomial(19, 0.5)), of(binomial(19, 0.506)), 19],
    ["binomial(40, 0.6)", of(binomial(40, 0.6)), of(binomial(40, 0.604)), 40],
    ["binomial(1000, 0.99)", of(binomial(1000, 0.99)), of(binomial(1000, 0.9904)), 1000],
    ["binomial({ total: 90, logits: -1 })", of(binomial({ total: 90, logits: -1 })), of(binomial({ total: 90, logits: -0.98 })), 90],
    ["betaBinomial(12, 0.4, 1.5)", of(betaBinomial(12, 0.4, 1.5)), of(betaBinomial(12, 0.43, 1.5)), 12],
    ["discreteUniform(0, 6)", of(discreteUniform(0, 6)), of(binomial(6, 0.5)), 6],
    ["negativeBinomial(4, 0.7)", of(negativeBinomial(4, 0.7)), of(negativeBinomial(4, 0.76)), 300],
    ["negativeBinomial({ logMean: 3, concentration: 20 })", of(negativeBinomial({ logMean: 3, concentration: 20 })), of(negativeBinomial({ logMean: 3, concentration: 22.5 })), 200],
    ["negativeBinomial({ total: 2.5, probs: 0.4 })", of(negativeBinomial({ total: 2.5, probs: 0.4 })), of(negativeBinomial({ total: 2.6, probs: 0.4 })), 100],
  ]; // biome-ignore format: one case a line
  test.each(cases)("%s", async (_, right, wrong, top) => {
    const { counts, right: p, wrong: q } = await sampled(right, wrong, top, 11);
    expect(Math.abs(deviation(counts, p, DRAWS))).toBeLessThan(3.5);
    expect(deviation(counts, q, DRAWS)).toBeGreaterThan(5);
  });
});
