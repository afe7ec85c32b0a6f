import { describe, expect, test } from "vitest";
import { NonFiniteError, OptionError } from "../../../src/base/errors.ts";
import { essMean, essSd } from "../../../src/diagnostics/ess.ts";
import type { LogDensity } from "../../../src/inference/log-density.ts";
import type { ChainOptions } from "../../../src/inference/mcmc/chain.ts";
import { firstDraws, startChain } from "../../../src/inference/mcmc/chain.ts";
import {
  type ChainProgress,
  type ChainsResult,
  sampleChain,
  sampleChains,
} from "../../../src/inference/mcmc/chains.ts";
import { initialPoint } from "../../../src/inference/mcmc/initial-point.ts";
import { kolmogorovSmirnov, normalCdf } from "../../tensor/normality.ts";
import { eightSchools, equicorrelated, funnel, independent, standardNormal, studentT } from "./targets.ts";

/** Coordinate `i` of each chain, after a transform. */
const coordinate = ({ chains }: ChainsResult, i: number, transform = (x: number) => x): Float64Array[] =>
  chains.map(({ draws, dim, count }) => Float64Array.from({ length: count }, (_, t) => transform(draws[t * dim + i]!)));

/** Mean and standard deviation with their Monte Carlo standard errors. */
function moments(chains: Float64Array[]) {
  const all = chains.flatMap((chain) => [...chain]);
  const mean = all.reduce((a, b) => a + b, 0) / all.length;
  const sd = Math.sqrt(all.reduce((a, b) => a + (b - mean) ** 2, 0) / (all.length - 1));
  const fourth = all.reduce((a, b) => a + (b - mean) ** 4, 0) / all.length;
  // Delta method: Var(s²) = (m4 − s⁴) / ess.
  const sdError = Math.sqrt(Math.max(0, fourth - sd ** 4) / essSd(chains)) / (2 * sd);
  return { mean, meanError: sd / Math.sqrt(essMean(chains)), sd, sdError };
}

const expectMoments = (chains: Float64Array[], mean: number, sd: number, errors: [number, number] = [0, 0]) => {
  const found = moments(chains);
  expect(Math.abs(found.mean - mean) / Math.hypot(found.meanError, errors[0])).toBeLessThan(4);
  expect(Math.abs(found.sd - sd) / Math.hypot(found.sdError, errors[1])).toBeLessThan(4);
};

describe("NUTS finds the moments of", () => {
  const cases: [string, LogDensity, number[]][] = [
    ["a standard normal", standardNormal(5), [1, 1, 1, 1, 1]],
    ["correlations of 0.99", equicorrelated(4, 0.99), [1, 1, 1, 1]],
    ["scales from 0.001 to 1000", independent([1e-3, 1, 1e3]), [1e-3, 1, 1e3]],
    ["Student t with 10 degrees of freedom", studentT(2, 10), [Math.sqrt(1.25), Math.sqrt(1.25)]],
  ];
  test.each(cases)("%s", async (_, target, sds) => {
    for (const metric of ["auto", "diagonal", "dense"] as const) {
      const result = await sampleChains(target, { seed: 11, metric, draws: 2000, warmUp: 500 });
      for (const [i, sd] of sds.entries()) expectMoments(coordinate(result, i), 0, sd);
    }
  });

  test("the funnel in its non-centred form: v ~ N(0, 3²), x = exp(v/2) z", async () => {
    const result = await sampleChains(independent([3, 1]), { seed: 12, draws: 2000 });
    expectMoments(coordinate(result, 0), 0, 3);
  });

  // posteriordb's reference draws (10,000): mu 4.4105 ± 3.3091, tau 3.6021 ± 3.1983. Their own standard errors: sd / 100 for the
  // means; for the sds about 0.7 and 1.5 sd / 100, tau having a heavy tail.
  test("eight schools, as posteriordb's reference draws", async () => {
    const result = await sampleChains(eightSchools, { seed: 13, draws: 5000 });
    expectMoments(coordinate(result, 8), 4.4105, 3.3091, [0.033, 0.023]);
    expectMoments(coordinate(result, 9, Math.exp), 3.6021, 3.1983, [0.032, 0.048]);
  });
});

test("HMC finds the moments of eight schools", async () => {
  const result = await sampleChains(eightSchools, { seed: 14, draws: 4000, algorithm: { name: "hmc" } });
  expectMoments(coordinate(result, 8), 4.4105, 3.3091, [0.033, 0.023]);
  expectMoments(coordinate(result, 9, Math.exp), 3.6021, 3.1983, [0.032, 0.048]);
});

describe("the warm-up", () => {
  // The averaged logarithm of the step size lies below that of the wanted mean acceptance: up to 0.12 above target, as in Stan.
  test("brings the acceptance to its target or a little above", async () => {
    for (const targetAcceptance of [0.6, 0.8, 0.95]) {
      const { chains } = await sampleChains(standardNormal(20), { seed: 15, targetAcceptance });
      const mean = chains.flatMap(({ stats }) => [...stats.acceptance]).reduce((a, b) => a + b, 0) / 4000;
      expect(mean - targetAcceptance).toBeGreaterThan(-0.03);
      expect(mean - targetAcceptance).toBeLessThan(0.14);
    }
  });
  test("makes correlations of 0.999 as cheap as independence, and leaves the metric diagonal where it can", async () => {
    const hard = await sampleChain(equicorrelated(3, 0.999), { seed: 16 });
    const easy = await sampleChain(standardNormal(3), { seed: 16 });
    const steps = (result: typeof hard) => result.stats.leapfrogs.reduce((a, b) => a + b, 0) / 1000;
    expect(hard.metric.kind).toBe("dense");
    expect(easy.metric.kind).toBe("diagonal");
    expect(steps(hard)).toBeLessThan(2 * steps(easy));
  });
  test("of no iterations leaves a step size that samples", async () => {
    const { stats } = await sampleChain(standardNormal(2), { warmUp: 0, draws: 200 });
    expect(stats.acceptance.reduce((a, b) => a + b, 0) / 200).toBeGreaterThan(0.3);
  });
});

test("the centred funnel has divergences, and says so", async () => {
  const { chains } = await sampleChains(funnel(10), { seed: 17, targetAcceptance: 0.6 });
  const divergences = chains.map(({ stats }) => stats.divergent.reduce((a, b) => a + b, 0));
  expect(Math.max(...divergences)).toBeGreaterThan(0);
});

describe("bits", () => {
  const options = { seed: 18, warmUp: 200, draws: 100 } satisfies ChainOptions;
  test("are the same for the same seed, other for another", async () => {
    const [a, b, c] = await Promise.all([
      sampleChain(eightSchools, options),
      sampleChain(eightSchools, options),
      sampleChain(eightSchools, { ...options, seed: 19 }),
    ]);
    expect(a).toEqual({ ...b, metric: expect.anything() });
    expect(a!.draws).not.toEqual(c!.draws);
  });
  test("of a chain do not depend on how many there are", async () => {
    const two = await sampleChains(eightSchools, { ...options, chains: 2 });
    const five = await sampleChains(eightSchools, { ...options, chains: 5 });
    const alone = await sampleChain(eightSchools, { ...options, chain: 1 });
    expect(two.chains.map((c) => c.draws)).toEqual(five.chains.slice(0, 2).map((c) => c.draws));
    expect(alone.draws).toEqual(two.chains[1]!.draws);
    expect(new Set(five.chains.map((c) => c.draws[0])).size).toBe(5);
  });
  test("of chains that go on are those of chains that never stopped", async () => {
    for (const target of [eightSchools, equicorrelated(3, 0.999)]) {
      for (const name of ["nuts", "hmc"] as const) {
        const asked = { ...options, chains: 2, algorithm: { name } };
        const { chains: from } = await sampleChains(target, asked);
        const further = await sampleChains(target, { ...asked, draws: 170, from });
        const whole = await sampleChains(target, { ...asked, draws: 170 });
        for (const [i, chain] of whole.chains.entries()) {
          expect({ ...further.chains[i], metric: null }).toEqual({ ...chain, metric: null });
        }
        expect(from[0]!.end).not.toBeNull();
        expect(firstDraws(whole.chains[0]!, 90).end).toBeNull();
      }
    }
  });
  test("of two chains differ from the beginning", async () => {
    const begin = [0, 1].map((chain) => initialPoint(eightSchools, { seed: 18, chain }));
    expect(begin[0]).not.toEqual(begin[1]);
  });
  test("of chains from one point are independent: their ends are a sample of the target", async () => {
    const { chains } = await sampleChains(standardNormal(1), { chains: 300, initial: [0], warmUp: 25, draws: 1 });
    expect(
      kolmogorovSmirnov(
        chains.map(({ draws }) => draws[0]!),
        normalCdf,
      ),
    ).toBeLessThan(1.95);
  });
  test("do not depend on how the run is cut into slices", () => {
    const [whole, sliced] = [startChain(eightSchools, options), startChain(eightSchools, options)];
    whole.advance(Infinity);
    let slices = 0;
    for (; sliced.advance(0); slices++);
    expect(slices).toBe(299);
    expect(sliced.result().draws).toEqual(whole.result().draws);
  });
});

describe("the driver", () => {
  /** Slow enough that a slice of 50 ms holds a small part of the run: 600 transitions of three calls and more take over 360 ms. */
  const slow: LogDensity = {
    dim: 1,
    evaluate: (u, gradient) => {
      const until = performance.now() + 0.2;
      while (performance.now() < until);
      return standardNormal(1).evaluate(u, gradient);
    },
  };
  test("tells of its progress, up to the end", async () => {
    const events: ChainProgress[] = [];
    await sampleChains(slow, { chains: 2, warmUp: 300, draws: 300 }, { onProgress: (event) => events.push(event) });
    expect(events.length).toBeGreaterThan(4);
    expect(events.some((event) => event.warmingUp)).toBe(true);
    for (const chain of [0, 1]) {
      expect(events.filter((event) => event.chain === chain).at(-1)).toMatchObject({
        kind: "chain",
        done: 600,
        total: 600,
        warmingUp: false,
      });
    }
  });
  test("returns equally many draws of each chain when aborted after enough of them", async () => {
    const abort = new AbortController();
    const whole = await sampleChains(slow, { chains: 2, warmUp: 20, draws: 1000 });
    const onProgress = (event: ChainProgress) => {
      if (event.chain === 1 && event.done > 150) abort.abort();
    };
    const part = await sampleChains(
      slow,
      { chains: 2, warmUp: 20, draws: 1000 },
      { signal: abort.signal, onProgress, enough: 50 },
    );
    expect(part.aborted).toBe(true);
    expect(part.count).toBeGreaterThanOrEqual(50);
    expect(part.count).toBeLessThan(1000);
    for (const [i, chain] of part.chains.entries()) {
      expect(chain.draws).toEqual(whole.chains[i]!.draws.slice(0, part.count));
      expect(chain.stats.energy.length).toBe(part.count);
    }
  });
  test("throws the signal's reason when aborted before", async () => {
    const signal = AbortSignal.abort(new Error("enough of this"));
    await expect(sampleChains(slow, {}, { signal })).rejects.toThrow("enough of this");
  });
});

describe("what users can get wrong", () => {
  const never: LogDensity = { dim: 2, evaluate: (_u, gradient) => Math.log(gradient.fill(0)[0]!) };
  const steep: LogDensity = {
    dim: 2,
    evaluate: (_u, gradient) => {
      gradient.set([0, Number.NaN]);
      return 0;
    },
  };
  test("a density that is finite nowhere", async () => {
    await expect(sampleChain(never)).rejects.toThrow(
      new NonFiniteError(
        "chain 1 found no point to start from in 100 tries, uniform on (-2, 2) in each unconstrained coordinate: each time the " +
          "log density is -Infinity. Give initial values, or look for a term of the model that overflows or is undefined there.",
      ),
    );
  });
  test("a gradient that is not a number names its coordinate", async () => {
    await expect(sampleChain(steep, { names: ["mu", "log tau"] })).rejects.toThrow(
      "each time the log density is finite, but its gradient in log tau is NaN",
    );
  });
  test("initial values where the density is not finite", async () => {
    await expect(sampleChain(never, { initial: [0, 0], chain: 2 })).rejects.toThrow(
      "chain 3 cannot start from the given initial values: the log density is -Infinity. Give values inside the model's support.",
    );
  });
  const wrong: [string, Parameters<typeof sampleChains>[1], string][] = [
    ["initial values of another length", { initial: [1] }, "chain 1 was given 1 initial values; the density has 2"],
    ["initial values for other chains", { initial: [[1, 2]] }, "initial has values for 1 chains; there are 4"],
    ["no chains", { chains: 0 }, "chains is a whole number, 1 or more, not 0"],
    ["no draws", { draws: 0 }, "draws is a whole number, 1 or more, not 0"],
    ["half a warm-up", { warmUp: 0.5 }, "warmUp is a whole number, 0 or more, not 0.5"],
    [
      "an acceptance of 1",
      { targetAcceptance: 1 },
      "targetAcceptance lies between 0 and 1, the ends excluded; it was 1",
    ],
    ["an unknown metric", { metric: "full" as "dense" }, 'metric is "auto", "diagonal" or "dense", not "full"'],
    ["an unknown algorithm", { algorithm: { name: "gibbs" as "hmc" } }, 'algorithm is "nuts" or "hmc", not "gibbs"'],
    ["no depth", { algorithm: { name: "nuts", maxDepth: 0 } }, "maxDepth is a whole number, 1 or more, not 0"],
  ];
  test.each(wrong)("%s", async (_, options, message) => {
    await expect(sampleChains(standardNormal(2), options)).rejects.toThrow(new OptionError(message));
  });
});
