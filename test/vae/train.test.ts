import { describe, expect, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import type { Fit, VaeEvent } from "../../src/vae/events.ts";
import { trainVae } from "../../src/vae/train.ts";
import { Vae } from "../../src/vae/vae.ts";
import { onBackends } from "../on-backends.ts";
import { toySet } from "./toy-images.ts";

const small = { encoder: [6], decoder: [6], latent: 2, batch: 8, epochs: 3, seed: 5 } as const;

describe("training", () => {
  onBackends((place) => {
    test("tells its course in events, and lowers the bound", async () => {
      const events: VaeEvent[] = [];
      const { vae, summary } = await trainVae(
        { train: toySet(27), test: toySet(9) },
        { ...small, epochs: 12, lr: 0.02 },
        { ...place(), onEvent: (event) => void events.push(event) },
      );
      expect(events[0]).toMatchObject({
        kind: "start",
        step: 0,
        steps: 48,
        epochs: 12,
        parameters: vae.parameters.shape[0],
      });
      const epochs = events.filter((e) => e.kind === "epoch");
      expect(epochs.map((e) => [e.epoch, e.step])).toEqual(Array.from({ length: 12 }, (_, i) => [i + 1, 4 * (i + 1)]));
      // Before a step event at the end of an epoch comes that epoch's: a checkpoint there has lost no figures.
      for (const [i, e] of events.entries()) {
        if (e.kind === "step" && e.step % 4 === 0) expect(events[i - 1]).toMatchObject({ kind: "epoch", step: e.step });
      }
      expect(events.filter((e) => e.kind === "step").at(-1)).toMatchObject({ step: 48, secondsLeft: 0 });
      expect(epochs.at(-1)!.trainNegElbo).toBeLessThan(epochs[0]!.trainNegElbo - 1);
      for (const e of epochs) expect(e.trainNegElbo).toBeCloseTo(e.rate + e.distortion, 10);
      expect(events.at(-1)).toMatchObject({ kind: "done", ...summary });
      expect(summary).toMatchObject({ step: 48, epochs: 12, testNegElbo: epochs.at(-1)!.testNegElbo });
      expect(summary.testNegElbo).toBe((await vae.meanBound(toySet(9), { pass: 12 })).negElbo);
      expect(summary.parameterHash).toMatch(/^[0-9a-f]{64}$/);
    });

    test("with the same seed has the same bits, with another one others", async () => {
      const hash = async (seed: number) =>
        (await trainVae(toySet(27), { ...small, seed }, place())).summary.parameterHash;
      const first = await hash(1);
      expect(await hash(1)).toBe(first);
      expect(await hash(2)).not.toBe(first);
    });

    test("stopped at any step and resumed ends with the same bits and the same figures", async () => {
      const options = {
        ...small,
        optimizer: "adamw",
        schedule: "cosine",
        warmup: 3,
        clip: "norm:2",
        map: "gaussian:1",
      } as const;
      const data = { train: toySet(27), test: toySet(9) };
      const seconds = { secondsTraining: 0, imagesPerSecond: 0 };
      const whole = await trainVae(data, options, place());
      for (const stopAt of [1, 4, 7]) {
        const controller = new AbortController();
        let saved: Uint8Array | null = null;
        const onEvent = (event: VaeEvent, fit: Fit) => {
          if (event.kind === "step" && event.step >= stopAt) controller.abort(new Error("enough"));
          if (event.kind === "aborted") saved = fit.checkpoint();
        };
        await expect(trainVae(data, options, { ...place(), onEvent, signal: controller.signal })).rejects.toThrow(
          "enough",
        );
        const resumed = await trainVae(data, {}, { ...place(), resume: saved! });
        expect({ ...resumed.summary, ...seconds }).toEqual({ ...whole.summary, ...seconds });
      }
    });
  });

  test("goes on from a finished fit when epochs are raised", async () => {
    let saved: Uint8Array | null = null;
    const onEvent = (event: VaeEvent, fit: Fit) => {
      if (event.kind === "done") saved = fit.checkpoint();
    };
    await trainVae(toySet(27), small, { onEvent });
    const longer = await trainVae(toySet(27), { epochs: 5 }, { resume: saved! });
    const whole = await trainVae(toySet(27), { ...small, epochs: 5 });
    expect(longer.summary.parameterHash).toBe(whole.summary.parameterHash);
    await expect(trainVae(toySet(27), { latent: 3 }, { resume: saved! })).rejects.toThrow(/latent was 2 and now is 3/);
    await expect(trainVae(toySet(26), {}, { resume: saved! })).rejects.toThrow(/27 rows .* 26 rows/);
  });

  test("takes plain rows, and a Gaussian likelihood for them", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => [Math.sin(i), Math.cos(i), i / 40]);
    const { vae } = await trainVae(rows, { epochs: 2, latent: 1, encoder: [4], decoder: [4] });
    expect(vae.config).toMatchObject({ likelihood: "gaussian", binarize: "none", estimator: "analytic" });
    expect((await vae.reconstruct(rows)).values.length).toBe(120);
  });

  test.each([
    { posterior: "full", latent: 3 },
    { posterior: "full", latent: 1 },
    { prior: "gaussian" },
    { prior: "mixture:3" },
    { estimator: "generic", draws: 3 },
    { likelihood: "continuous-bernoulli" },
    { likelihood: "categorical", latent: 2 },
    { likelihood: "gaussian-shared" },
    { likelihood: "bernoulli", binarize: "threshold" },
    { optimizer: "adagrad" },
    { optimizer: "rmsprop" },
    { optimizer: "sgd", momentum: 0.9, lr: 0.01 },
    { optimizer: "adamw", weightDecay: 0.1 },
    { encoder: [], decoder: [] },
    { encoder: [5, 4], decoder: [4, 5, 6], activation: "gelu", init: "he" },
    { activation: "elu", init: "normal:0.1" },
    { activation: "leaky-relu" },
    { activation: "softplus", dtype: "f64" },
    { batch: 1000 },
    { dropLast: true, clip: "value:0.1", schedule: "step:3:0.5" },
  ] as const)("goes down with %o", async (options) => {
    const first: number[] = [];
    const { vae, summary } = await trainVae(
      toySet(54),
      { ...small, epochs: 30, lr: 0.01, ...options },
      { onEvent: (event) => void (event.kind === "epoch" && first.push(event.trainNegElbo)) },
    );
    expect(summary.trainNegElbo).toBeLessThan(first[0]! - 0.1);
    const { mean, draw } = await vae.sample(3);
    expect(mean.values.length).toBe(48);
    expect(draw.values.every(Number.isFinite)).toBe(true);
    const again = await Vae.load(vae.save());
    expect(again.parameterHash).toBe(vae.parameterHash);
    expect((await again.sample(3)).draw).toEqual((await vae.sample(3)).draw);
  });
});

describe("before the first step", () => {
  const never = { onEvent: () => expect.unreachable("training began") };

  test("gray values under a Bernoulli are refused, and the text says what to do", async () => {
    const training = trainVae(toySet(9), { ...small, likelihood: "bernoulli" }, never);
    await expect(training).rejects.toThrow(
      /row 0.*bernoulli likelihood needs every value to be 0 or 255.*--binarize dynamic/s,
    );
  });
  test("so are test rows outside the support", async () => {
    const binary = Array.from({ length: 9 }, (_, i) => [i % 2, 1]);
    await expect(trainVae({ train: binary, test: [[0.5, 1]] }, small, never)).rejects.toThrow(/test data: found 0.5/);
  });
  test("test rows of another width", async () => {
    await expect(trainVae({ train: [[0, 1]], test: [[1]] }, small, never)).rejects.toThrow(/width/);
  });
  test("NaN", async () => {
    await expect(trainVae([[1, 2], [3, Number.NaN]], small, never)).rejects.toThrow(/NaN at row 1, column 1/); // biome-ignore format: short
  });
  test("no rows, rows of different length, and half a row", async () => {
    await expect(trainVae([], small, never)).rejects.toThrow(/no data/);
    await expect(trainVae([[1, 2], [3]], small, never)).rejects.toThrow(/row 1 has 1 values, but row 0 has 2/);
    await expect(trainVae({ values: new Float32Array(5), width: 2 }, small, never)).rejects.toThrow(
      /not whole rows of width 2/,
    );
  });
  test("dropLast with less than one batch", async () => {
    await expect(trainVae(toySet(7), { ...small, dropLast: true }, never)).rejects.toThrow(OptionError);
  });
});
