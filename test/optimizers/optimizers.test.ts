import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { adagrad } from "../../src/optimizers/adagrad.ts";
import { adam } from "../../src/optimizers/adam.ts";
import { clipByNorm, clipByValue } from "../../src/optimizers/clip.ts";
import type { Optimizer } from "../../src/optimizers/optimizer.ts";
import { rmsprop } from "../../src/optimizers/rmsprop.ts";
import {
  constantSchedule, cosineSchedule, linearSchedule, type Schedule, stepSchedule, withWarmup,
} from "../../src/optimizers/schedule.ts"; // biome-ignore format: one import
import { sgd } from "../../src/optimizers/sgd.ts";
import { evaluate, given, scalar } from "../evaluate.ts";

interface Fixture {
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly cases: Record<string, { options: Record<string, number>; parameters: readonly (readonly number[])[] }>;
}

// PyTorch's own updates: scripts/make-optimizer-fixture.py.
const fixture: Fixture = JSON.parse(
  readFileSync(new URL("../fixtures/optimizers-torch.json", import.meta.url), "utf8"),
);

const makers: Record<string, (options: Record<string, number>) => Optimizer> = {
  sgd,
  "sgd with momentum": sgd,
  adagrad,
  rmsprop,
  adam,
  adamw: adam,
};

/** Applies an optimizer to the fixture's gradients, one run a step, and returns the parameters after each. */
async function pathOf(optimizer: Optimizer, learningRate: number): Promise<number[][]> {
  const size = fixture.start.length;
  let parameters = [...fixture.start];
  let slots: Record<string, number[]> = Object.fromEntries(
    optimizer.slots.map((name) => [name, parameters.map(() => 0)]),
  );
  const path: number[][] = [];
  for (const [i, gradient] of fixture.gradients.entries()) {
    const vector = (data: readonly number[]) => given([size], data);
    const result = await evaluate(
      {
        parameters: vector(parameters),
        gradient: vector(gradient),
        learningRate: scalar(learningRate),
        step: scalar(i + 1),
        ...Object.fromEntries(Object.entries(slots).map(([name, x]) => [`slot ${name}`, vector(x)])),
      },
      (x) => {
        const named = x as Readonly<Record<string, (typeof x)["parameters"]>>;
        const own = Object.fromEntries(optimizer.slots.map((name) => [name, named[`slot ${name}`]!]));
        const { parameters, gradient, learningRate, step } = x;
        const updated = optimizer.update({ parameters, gradient, learningRate, step, slots: own });
        return { parameters: updated.parameters, ...updated.slots };
      },
    );
    parameters = result.parameters!;
    slots = Object.fromEntries(optimizer.slots.map((name) => [name, result[name]!]));
    path.push(parameters);
  }
  return path;
}

describe("five steps are PyTorch's, to 1e-14", () => {
  for (const [name, { options, parameters }] of Object.entries(fixture.cases)) {
    test(name, async () => {
      const path = await pathOf(makers[name]!(options), options.lr!);
      path.forEach((ours, i) => {
        for (const [j, x] of ours.entries()) expect(Math.abs(x - parameters[i]![j]!)).toBeLessThan(1e-14);
      });
    });
  }
});

describe("a schedule multiplies the learning rate", () => {
  const at = async (schedule: Schedule, step: number, total: number) =>
    (await evaluate({ step: scalar(step), total: scalar(total) }, (x) => ({ factor: schedule(x.step, x.total) })))
      .factor![0]!;

  test.each<[name: string, schedule: Schedule, step: number, factor: number]>([
    ["constant", constantSchedule, 73, 1],
    ["linear, at the start", linearSchedule, 0, 1],
    ["linear, after three quarters", linearSchedule, 75, 0.25],
    ["cosine, at the start", cosineSchedule, 0, 1],
    ["cosine, half way", cosineSchedule, 50, 0.5],
    ["cosine, after two thirds, ½ (1 + cos 120°)", cosineSchedule, 200 / 3, 0.25],
    ["three parts, in the first", stepSchedule(3, 0.1), 33, 1],
    ["three parts, in the second", stepSchedule(3, 0.1), 34, 0.1],
    ["three parts, in the third", stepSchedule(3, 0.1), 99, 0.01],
    ["warming up over ten steps, at the first", withWarmup(constantSchedule, 10), 0, 0.1],
    ["warming up over ten steps, at the tenth", withWarmup(constantSchedule, 10), 9, 1],
    ["warming up on a line", withWarmup(linearSchedule, 10), 4, 0.5 * 0.96],
  ])("%s", async (_name, schedule, step, factor) => {
    expect(await at(schedule, step, 100)).toBeCloseTo(factor, 14);
  });
});

describe("a clipped gradient", () => {
  const clipped = async (data: number[], clip: typeof clipByNorm, limit: number) =>
    (await evaluate({ g: given([data.length], data) }, ({ g }) => ({ g: clip(limit)(g) }))).g!;

  test("by norm keeps its direction and has the limit's length", async () => {
    expect(await clipped([3, 4], clipByNorm, 1)).toEqual([3 * 0.2, 4 * 0.2]);
  });
  test("by norm stays as it is below the limit", async () => {
    expect(await clipped([3, 4], clipByNorm, 5.1)).toEqual([3, 4]);
  });
  test("by value is cut element by element", async () => {
    expect(await clipped([3, -4, 0.5], clipByValue, 1)).toEqual([1, -1, 0.5]);
  });
});
