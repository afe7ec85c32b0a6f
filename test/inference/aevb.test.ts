import { describe, expect, test } from "vitest";
import { Runtime } from "../../src/engine/runtime.ts";
import { boundGradient } from "../../src/inference/aevb.ts";
import { latentNoise } from "../../src/inference/latent-noise.ts";
import { minibatchAt, stepsPerEpoch } from "../../src/inference/minibatch.ts";
import { initialParameters, unpack } from "../../src/nn/layout.ts";
import { program, u8, u32 } from "../../src/program/program.ts";
import { concat, stack } from "../../src/tensor/functions.ts";
import type { Key } from "../../src/tensor/random.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { aevbProblem, architectureOf } from "../../src/vae/architecture.ts";
import { configure } from "../../src/vae/configuration.ts";
import type { VaeOptions } from "../../src/vae/options.ts";
import type { VaePlace } from "../../src/vae/vae.ts";
import { onBackends } from "../on-backends.ts";
import { toyImages } from "../vae/toy-images.ts";

const images = toyImages(12);

/** Runs a body that sees twelve gray images and a binarising problem over them. */
async function onImages(
  options: VaeOptions,
  { runtime = new Runtime({ blas: null }), backend }: VaePlace,
  body: (
    problem: ReturnType<typeof aevbProblem>,
    parameters: Tensor,
    count: Tensor,
    key: Key<Tensor>,
    order: Tensor,
  ) => Record<string, Tensor>,
  order: readonly number[] = Array.from({ length: 12 }, (_, i) => i),
): Promise<Record<string, number[]>> {
  const sizes = { encoder: [5], decoder: [5], latent: 2, init: "normal:0.5", dtype: "f64" } as const;
  const config = configure({ ...sizes, ...options }, { isImage: true, isBinary: false, greatest: 255 });
  const architecture = architectureOf(config, 16);
  const observation = { scale: 255, binarize: config.binarize, isCategorical: false, dtype: config.dtype };
  const run = await program({
    runtime,
    backend,
    inputs: { data: u8([12, 16]), count: u32([]), order: u32([12]) },
    body: ({ inputs, rng }) => {
      const problem = aevbProblem(architecture, config, observation, inputs.data, inputs.count);
      const parameters = initialParameters(architecture.layout, rng.site("init"), "f64");
      return { outputs: body(problem, parameters, inputs.count, rng.site("step"), inputs.order) };
    },
  });
  await run.run({ data: images, count: 12, order: Uint32Array.from(order) }, 1, { seed: 8 });
  return Object.fromEntries(Object.entries(run.outputs).map(([name, buffer]) => [name, Array.from(buffer.read())]));
}

const u = (like: Tensor, value: number): Tensor => like.mul(0).add(value);

describe("a minibatch", () => {
  onBackends((place) => {
    test("that is not full weighs the rows it has, and its gradient is that of those rows alone", async () => {
      const { rows, weights, gradient, bound } = await onImages({}, place(), (problem, parameters, count, key) => {
        const batch = minibatchAt(u(count, 9), count, 8, null);
        const found = boundGradient(problem, parameters, batch, key);
        return { ...batch, gradient: found.gradient, bound: found.info.negElbo };
      });
      expect(rows).toEqual([9, 10, 11, 11, 11, 11, 11, 11]);
      expect(weights).toEqual([1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, 0]);
      const alone = await onImages({}, place(), (problem, parameters, count, key) => {
        const found = boundGradient(problem, parameters, minibatchAt(u(count, 9), count, 3, null), key);
        return { gradient: found.gradient, bound: found.info.negElbo };
      });
      expect(bound![0]).toBeCloseTo(alone.bound![0]!, 12);
      for (const [i, g] of gradient!.entries()) expect(g).toBeCloseTo(alone.gradient![i]!, 12);
    });

    test("gives each row the noise and the binarised image of its own, wherever it stands", async () => {
      const bounds = (order: number[], size: number) =>
        onImages({ draws: 2 }, place(), (problem, parameters, count, key, given) => {
          const batch = minibatchAt(u(count, 0), count, size, given);
          return { rows: batch.rows, ...boundGradient(problem, parameters, batch, key).terms };
        }, order); // biome-ignore format: one call
      const forwards = await bounds([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 12);
      const mixed = await bounds([7, 3, 11, 0, 5, 1, 2, 4, 6, 8, 9, 10], 5);
      expect(mixed.rows).toEqual([7, 3, 11, 0, 5]);
      for (const [i, row] of mixed.rows!.entries()) {
        expect(mixed.rate![i]).toBeCloseTo(forwards.rate![row]!, 12);
        expect(mixed.distortion![i]).toBeCloseTo(forwards.distortion![row]!, 12);
      }
    });
  });

  test("an epoch has ⌈rows / batch⌉ steps, or ⌊rows / batch⌋ when the last is dropped", async () => {
    const run = await program({
      inputs: { count: u32([]) },
      body: ({ inputs: { count } }) => ({
        outputs: { used: stepsPerEpoch(count, 128, false), dropped: stepsPerEpoch(count, 128, true) },
      }),
    });
    for (const count of [1, 127, 128, 129, 60_000]) {
      const { metrics } = await run.run({ count });
      expect([metrics.used![0], metrics.dropped![0]]).toEqual([Math.ceil(count / 128), Math.floor(count / 128)]);
    }
  });
});

test("noise of further draws leaves that of the first ones as it was", async () => {
  const run = await program({
    inputs: { rows: u32([3]) },
    body: ({ inputs, rng }) => ({
      outputs: { two: latentNoise(rng, inputs.rows, 2, 4, "f64"), five: latentNoise(rng, inputs.rows, 5, 4, "f64") },
    }),
  });
  await run.run({ rows: [5, 2, 9] });
  const { two, five } = run.outputs;
  expect(five.read().slice(0, 24)).toEqual(two.read());
});

describe("both SGVB estimators", () => {
  for (const posterior of ["diagonal", "full"] as const) {
    test.each(["standard", "gaussian"] as const)(
      `agree on average in bound and gradient: ${posterior} posterior, %s prior`,
      async (prior) => {
        const [repeats, draws] = [24, 100];
        const run = (estimator: "generic" | "analytic") =>
        onImages({ estimator, draws, posterior, prior, binarize: "threshold", init: "normal:0.2" }, {}, (problem, parameters, count, key) => {
          const batch = minibatchAt(u(count, 0), count, 12, null);
          const found = Array.from({ length: repeats }, (_, i) => boundGradient(problem, parameters, batch, key.fold(u(count, i))));
          return { all: stack(found.map((f) => concat([f.info.negElbo.reshape([1]), f.gradient]))) };
        }); // biome-ignore format: short
        const [generic, analytic] = [(await run("generic")).all!, (await run("analytic")).all!];
        const size = generic.length / repeats;
        // Of bound and gradient, how many standard errors the mean difference is from 0: at the same noise, so only KL differs.
        const scores = Array.from({ length: size }, (_, j) => {
          const differences = Array.from(
            { length: repeats },
            (_, i) => generic[i * size + j]! - analytic[i * size + j]!,
          );
          const mean = differences.reduce((sum, x) => sum + x / repeats, 0);
          const variance = differences.reduce((sum, x) => sum + (x - mean) ** 2 / (repeats - 1), 0);
          return Math.abs(mean) / Math.sqrt(variance / repeats + 1e-20);
        });
        expect(scores[0]).toBeLessThan(4);
        expect(Math.max(...scores)).toBeLessThan(6);
        expect(Math.max(...scores)).toBeGreaterThan(0.5);
      },
    );
  }
});

test("MAP adds the gradient of −log p(θ) / N to the model's parameters, and nothing to the encoder's", async () => {
  const sd = 0.3;
  const { parameters, added } = await onImages({ map: `gaussian:${sd}` }, {}, (problem, parameters) => {
    const value = problem.negLogPrior!(unpack(parameters, problem.layout));
    return { parameters, added: value };
  });
  const config = configure(
    { encoder: [5], decoder: [5], latent: 2 },
    { isImage: true, isBinary: false, greatest: 255 },
  );
  const { places } = architectureOf(config, 16).layout;
  const start = places.find((p) => p.name === "decoder.0.weight")!.offset;
  const negLogDensity = (w: number) => w ** 2 / (2 * sd ** 2) + Math.log(sd) + 0.5 * Math.log(2 * Math.PI);
  const expected = parameters!.slice(start).reduce((sum, w) => sum + negLogDensity(w), 0) / 12;
  expect(added![0]).toBeCloseTo(expected, 10);
});
