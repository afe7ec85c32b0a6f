import { beforeAll, describe, expect, test } from "vitest";
import { OptionError, ShapeError, SupportError } from "../../src/base/errors.ts";
import { encodeSafetensors } from "../../src/data/safetensors.ts";
import { Runtime } from "../../src/engine/runtime.ts";
import { trainVae } from "../../src/vae/train.ts";
import { Vae } from "../../src/vae/vae.ts";
import { toySet } from "./toy-images.ts";

const runtime = new Runtime({ blas: null });
let vae: Vae;
beforeAll(async () => {
  const options = { encoder: [8], decoder: [8], latent: 2, batch: 8, epochs: 80, lr: 0.01, seed: 3 } as const;
  ({ vae } = await trainVae(toySet(54), options, { runtime }));
});

describe("a trained model", () => {
  test("reconstructs the square of each image", async () => {
    const data = toySet(9);
    const { values, rows, columns } = await vae.reconstruct(data);
    expect([rows, columns]).toEqual([9, 16]);
    const error =
      Array.from(values).reduce((sum, p, i) => sum + Math.abs(p - data.values[i]! / 255), 0) / values.length;
    expect(error).toBeLessThan(0.2);
    const { mean } = await vae.encode(data);
    expect((await vae.decode(mean)).values).toEqual(values);
  });

  test("decodes rows and matrices alike, and refuses another width", async () => {
    const rows = [[0.5, -1], [2, 0]]; // biome-ignore format: short rows
    const matrix = { rows: 2, columns: 2, values: Float64Array.from(rows.flat()) };
    expect((await vae.decode(rows)).values).toEqual((await vae.decode(matrix)).values);
    await expect(vae.decode([[1, 2, 3]])).rejects.toThrow(ShapeError);
  });

  test("has the same score for a row in any company, and their mean is the mean bound", async () => {
    const { values } = toySet(300);
    const all = await vae.score({ values, width: 16 });
    const some = await vae.score({ values: values.subarray(0, 16 * 150), width: 16 });
    expect(some.negElbo).toEqual(all.negElbo.subarray(0, 150));
    expect(all.negElbo.every((x, i) => x === all.rate[i]! + all.distortion[i]!)).toBe(true);
    const { negElbo } = await vae.meanBound({ values, width: 16 });
    expect(negElbo).toBeCloseTo(
      all.negElbo.reduce((sum, x) => sum + x / 300, 0),
      6,
    );
  });

  test("scores with other seeds, passes and draws differ, and average to the same", async () => {
    const data = toySet(9);
    const mean = async (options: object) => (await vae.meanBound(data, options)).negElbo;
    const first = await mean({});
    expect(await mean({})).toBe(first);
    expect(await mean({ pass: 1 })).not.toBe(first);
    expect(await mean({ seed: 9 })).not.toBe(first);
    const passes = await Promise.all(Array.from({ length: 200 }, (_, pass) => mean({ pass })));
    const average = passes.reduce((sum, x) => sum + x / 200, 0);
    const sd = Math.sqrt(passes.reduce((sum, x) => sum + (x - average) ** 2 / 199, 0));
    // Dynamic binarisation is drawn once for all draws of an example, so its share of the noise is in either mean.
    expect(Math.abs((await mean({ draws: 64, seed: 4 })) - average)).toBeLessThan(4 * sd);
  });

  test("likelihoods by importance sampling lie above the bound and settle as samples grow", async () => {
    const data = toySet(27);
    const few = await vae.logLikelihood(data, { samples: 5 });
    const many = await vae.logLikelihood(data, { samples: 3000 });
    const bound = (await vae.meanBound(data, { draws: 20 })).negElbo;
    expect(many.nll).toBeLessThan(few.nll + 0.2);
    expect(many.nll).toBeLessThan(bound + 0.2);
    expect(many.monteCarloError).toBeLessThan(few.monteCarloError);
    expect(many).toMatchObject({ samples: 3000, examples: 27 });
    expect(many.standardError).toBeGreaterThan(0);
    await expect(vae.logLikelihood(data, { samples: 0 })).rejects.toThrow(OptionError);
  });

  test("log p(x) of a small model sums to one over all images", async () => {
    const bits = 4;
    const rows = Array.from({ length: 2 ** bits }, (_, i) => Array.from({ length: bits }, (_, j) => (i >> j) & 1));
    const trained = await trainVae(
      rows.filter((_, i) => i % 3 === 0),
      { likelihood: "bernoulli", encoder: [6], decoder: [6], latent: 2, epochs: 60, lr: 0.02, dtype: "f64" },
      { runtime },
    );
    const { logProb } = await trained.vae.logLikelihood(rows, { samples: 20_000 });
    expect(Math.abs(logProb.reduce((sum, x) => sum + Math.exp(x), 0) - 1)).toBeLessThan(0.01);
  });

  test("samples are the same for a seed, and the first ones the same for any count", async () => {
    const [few, many] = [await vae.sample(5, { seed: 1 }), await vae.sample(200, { seed: 1 })];
    expect(many.mean.values.slice(0, 80)).toEqual(few.mean.values);
    expect((await vae.sample(5, { seed: 2 })).z).not.toEqual(few.z);
    const z = Array.from(many.z.values);
    expect(Math.abs(z.reduce((sum, x) => sum + x, 0) / z.length)).toBeLessThan(4 / Math.sqrt(z.length));
    expect((await vae.decode(few.z)).values).toEqual(few.mean.values);
    expect(few.draw.values.every((x) => x === 0 || x === 1)).toBe(true);
    await expect(vae.sample(0)).rejects.toThrow(OptionError);
  });

  test("refuses rows of another width or scale, and values outside its support", async () => {
    await expect(vae.encode([[1, 2, 3]])).rejects.toThrow(/rows of 3 values, but the model was fitted to rows of 16/);
    await expect(vae.encode([new Array(16).fill(2)])).rejects.toThrow(SupportError);
    await expect(vae.encode({ values: new Uint8Array(16), width: 16, scale: 1 })).rejects.toThrow(
      /fitted to value . 255/,
    );
    await expect(vae.encode({ values: new Float32Array(16).fill(300), width: 16, scale: 255 })).rejects.toThrow(
      /found 300/,
    );
  });

  test("takes natural values as it takes 8-bit ones", async () => {
    const { values } = toySet(9);
    const natural = Array.from({ length: 9 }, (_, i) =>
      Array.from(values.subarray(16 * i, 16 * (i + 1)), (v) => v / 255),
    );
    const [ours, theirs] = [await vae.encode(natural), await vae.encode(toySet(9))];
    for (const [i, x] of ours.mean.values.entries()) expect(x).toBeCloseTo(theirs.mean.values[i]!, 5);
  });

  test("calls made at once wait for each other", async () => {
    const data = toySet(9);
    const together = await Promise.all([vae.encode(data), vae.score(data), vae.encode(data), vae.sample(3)]);
    expect(together[0]).toEqual(together[2]);
  });
});

describe("a saved model", () => {
  test("comes back with the same parameters and answers", async () => {
    const again = await Vae.load(vae.save(), { runtime });
    expect(again.parameterHash).toBe(vae.parameterHash);
    expect(again.config).toEqual(vae.config);
    expect(await again.encode(toySet(9))).toEqual(await vae.encode(toySet(9)));
  });
  test("is refused with a reason when it is cut off, of another kind, or lacks a parameter", async () => {
    const bytes = vae.save();
    await expect(Vae.load(bytes.subarray(0, bytes.length - 4), { source: "a/state.safetensors" })).rejects.toThrow(
      /a\/state.safetensors is truncated/,
    );
    await expect(Vae.load(encodeSafetensors({}))).rejects.toThrow(/not a model of ours/);
    const header = new TextDecoder().decode(bytes).replace("decoder.0.bias", "decoder.9.bias");
    const renamed = new Uint8Array(bytes);
    renamed.set(new TextEncoder().encode(header.slice(8, 2000)).subarray(0, 1900), 8);
    await expect(Vae.load(renamed)).rejects.toThrow(/holds nothing as "decoder.0.bias"/);
  });
});
