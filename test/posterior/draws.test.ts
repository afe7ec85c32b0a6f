import { describe, expect, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { drawsOf, elementChains, elementNames, siteOf } from "../../src/posterior/draws.ts";
import { summary } from "../../src/posterior/summary.ts";
import { formatSummary } from "../../src/posterior/summary-table.ts";

// Two chains of three draws of a 2 × 2 matrix: the value says chain, draw, row and column, from 1.
const digits = Float64Array.from(
  [1, 2].flatMap((c) =>
    [1, 2, 3].flatMap((d) => [1, 2].flatMap((i) => [1, 2].map((j) => 1000 * c + 100 * d + 10 * i + j))),
  ),
);
const draws = drawsOf(2, 3, {
  a: { shape: [2, 2], values: digits },
  mu: { shape: [], values: Float64Array.of(1, 2, 3, 4, 5, 6) },
});

describe("draws", () => {
  test("elements are named from 1, row-major", () => {
    expect(elementNames("mu", [])).toEqual(["mu"]);
    expect(elementNames("theta", [3])).toEqual(["theta[1]", "theta[2]", "theta[3]"]);
    expect(elementNames("a", [2, 2])).toEqual(["a[1,1]", "a[1,2]", "a[2,1]", "a[2,2]"]);
    expect(elementNames("none", [0])).toEqual([]);
  });

  test("an element's chains are its draws in each chain", () => {
    expect(elementChains(draws, "a", 2).map((chain) => Array.from(chain))).toEqual([
      [1121, 1221, 1321],
      [2121, 2221, 2321],
    ]);
    expect(elementChains(draws, "mu").map((chain) => Array.from(chain))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  test("too few values are refused, with the number that was expected", () => {
    expect(() => drawsOf(2, 3, { theta: { shape: [4], values: new Float64Array(6) } })).toThrow(
      new OptionError(
        'draws of "theta" have 6 values; 2 chains of 3 draws of shape [4] need 24. Give them as [chains, draws, ...shape].',
      ),
    );
  });

  test("an unknown site is answered with those that there are", () => {
    expect(() => siteOf(draws, "tau")).toThrow(new OptionError('there are no draws of "tau". Sites: a, mu.'));
    expect(() => siteOf(draws, "toString")).toThrow(OptionError);
  });
});

describe("the summary", () => {
  test("has a row for each element: moments with n − 1, quantiles by linear interpolation", () => {
    const rows = summary(draws);
    expect(rows.map((row) => row.name)).toEqual(["a[1,1]", "a[1,2]", "a[2,1]", "a[2,2]", "mu"]);
    const mu = rows[4]!;
    expect(mu.mean).toBe(3.5);
    expect(mu.sd).toBeCloseTo(Math.sqrt(17.5 / 5), 12);
    expect(mu.q5).toBeCloseTo(1.25, 12);
    expect(mu.q50).toBe(3.5);
    expect(mu.q95).toBeCloseTo(5.75, 12);
    expect(mu.rhat).toBeNaN();
  });

  const row = (name: string, mean: number, sd: number, mcseMean: number) => ({
    name,
    mean,
    sd,
    q5: mean - 1.645 * sd,
    q50: mean,
    q95: mean + 1.645 * sd,
    rhat: 1.0004,
    essBulk: 3210.4,
    essTail: 2890.6,
    mcseMean,
  });

  test("shows the decimals that the Monte Carlo error supports, points below each other", () => {
    const constant = { ...row("L[1,1]", 1, 0, Number.NaN), rhat: Number.NaN, essBulk: Number.NaN, essTail: Number.NaN };
    const table = formatSummary([
      row("mu", 4.41054, 3.3091, 0.06),
      row("log_tau", 0.78523, 1.1983, 0.009),
      row("slope", 0.608612, 0.0586, 0.0008),
      row("income", 51234.5, 987.6, 17),
      row("tiny", 0.000021234, 0.00000312, 0.00000005),
      constant,
    ]);
    expect(table).toBe(
      [
        "              mean       sd         5%        50%        95%  R-hat  bulk ESS  tail ESS",
        "mu           4.4      3.3       -1.0        4.4        9.9    1.000      3210      2891",
        "log_tau      0.79     1.20      -1.19       0.79       2.76   1.000      3210      2891",
        "slope        0.609    0.059      0.512      0.609      0.705  1.000      3210      2891",
        "income   51235      988      49610      51235      52859      1.000      3210      2891",
        "tiny       2.12e-5  3.12e-6    1.61e-5    2.12e-5    2.64e-5  1.000      3210      2891",
        "L[1,1]       1.00     0.00       1.00       1.00       1.00       -         -         -",
      ].join("\n"),
    );
  });
});
