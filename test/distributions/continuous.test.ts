import { describe, expect, test } from "vitest";
import { paramsOf } from "../../src/distributions/distribution.ts";
import { gradient } from "../../src/program/program.ts";
import { evaluate, given } from "../evaluate.ts";
import {
  type Case,
  casesOf,
  drawsOf,
  expectationSlopes,
  gridCdf,
  gridPoints,
  kolmogorov,
  unconstrainedLogDensity,
  withNumbers,
  withTensors,
} from "./conformance.ts";
import { ROWS } from "./continuous-rows.ts";

const close = (ours: number, theirs: number, tolerance: number, what: string, scale = 1): void =>
  expect(Math.abs(ours - theirs), `${what}: ${ours} and ${theirs}`).toBeLessThanOrEqual(
    tolerance * Math.max(scale, Math.abs(theirs)),
  );

/** Settings whose density the grid of the unconstrained line can hold: not a spike. */
const onGrid = (c: Case): boolean =>
  c.params["shape"] !== 1e5 &&
  c.params["shape"] !== 2e4 &&
  (c.params["a"] ?? 0) < 1e5 &&
  (c.params["b"] ?? 0) < 1e5 &&
  c.params["mean"] !== 1e5 &&
  c.params["concentration"] !== 20000;

const DRAWS = 10_000;

describe.each(ROWS.map((row) => [row.name, row] as const))("%s", (_name, row) => {
  const cases = casesOf(row);
  const names = Object.keys(cases[0]!.params);
  const label = (i: number): string => {
    let at = i;
    for (const c of cases) {
      if (at < c.x.length) return `${JSON.stringify(c.params)} at ${c.x[at]}`;
      at -= c.x.length;
    }
    return "";
  };

  test("has the log density of the table, and its gradients in x and every parameter", async () => {
    const [found, numbers] = [await withTensors(row, cases), await withNumbers(row, cases)];
    for (const [i, value] of cases.flatMap((c) => c.logProb).entries()) {
      close(found["logProb"]![i]!, value, 2e-12, label(i));
      close(numbers["logProb"]![i]!, value, 2e-12, `constants ${label(i)}`);
    }
    for (const name of ["x", ...names]) {
      for (const [i, value] of cases.flatMap((c) => c.gradient[name]!).entries()) {
        close(found[`by ${name}`]![i]!, value, 1e-10, `by ${name}, ${label(i)}`, 1e-3);
        if (name === "x") close(numbers["slope"]![i]!, value, 1e-10, `constants, by x, ${label(i)}`, 1e-3);
      }
    }
    for (const part of ["logCdf", "logSurvival"] as const) {
      if (!found[part]) continue;
      const sign = part === "logCdf" ? 1 : -1;
      for (const [i, value] of cases.flatMap((c) => c[part] ?? c.x.map(() => null)).entries()) {
        if (value === null) continue;
        close(
          found[part][i]!,
          value,
          row.tolerance ?? 1e-9,
          `${part}, ${label(i)}`,
          row.name === "normalMixture" ? 1e-6 : 1e-290,
        );
        // d log F / dx = p / F
        const slope = sign * Math.exp(cases.flatMap((c) => c.logProb)[i]! - value);
        close(found[`${part} by x`]![i]!, slope, 1e-7, `${part} by x, ${label(i)}`, 1e-200);
      }
    }
    for (const part of ["mean", "variance"] as const) {
      if (!numbers[part]!.length) continue;
      for (const [i, c] of cases.entries()) {
        const value = c[part];
        if (value !== null) close(numbers[part]![i]!, value, 1e-12, `${part} ${JSON.stringify(c.params)}`, 1e-6);
        else expect(Number.isFinite(numbers[part]![i]!)).toBe(false);
      }
    }
  });

  test("is −∞ outside the support, where no gradient flows", async () => {
    const x = row.outside;
    if (!x.length) return;
    const at = cases.at(-1)!.params;
    const inputs = { at: given([x.length], x), ...Object.fromEntries(names.map((n) => [n, given([], [at[n]!])])) };
    const found = await evaluate(inputs, (tensors) => {
      const at = tensors["at"]!;
      const d = row.make(Object.fromEntries(names.map((n) => [n, tensors[n as "at"]!])));
      const logProb = d.family.logProb(at, paramsOf(at.trace, d));
      const [byX] = gradient(logProb.sum(), [at]);
      return { logProb, byX: byX! };
    });
    expect(found["logProb"]).toEqual(x.map(() => -Infinity));
    expect(found["byX"]!.map(Math.abs)).toEqual(x.map(() => 0));
  });

  test("integrates to 1 over the line that its support is mapped from", async () => {
    for (const c of cases.filter(onGrid)) {
      const { total } = gridCdf(await unconstrainedLogDensity(row.make, c.params, gridPoints()));
      // Heavy tails reach beyond the grid: 1/π arctan(1/60) of a Cauchy.
      const heavy = ["cauchy", "studentT"].includes(row.name);
      close(total, 1, heavy ? 0.2 : 1e-6, JSON.stringify(c.params));
      if (heavy) expect(total).toBeLessThan(1 + 1e-6);
    }
  });

  test("draws what its density says, and a sampler that is slightly off is found out", async () => {
    for (const [i, c] of cases.filter(onGrid).entries()) {
      const what = JSON.stringify(c.params);
      const family = row.make(c.params).family;
      if (!family.sample) return;
      const { u } = await drawsOf(row, c.params, DRAWS, 10 + i);
      const { at, total, sd } = gridCdf(await unconstrainedLogDensity(row.make, c.params, gridPoints()));
      // Of heavy tails, only what the grid holds is compared.
      const inside = u!.filter((v) => Math.abs(v) < 60);
      expect(inside.length / DRAWS).toBeGreaterThan(total - 0.01);
      expect(kolmogorov(inside, at), what).toBeLessThan(1.95);
      const spread = Math.min(sd, 10);
      expect(kolmogorov(inside.map((v) => v + 0.08 * spread), at), `shifted ${what}`).toBeGreaterThan(1.95); // biome-ignore format: short
    }
  });

  test("passes on gradients: those of draws have the mean of the expectation's", async () => {
    for (const [i, c] of cases.filter(onGrid).slice(0, 3).entries()) {
      const family = row.make(c.params).family;
      if (!family.reparameterised) return;
      const found = await drawsOf(row, c.params, DRAWS, 30 + i);
      const slopes = await expectationSlopes(row, c.params);
      for (const name of names) {
        if (row.moving?.includes(name)) continue;
        const values = found[`by ${name}`]!;
        const mean = values.reduce((a, b) => a + b, 0) / DRAWS;
        const error = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / DRAWS ** 2);
        expect(
          Math.abs(mean - slopes[name]!),
          `${name} of ${JSON.stringify(c.params)}: ${mean} and ${slopes[name]}, ± ${error}`,
        ).toBeLessThan(4 * error + 1e-5);
      }
    }
  });
});
