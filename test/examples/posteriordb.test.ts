import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { problemOf } from "../../src/inference/problem.ts";
import { compileReporter } from "../../src/inference/reported.ts";
import type { Model } from "../../src/model/model.ts";
import { elementNames } from "../../src/posterior/draws.ts";
import { expectGradient, logJoint } from "../model/log-joint.ts";
import { cases } from "./formulas.ts";

const folder = fileURLToPath(new URL("../../examples/posteriordb", import.meta.url));
const names = readdirSync(folder).map((file) => file.replace(/\.ts$/, ""));

test("there are 28 models, and a formula for each", () => {
  expect(names).toHaveLength(28);
  expect(names.sort()).toEqual(Object.keys(cases).sort());
});

describe.each(Object.entries(cases))("%s", (name, { data, parameters, dim, logDensity, tolerance = 1e-8 }) => {
  const load = async (): Promise<Model> => (await import(`../../examples/posteriordb/${name}.ts`)).default;
  const start = Array.from({ length: dim }, (_, i) => 0.3 * Math.cos(i));

  test("has the log density of its description, up to a constant", async () => {
    const density = await logJoint(await load(), data as never);
    expect(density.names).toHaveLength(dim);
    for (const shift of [1, 2, 3]) {
      const u = start.map((x, i) => x + 0.4 * Math.sin(7 * i + shift));
      const expected = logDensity(u) - logDensity(start);
      expect(Math.abs(density.value(u) - density.value(start) - expected)).toBeLessThan(tolerance * (1 + Math.abs(expected))); // biome-ignore format: one line
    }
    expectGradient(density, start, 1e-5);
  });

  test("reports the parameters that the reference draws have", async () => {
    const reporter = await compileReporter((await problemOf(await load(), data as never)) as never);
    const reported = Object.entries(reporter.shapes).flatMap(([site, shape]) => elementNames(site, shape));
    expect(reported).toEqual(expect.arrayContaining([...parameters]));
  });
});
