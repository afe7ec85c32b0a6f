import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type OdeAdaptiveOptions, odeAdaptive } from "../../src/ode/adaptive.ts";
import { odeFixed } from "../../src/ode/fixed.ts";
import type { Derivative } from "../../src/ode/stages.ts";
import { f64, gradient, program } from "../../src/program/program.ts";
import { concat, full, reshape, stack } from "../../src/tensor/functions.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { vmap } from "../../src/transforms/vmap.ts";
import { evaluate, given, scalar } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";

const entry = (x: Tensor, i: number): Tensor => reshape(x.narrow(0, i, 1), []);
const at = (x: Tensor, row: number, i: number): Tensor => reshape(x.slice([row, i], [1, 1]), []);

/** y'' = −ω² y as a system. */
const oscillator =
  (omega: Tensor): Derivative =>
  (_t, y) =>
    stack([entry(y, 1), entry(y, 0).mul(omega.square()).neg()]);
/** cos ωt and its derivative */
const oscillation = (t: number, omega: number): number[] => [Math.cos(omega * t), -omega * Math.sin(omega * t)];

const logistic =
  (r: Tensor, k: Tensor): Derivative =>
  (_t, y) =>
    r.mul(y).mul(y.div(k).neg().add(1));
const grown = (t: number, y0: number, r: number, k: number): number => k / (1 + (k / y0 - 1) * Math.exp(-r * t));

const largest = (got: readonly number[], want: readonly number[]): number => {
  expect(got.length).toBe(want.length);
  return Math.max(...got.map((x, i) => Math.abs(x - want[i]!) / Math.max(1, Math.abs(want[i]!))));
};

const times = [0, 0.4, 1, 2.5, 3];

onBackends((place) => {
  describe("fixed steps", () => {
    test.each([
      ["euler", 1, 0.2],
      ["midpoint", 2, 2e-3],
      ["rk4", 4, 1e-7],
    ] as const)("%s is of order %d", async (method, order, bound) => {
      const { coarse, fine } = await evaluate(
        { y0: given([2], [1, 0]) },
        ({ y0 }) => {
          const f = oscillator(full(y0, [], 2));
          const solve = (stepsPerInterval: number) => odeFixed(f, y0, times, { method, stepsPerInterval });
          return { coarse: solve(50), fine: solve(100) };
        },
        place(),
      );
      const want = times.flatMap((t) => oscillation(t, 2));
      const [error, half] = [largest(coarse!, want), largest(fine!, want)];
      expect(half).toBeLessThan(bound);
      expect(Math.log2(error / half)).toBeCloseTo(order, 0);
    });

    test("the time is what f is given: y' = 3 t² is solved exactly by order 4", async () => {
      const { y } = await evaluate(
        { y0: given([1], [1]), times: given([4], [1, 2, 4, 3]) },
        ({ y0, times }) => ({ y: odeFixed((t) => reshape(t.square().mul(3), [1]), y0, times) }),
        place(),
      );
      expect(largest(y!, [1, 8, 64, 27])).toBeLessThan(1e-14);
    });
  });

  describe("adaptive steps", () => {
    test("the harmonic oscillator, forwards and backwards", async () => {
      const { y, back } = await evaluate(
        { y0: given([2], [1, 0]) },
        ({ y0 }) => {
          const f = oscillator(full(y0, [], 2));
          const options = { relTol: 1e-9, absTol: 1e-9 };
          return { y: odeAdaptive(f, y0, times, options), back: odeAdaptive(f, y0, times.map((t) => -t), options) };
        }, // biome-ignore format: one result
        place(),
      );
      expect(largest(y!, times.flatMap((t) => oscillation(t, 2)))).toBeLessThan(1e-7); // biome-ignore format: short
      expect(largest(back!, times.flatMap((t) => oscillation(-t, 2)))).toBeLessThan(1e-7); // biome-ignore format: short
    });

    test("smaller tolerances, smaller errors", async () => {
      const run = async (tolerance: number) => {
        const { y } = await evaluate(
          { y0: given([1], [0.1]) },
          ({ y0 }) => ({ y: odeAdaptive(logistic(full(y0, [], 1.5), full(y0, [], 2)), y0, times, { relTol: tolerance, absTol: tolerance }) }), // biome-ignore format: one call
          place(),
        );
        return largest(y!, times.map((t) => grown(t, 0.1, 1.5, 2))); // biome-ignore format: short
      };
      const errors = [await run(1e-4), await run(1e-7), await run(1e-10)] as const;
      expect(errors[0]).toBeLessThan(1e-3);
      expect(errors[1]).toBeLessThan(errors[0] / 50);
      expect(errors[2]).toBeLessThan(1e-9);
    });

    test("a stiff decay towards cos t is followed with many small steps", async () => {
      // y' = −λ (y − cos t) has y = (λ² cos t + λ sin t − λ² e^(−λt)) / (1 + λ²) from y(0) = 0.
      const lambda = 500;
      const { y } = await evaluate(
        { y0: given([1], [0]) },
        ({ y0 }) => ({
          y: odeAdaptive((t, y) => y.sub(t.cos()).mul(-lambda), y0, [0, 0.01, 1, 2], { maxSteps: 2000 }),
        }),
        place(),
      );
      const exact = (t: number) =>
        (lambda ** 2 * (Math.cos(t) - Math.exp(-lambda * t)) + lambda * Math.sin(t)) / (1 + lambda ** 2);
      expect(largest(y!, [0, 0.01, 1, 2].map(exact))).toBeLessThan(1e-5); // biome-ignore format: short
    });

    test("where maxSteps do not suffice, that row and those after it are NaN", async () => {
      const { y } = await evaluate(
        { y0: given([1], [1]) },
        // y' = y² has its pole at t = 1.
        ({ y0 }) => ({ y: odeAdaptive((_t, y) => y.square(), y0, [0, 0.5, 0.9, 1.5, 1.6], { maxSteps: 100 }) }),
        place(),
      );
      expect(largest(y!.slice(0, 3), [1, 2, 10])).toBeLessThan(1e-4);
      expect(y!.slice(3)).toEqual([Number.NaN, Number.NaN]);
    });

    test("gradients by parameters, start and times are those of the solution", async () => {
      const got = await evaluate(
        { y0: given([2], [1, 0]), omega: scalar(2), times: given([3], [0.1, 0.7, 1.5]) },
        ({ y0, omega, times }) => {
          const y = odeAdaptive(oscillator(omega), y0, times, { relTol: 1e-10, absTol: 1e-10 });
          const [dy0, dOmega, dTimes] = gradient(at(y, 2, 0), [y0, omega, times]);
          return { dy0: dy0!, dOmega: dOmega!, dTimes: dTimes! };
        },
        place(),
      );
      // y(t) = cos ω(t − t₀) y₀ + sin ω(t − t₀) v₀ / ω
      const angle = 2 * 1.4;
      expect(largest(got.dy0!, [Math.cos(angle), Math.sin(angle) / 2])).toBeLessThan(1e-7);
      expect(largest(got.dOmega!, [-1.4 * Math.sin(angle)])).toBeLessThan(1e-7);
      expect(largest(got.dTimes!, [2 * Math.sin(angle), 0, -2 * Math.sin(angle)])).toBeLessThan(1e-7);
    });

    test("over a batch, each element takes steps of its own", async () => {
      const omegas = [0.5, 2, 9];
      const got = await evaluate(
        { y0: given([2], [1, 0]), omega: scalar(1), omegas: given([3], omegas) },
        ({ y0, omega, omegas }) => {
          const y = odeAdaptive(oscillator(omega), y0, [0, 1, 2], { relTol: 1e-9, absTol: 1e-9 });
          const last = at(y, 2, 0);
          const outputs = [last, gradient(last, [omega])[0]!].map((x) => x.node);
          const [all, slopes] = vmap(y0.trace, outputs, new Map([[omega.node, omegas.node]]), 3).map((n) => y0.of(n));
          return { all: all!, slopes: slopes!, after: gradient(all!.sum(), [omegas])[0]! };
        },
        place(),
      );
      expect(largest(got.all!, omegas.map((w) => Math.cos(2 * w)))).toBeLessThan(1e-6); // biome-ignore format: short
      expect(largest(got.slopes!, omegas.map((w) => -2 * Math.sin(2 * w)))).toBeLessThan(1e-5); // biome-ignore format: short
      expect(largest(got.after!, got.slopes!)).toBeLessThan(1e-13);
    });
  });
});

describe("Lotka-Volterra against SciPy's DOP853", () => {
  // scripts/make-time-series-fixture.py
  const { lotkaVolterra: stored } = JSON.parse(readFileSync("test/fixtures/time-series.json", "utf8")) as {
    lotkaVolterra: { at: number[]; times: number[]; solution: number[][]; gradientOfLast: number[][] };
  };
  const f =
    (p: Tensor): Derivative =>
    (_t, y) => {
      const [a, b, c, d] = [0, 1, 2, 3].map((i) => entry(p, i)) as [Tensor, Tensor, Tensor, Tensor];
      const [u, v] = [entry(y, 0), entry(y, 1)];
      return stack([a.sub(b.mul(v)).mul(u), d.mul(u).sub(c).mul(v)]);
    };
  const options: OdeAdaptiveOptions = { relTol: 1e-10, absTol: 1e-10 };

  test.each<[string, (p: Tensor) => Tensor]>([
    ["adaptive", (p) => odeAdaptive(f(p), p.narrow(0, 4, 2), stored.times, options)],
    ["fixed", (p) => odeFixed(f(p), p.narrow(0, 4, 2), stored.times, { stepsPerInterval: 200 })],
  ])("%s: solution and gradients", async (_name, solve) => {
    const got = await evaluate({ p: given([6], stored.at) }, ({ p }) => {
      const y = solve(p);
      const n = stored.times.length - 1;
      return { y, du: gradient(at(y, n, 0), [p])[0]!, dv: gradient(at(y, n, 1), [p])[0]! };
    });
    expect(largest(got.y!, stored.solution.flat())).toBeLessThan(1e-7);
    expect(largest(got.du!, stored.gradientOfLast[0]!)).toBeLessThan(1e-6);
    expect(largest(got.dv!, stored.gradientOfLast[1]!)).toBeLessThan(1e-6);
  });
});

describe("refuses", () => {
  const traced = (body: (x: Tensor) => unknown) =>
    program({ inputs: { x: f64([2]) }, body: ({ inputs: { x } }) => ({ outputs: { y: body(x) as Tensor } }) });
  test.each<[string, (x: Tensor) => unknown]>([
    ["ode: f(t, y) gives f64[1] for a state of f64[2]", (x) => odeFixed((_t, y) => y.narrow(0, 0, 1), x, [0, 1])],
    ["ode: y0 is f64[]; it must be a vector", (x) => odeAdaptive((_t, y) => y, x.sum(), [0, 1])],
    ["ode: times [] must be at least one finite number", (x) => odeFixed((_t, y) => y, x, [])],
    ["ode: times is f64[1, 2]; it must be a vector of f64", (x) => odeFixed((_t, y) => y, x, reshape(x, [1, 2]))],
    [
      "odeFixed: stepsPerInterval 0 is not a number of steps",
      (x) => odeFixed((_t, y) => y, x, [0, 1], { stepsPerInterval: 0 }),
    ],
    [
      'odeFixed: method "rk5"; there are euler, midpoint, rk4',
      (x) => odeFixed((_t, y) => y, x, [0, 1], { method: "rk5" as "rk4" }),
    ],
    ["odeAdaptive: relTol is 0; it must be greater than 0", (x) => odeAdaptive((_t, y) => y, x, [0, 1], { relTol: 0 })],
    [
      'odeAdaptive: method "rk4"; there is dopri5',
      (x) => odeAdaptive((_t, y) => y, x, [0, 1], { method: "rk4" as "dopri5" }),
    ],
  ])("%s", async (message, body) => {
    await expect(traced(body)).rejects.toThrow(message);
  });

  test("one time alone is the start", async () => {
    const { y } = await evaluate({ x: given([2], [3, 4]) }, ({ x }) => ({
      y: concat([odeAdaptive((_t, y) => y, x, [5])], 0),
    }));
    expect(y).toEqual([3, 4]);
  });
});
