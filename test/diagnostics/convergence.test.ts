import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { meanAutocovariance } from "../../src/diagnostics/autocovariance.ts";
import { ebfmi } from "../../src/diagnostics/energy.ts";
import { essBulk, essMean, essQuantile, essSd, essTail } from "../../src/diagnostics/ess.ts";
import { betaQuantile } from "../../src/diagnostics/incomplete-beta.ts";
import { mcseMean, mcseQuantile, mcseSd } from "../../src/diagnostics/mcse.ts";
import { variance } from "../../src/diagnostics/moments.ts";
import { normalQuantile } from "../../src/diagnostics/normal-quantile.ts";
import { centralInterval, highestDensityInterval, quantiles } from "../../src/diagnostics/quantile.ts";
import { rhat } from "../../src/diagnostics/rhat.ts";

interface Case {
  readonly name: string;
  readonly draws: readonly (readonly number[])[];
  readonly rhat: number;
  readonly essBulk: number;
  readonly essTail: number;
  readonly essMean: number;
  readonly essSd: number;
  readonly essQuantile: Readonly<Record<string, number>>;
  readonly mcseMean: number;
  readonly mcseSd: number;
  readonly mcseQuantile: Readonly<Record<string, number>>;
  readonly quantiles: Readonly<Record<string, number>>;
  readonly hdi: readonly [number, number];
  readonly bfmi: readonly number[];
}

// ArviZ's numbers of stored draws, by scripts/make-diagnostics-tables.py.
const table = JSON.parse(readFileSync(new URL("../tables/diagnostics.json", import.meta.url), "utf8")) as {
  readonly cases: readonly Case[];
  readonly functions: {
    readonly normalQuantile: readonly (readonly [number, number])[];
    readonly betaQuantile: readonly (readonly [number, number, number, number])[];
  };
};

/** Both are the same formula in double precision: sums in another order are all that may differ. */
const same = (expected: number): number =>
  expect.closeTo(expected, 9 - Math.ceil(Math.log10(Math.abs(expected) + 1e-3)));

describe.each(table.cases)("ArviZ on $name", (row) => {
  const chains = row.draws.map((chain) => Float64Array.from(chain));

  test("agrees on R-hat", () => expect(rhat(chains)).toEqual(same(row.rhat)));

  test("agrees on effective sample sizes", () => {
    expect(essBulk(chains)).toEqual(same(row.essBulk));
    expect(essTail(chains)).toEqual(same(row.essTail));
    expect(essMean(chains)).toEqual(same(row.essMean));
    expect(essSd(chains)).toEqual(same(row.essSd));
    for (const [p, size] of Object.entries(row.essQuantile)) expect(essQuantile(chains, Number(p))).toEqual(same(size));
  });

  test("agrees on Monte Carlo standard errors", () => {
    expect(mcseMean(chains)).toEqual(same(row.mcseMean));
    expect(mcseSd(chains)).toEqual(same(row.mcseSd));
    for (const [p, error] of Object.entries(row.mcseQuantile))
      expect(mcseQuantile(chains, Number(p))).toEqual(same(error));
  });

  test("agrees on quantiles, the highest-density interval and E-BFMI", () => {
    const pooled = row.draws.flat();
    const probabilities = Object.keys(row.quantiles).map(Number);
    expect(quantiles(pooled, probabilities)).toEqual(Object.values(row.quantiles).map(same));
    const { low, high } = highestDensityInterval(pooled, 0.8);
    expect([low, high]).toEqual(row.hdi);
    expect(chains.map((chain) => ebfmi(chain))).toEqual(row.bfmi.map(same));
  });
});

describe("closed forms", () => {
  test("independent chains of an AR(1) process have an effective size of S (1 − ρ) / (1 + ρ)", () => {
    // The estimate's own error is some per cent at this length; a wrong constant would be off by a factor.
    const rho = 0.8;
    let seed = 1;
    const uniform = (): number => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    const chains = Array.from({ length: 4 }, () => {
      const chain = new Float64Array(20_000);
      for (let i = 1; i < chain.length; i++) {
        chain[i] = rho * chain[i - 1]! + Math.sqrt(1 - rho * rho) * normalQuantile(uniform());
      }
      return chain;
    });
    const expected = (80_000 * (1 - rho)) / (1 + rho);
    expect(essMean(chains) / expected).toBeCloseTo(1, 1);
    expect(essBulk(chains) / expected).toBeCloseTo(1, 1);
    expect(rhat(chains)).toBeLessThan(1.01);
  });

  test("lags by Fourier transform are those that are summed", () => {
    const chains = [0, 1, 2].map((c) => Float64Array.from({ length: 150 }, (_, i) => Math.sin(i * i + c) + i / 50));
    const summed = (lag: number): number => {
      let sum = 0;
      for (const chain of chains) {
        const centre = chain.reduce((a, b) => a + b) / chain.length;
        for (let i = lag; i < chain.length; i++) sum += (chain[i]! - centre) * (chain[i - lag]! - centre);
      }
      return sum / (chains.length * chains[0]!.length);
    };
    const autocovariance = meanAutocovariance(chains);
    for (const lag of [0, 1, 63, 64, 65, 100, 149, 3]) expect(autocovariance(lag)).toBeCloseTo(summed(lag), 12);
  });

  test("a variance does not cancel where the mean is large", () => {
    expect(variance([1e9, 1e9 + 1, 1e9 + 2])).toBe(1);
    expect(variance([1e9, 1e9 + 1, 1e9 + 2], 0)).toBeCloseTo(2 / 3, 12);
  });

  test("the central interval of 0 … 100 at 90 % is 5 … 95", () => {
    const { low, high } = centralInterval(
      Array.from({ length: 101 }, (_, i) => (i * 37) % 101),
      0.9,
    );
    expect(low).toBeCloseTo(5, 12);
    expect(high).toBeCloseTo(95, 12);
  });

  test.each(table.functions.normalQuantile)("the normal quantile at %d is SciPy's", (p, z) => {
    expect(Math.abs(normalQuantile(p) / (z || 1) - (z ? 1 : 0))).toBeLessThan(1e-14);
  });

  test.each(table.functions.betaQuantile)("the Beta quantile at %d of (%d, %d) is SciPy's", (p, a, b, x) => {
    expect(Math.abs(betaQuantile(p, a, b) / x - 1)).toBeLessThan(1e-11);
  });
});

describe("where nothing can be said the answer is NaN", () => {
  test.each([
    ["constant draws", [Float64Array.of(1, 1, 1, 1, 1), Float64Array.of(1, 1, 1, 1, 1)]],
    ["a draw that is not finite", [Float64Array.of(1, 2, Number.NaN, 1, 1), Float64Array.of(1, 2, 3, 1, 1)]],
    ["fewer than four draws", [Float64Array.of(1, 2, 3), Float64Array.of(1, 2, 4)]],
  ])("%s", (_, chains) => {
    expect([rhat, essBulk, essTail, essMean, mcseMean].map((f) => f(chains))).toEqual(Array(5).fill(Number.NaN));
  });

  test("but chains that stand still at different places disagree without limit", () => {
    expect(rhat([new Float64Array(10).fill(1), new Float64Array(10).fill(2)])).toBe(Infinity);
  });
});
