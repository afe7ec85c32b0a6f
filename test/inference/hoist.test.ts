import { expect, test } from "vitest";
import { normal } from "../../src/distributions/normal.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { compileLogDensity } from "../../src/inference/compile.ts";
import { hoistData } from "../../src/inference/hoist.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { model } from "../../src/model/model.ts";
import { stack } from "../../src/tensor/functions.ts";
import { matvec } from "../../src/tensor/linalg.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const n = 200;
const x = Array.from({ length: n }, (_, i) => 1 + (i % 7));
const y = x.map((v, i) => v ** 0.3 + 0.01 * (i % 3));
const power = model(({ sample, observe }, data: { x: Tensor; y: Tensor }) => {
  const beta = sample("beta", normal(0, 1), [2]);
  const logs = data.x.log();
  observe("y", normal(matvec(stack([logs, logs.square()], 1), beta), 0.5), data.y.log());
});

test("what data alone decide is computed before, and the density and its gradient stay the same", async () => {
  const problem = await problemOf(power, { x, y }, { runtime: new Runtime({ blas: null }) });
  const hoisted = await hoistData(problem);
  const parts = Object.entries(hoisted.inputs).filter(([name]) => name.startsWith("part."));
  expect(parts.map(([, { shape }]) => shape)).toEqual(expect.arrayContaining([[n, 2], [n]]));
  expect(parts).toHaveLength(2);
  const [before, after] = [await compileLogDensity(problem), await compileLogDensity(hoisted)];
  const u = Float64Array.of(0.4, -0.1);
  const [g, h] = [new Float64Array(2), new Float64Array(2)];
  const value = before.evaluate(u, g);
  expect(Math.abs(after.evaluate(u, h) - value)).toBeLessThan(1e-12 * Math.abs(value));
  for (const i of [0, 1]) expect(Math.abs(h[i]! - g[i]!)).toBeLessThan(1e-12 * Math.abs(g[i]!));
});

test("a model whose data are few stays as it is", async () => {
  const problem = await problemOf(power, { x: x.slice(0, 5), y: y.slice(0, 5) });
  expect(await hoistData(problem)).toBe(problem);
});
