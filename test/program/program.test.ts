import { describe, expect, expectTypeOf, test } from "vitest";
import { OptionError, ShapeError } from "../../src/base/errors.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { f32, f64, gradient, i32, program, u8, u32, upTo } from "../../src/program/program.ts";
import * as f from "../../src/tensor/functions.ts";
import { normal } from "../../src/tensor/random.ts";

const runtime = new Runtime({ relaxed: false });

describe("types of states and inputs", () => {
  test("are a dtype, a shape, and whether the count is given at run time", () => {
    expect(f32([2, 3])).toEqual({ dtype: "f32", shape: [2, 3], upTo: false });
    expect(u8([upTo(60_000), 784])).toEqual({ dtype: "u8", shape: [60_000, 784], upTo: true });
    expect([f64([]), i32([0]), u32([1])].map((s) => s.dtype)).toEqual(["f64", "i32", "u32"]);
  });
  test("have whole sizes, and a count on the outermost axis alone", () => {
    expect(() => f32([2.5])).toThrow("axis 0 of a f32 tensor has size 2.5: sizes are integers ≥ 0");
    expect(() => f32([2, -1])).toThrow(OptionError);
    expect(() => u8([3, upTo(5)])).toThrow("upTo is for the outermost axis only");
  });
});

test("gradient descent on a least-squares problem reaches the solution of the normal equations", async () => {
  const step = await program({
    state: { w: f64([2]) },
    inputs: { x: f64([4, 2]), y: f64([4]) },
    runtime,
    body: ({ state: { w }, inputs: { x, y } }) => {
      const error = x
        .matmul(w.reshape([2, 1]))
        .reshape([4])
        .sub(y);
      const cost = error.square().sum();
      const [dw] = gradient(cost, [w]);
      return { state: { w: w.sub(dw!.mul(0.02)) }, outputs: { cost } };
    },
  });
  const x = [1, 0, 1, 1, 1, 2, 1, 3];
  const y = [1, 3, 2, 5];
  const { metrics } = await step.run({ x, y }, 2000);
  // Intercept and slope of (0,1), (1,3), (2,2), (3,5) by hand: ȳ = 11/4, slope = 11/10.
  expect(step.state.w.read()[1]).toBeCloseTo(1.1, 10);
  expect(step.state.w.read()[0]).toBeCloseTo(11 / 4 - 1.1 * 1.5, 10);
  expect(metrics.cost![1999]!).toBeLessThan(metrics.cost![0]!);
});

test("a state that is not returned stays, and a body may have no state at all", async () => {
  const p = await program({
    state: { a: f32([2]), b: f32([2]) },
    inputs: { x: f32([]) },
    runtime,
    body: ({ state: { a }, inputs: { x } }) => ({ state: { a: a.add(x) } }),
  });
  p.state.b.write([5, 6]);
  await p.run({ x: 3 }, 2);
  expect([...p.state.a.read(), ...p.state.b.read()]).toEqual([6, 6, 5, 6]);
  const pure = await program({
    inputs: { x: f32([2]) },
    runtime,
    body: ({ inputs: { x } }) => ({ outputs: { y: x.mul(2) } }),
  });
  await pure.run({ x: [1, 2] });
  expect([...pure.outputs.y.read()]).toEqual([2, 4]);
});

test("states can be exchanged", async () => {
  const p = await program({
    state: { a: f32([3]), b: f32([3]) },
    runtime,
    body: ({ state: { a, b } }) => ({ state: { a: b, b: a }, outputs: { before: a } }),
  });
  p.state.a.write([1, 2, 3]);
  p.state.b.write([4, 5, 6]);
  await p.run(undefined, 3);
  expect([...p.state.a.read(), ...p.state.b.read()]).toEqual([4, 5, 6, 1, 2, 3]);
  expect([...p.outputs.before.read()]).toEqual([1, 2, 3]);
});

test("counts of rows reach the body; a fixed input has none", async () => {
  const p = await program({
    inputs: { x: f64([upTo(4)]) },
    runtime,
    body: ({ inputs: { x }, count }) => {
      const n = count("x");
      const inside = f.lt(f.iota(x, [4], 0, "u32"), n);
      return { outputs: { mean: f.sum(f.where(inside, x, 0)).div(n.cast("f64")) } };
    },
  });
  expect((await p.run({ x: [1, 2, 6] })).metrics.mean![0]).toBe(3);
  const fixed = program({
    inputs: { x: f64([4]) },
    runtime,
    body: ({ inputs: { x }, count }) => ({ outputs: { y: x.mul(count("x").cast("f64")) } }),
  });
  await expect(fixed).rejects.toThrow('input "x" has a fixed number of rows: declare it with upTo(…) to count them');
});

describe("the seed", () => {
  const draws = program({
    state: { t: u32([]) },
    runtime,
    body: ({ state: { t }, rng }) => ({
      state: { t: t.add(1) },
      outputs: { same: normal(rng, [], "f64"), fresh: normal(rng.fold(t), [], "f64") },
    }),
  });
  test("makes the key of a run; what is not folded into it is drawn again in each step", async () => {
    const p = await draws;
    const { metrics } = await p.run(undefined, 4, { seed: 5 });
    expect(new Set(metrics.same).size).toBe(1);
    expect(new Set(metrics.fresh).size).toBe(4);
  });
  test("is 0 where none is given, and differs by seed", async () => {
    const p = await draws;
    const of = async (seed?: number) => (await p.run(undefined, 1, { seed })).metrics.same![0];
    expect(await of()).toBe(await of(0));
    expect(await of(1)).not.toBe(await of(0));
    expect(() => p.run(undefined, 1, { seed: -1 })).toThrow("a seed is an integer");
  });
});

test("names of states, inputs and outputs are typed", async () => {
  const p = await program({
    state: { a: f32([1]) },
    inputs: { x: f32([1]) },
    runtime,
    body: ({ state, inputs }) => ({ outputs: { y: state.a.add(inputs.x) } }),
  });
  expectTypeOf(p.state).toHaveProperty("a");
  expectTypeOf(p.outputs).toHaveProperty("y");
  // @ts-expect-error there is no such output
  expect(p.outputs.z).toBeUndefined();
});

test("shapes that do not fit are found while the body is traced", async () => {
  const wrong = program({
    inputs: { x: f32([3]), y: f32([4]) },
    runtime,
    body: ({ inputs: { x, y } }) => ({ outputs: { z: x.add(y) } }),
  });
  await expect(wrong).rejects.toThrow(ShapeError);
  await expect(wrong).rejects.toThrow("add of shapes [3] and [4], which do not broadcast");
});
