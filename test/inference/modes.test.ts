import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import {
  type Context,
  categorical,
  dirichlet,
  halfNormal,
  infer,
  mixture,
  model,
  normal,
  ordered,
  restricted,
  type Tensor,
} from "../../src/index.ts";
import { compileLogDensity } from "../../src/inference/compile.ts";
import { Components } from "../../src/inference/components.ts";
import { Fit } from "../../src/inference/fit.ts";
import { findMode } from "../../src/inference/laplace.ts";
import { problemOf } from "../../src/inference/problem.ts";
import { slicer } from "../../src/inference/slicer.ts";

const place = () => ({ runtime: new Runtime({ blas: null }), deterministic: true });
const alike = (n: number): number[] => Array(n).fill(1);

const bells = model(({ sample, observe }: Context, { count, y }: { count: number; y: Tensor }) => {
  const theta = sample("theta", dirichlet(alike(count)));
  const mu = sample("mu", restricted(normal(0, 10), ordered, count));
  const sigma = sample("sigma", halfNormal(3), [count]);
  observe("y", mixture(theta, normal(mu, sigma)), y);
});

type Lines = { count: number; x: Tensor; y: Tensor };
const lines = model(({ sample, observe, plate }: Context, { count, x, y }: Lines) => {
  const theta = sample("theta", dirichlet(alike(count)));
  const a = sample("a", restricted(normal(0, 5), ordered, count));
  const b = sample("b", normal(0, 5), [count]);
  const sigma = sample("sigma", halfNormal(2), [count]);
  plate("point", x.shape[0]!, (i) => {
    const z = sample("z", categorical(theta));
    observe("y", normal(a.at(z).add(b.at(z).mul(x.at(i))), sigma.at(z)), y.at(i));
  });
});

type Clouds = { x: Tensor; y: Tensor };
const clouds = model(({ sample, observe, plate }: Context, { x, y }: Clouds) => {
  const theta = sample("theta", dirichlet(alike(5)));
  const a = sample("a", restricted(normal(0, 10), ordered, 5));
  const b = sample("b", normal(0, 10), [5]);
  const s = sample("s", halfNormal(3), [5]);
  plate("point", x.shape[0]!, (i) => {
    const z = sample("z", categorical(theta));
    observe("x", normal(a.at(z), s.at(z)), x.at(i));
    observe("y", normal(b.at(z), s.at(z)), y.at(i));
  });
});

/** u of increasing values, and of a simplex with equal parts. */
const increments = (x: readonly number[]): number[] => x.map((v, i) => (i === 0 ? v : Math.log(v - x[i - 1]!)));
const even = (n: number): number[] => Array(n - 1).fill(0);

const generator = new Generator(1, "data");
const drawn = (n: number, value: (k: number) => number): number[] =>
  Array.from({ length: n }, (_, k) => value(k) + generator.normal());
const means = [-9, -3, 2, 7, 13];
const [a, b] = [
  [-6, -2, 1, 5],
  [2, -2, 3, -1],
];
const x = Array.from({ length: 300 }, () => 1.5 * generator.normal());
const [left, up] = [
  [-8, -4, 0, 4, 8],
  [4, -6, 7, -5, 5],
];
/** Models, data, and the parameters that the data come from, unconstrained. */
const cases: readonly (readonly [string, typeof bells, object, number[]])[] = [
  [
    "five normals",
    bells,
    { count: 5, y: drawn(480, (k) => means[k % 5]!) },
    [...even(5), ...increments(means), ...even(6)],
  ],
  [
    "four lines",
    lines as never,
    { count: 4, x, y: x.map((v, k) => a![k % 4]! + b![k % 4]! * v + 0.5 * generator.normal()) },
    [...even(4), ...increments(a!), ...b!, ...alike(4).map(() => Math.log(0.5))],
  ],
  [
    "five clouds",
    clouds as never,
    { x: drawn(250, (k) => left![k % 5]!), y: drawn(250, (k) => up![k % 5]!) },
    [...even(5), ...increments(left!), ...up!, ...even(6)],
  ],
];

describe("searches for the modes of a mixture", () => {
  for (const [name, of, data, truth] of cases) {
    test(`find the mode that belongs to the truth, whatever the seed: ${name}`, async () => {
      const problem = (await problemOf(of, data as never, place())) as never;
      const density = await compileLogDensity(problem);
      const { logDensity } = await findMode(
        await new Fit(problem, density, {}).compiled(),
        Float64Array.from(truth),
        slicer(undefined),
      );
      for (let seed = 0; seed < 4; seed++) {
        const { best, beside } = await new Fit(problem, density, { seed }).modes();
        expect(Math.max(...[best, ...beside].map((m) => m.logDensity))).toBeGreaterThan(logDensity - 0.1);
      }
    });
  }
});

test("some of 24 mirror images of one mode are not certified as all", async () => {
  const free = model(({ sample, observe }: Context, { y }: { y: Tensor }) => {
    const mu = sample("mu", normal(0, 10), [4]);
    observe("y", mixture([0.25, 0.25, 0.25, 0.25], normal(mu, 1)), y);
  });
  const y = drawn(120, (k) => [-8, -2, 3, 10][k % 4]!);
  for (let seed = 0; seed < 2; seed++) {
    const posterior = await infer(free, { y }, { method: "importance", seed, ...place() });
    const [mean, sd] = [posterior.mean("mu"), posterior.sd("mu")];
    const exact = (mean[0]! + mean[1]! + mean[2]! + mean[3]!) / 4;
    const off = Math.max(...[0, 1, 2, 3].map((k) => Math.abs(mean[k]! - exact) / sd[k]!));
    if (posterior.trusted) expect(off).toBeLessThan(0.1);
    expect(posterior.trusted).toBe(false);
  }
});

describe("components that are redrawn", () => {
  test("keep what is not of them, and the order that is asked for", async () => {
    const problem = await problemOf(bells, { count: 3, y: [1, 2, 3] }, place());
    const components = new Components(problem.coordinates);
    expect(components.any).toBe(true);
    const at = Float64Array.from([0.3, -0.2, ...increments([-4, 0, 5]), 0.1, 0.2, 0.3]);
    const moves = new Generator(1, "moves");
    for (let k = 0; k < 20; k++) {
      const moved = components.moved(at, moves);
      expect(moved).toHaveLength(at.length);
      expect(moved.every(Number.isFinite)).toBe(true);
      // Two of the three scales are those that were there.
      const kept = [...moved.slice(-3)].filter((v) => [0.1, 0.2, 0.3].includes(v));
      expect(kept.length).toBeGreaterThanOrEqual(2);
      expect(components.redrawn(at, moves).every(Number.isFinite)).toBe(true);
    }
  });

  test("are none where no axis is one of several alike", async () => {
    const single = model(({ sample }: Context) => void sample("x", normal(0, 1)));
    expect(new Components((await problemOf(single, {}, place())).coordinates).any).toBe(false);
  });
});
