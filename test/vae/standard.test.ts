import { expect, test } from "vitest";
import { Runtime } from "../../src/engine/runtime.ts";
import type { VaeOptions } from "../../src/vae/options.ts";
import { trainVae } from "../../src/vae/train.ts";
import { Vae } from "../../src/vae/vae.ts";

const wasm = { runtime: new Runtime({ blas: null }) };

// Columns as tables have them: hundreds beside thousandths, far from 0, and one that is constant.
const [scales, offsets] = [[300, 0.002, 5, 1], [750, -0.01, 0, 4]]; // biome-ignore format: a table
const n = 90;
const wave = (i: number, j: number): number => (j === 3 ? 0 : Math.sin(i * (j + 1.3)) + Math.cos(0.7 * i));
const rows = Array.from({ length: n }, (_, i) => scales.map((s, j) => offsets[j]! + s * wave(i, j)));

/** Column means and sds, by the textbook. */
const mean = scales.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / n);
const sd = scales.map((_, j) =>
  j === 3 ? 1 : Math.sqrt(rows.reduce((sum, row) => sum + (row[j]! - mean[j]!) ** 2, 0) / n),
);
const byHand = (spread: readonly number[]) => rows.map((row) => row.map((x, j) => (x - mean[j]!) / spread[j]!));

const options = {
  encoder: [8], decoder: [8], latent: 2, batch: 30, epochs: 3, dtype: "f64", seed: 5, deterministic: true,
} as const satisfies VaeOptions; // biome-ignore format: one line of options

const common = Math.sqrt(sd.reduce((sum, s, j) => sum + (j === 3 ? 0 : s * s), 0) / 4);

test.each([
  ["gaussian", "columns", sd],
  ["gaussian", "common", sd.map(() => common)],
  ["gaussian-shared", "common", sd.map(() => common)],
] as const)(
  "%s, standardize %s is the fit to values standardised by hand, in the units of the data",
  async (likelihood, standardize, spread) => {
    const given = { ...options, likelihood };
    const { vae, summary } = await trainVae(rows, { ...given, standardize }, wasm);
    const hand = await trainVae(byHand(spread), { ...given, standardize: "none" }, wasm);
    const logSpread = spread.reduce((sum, s) => sum + Math.log(s), 0);
    const near = (actual: ArrayLike<number>, expected: ArrayLike<number>, digits = 7) => {
      expect(actual.length).toBe(expected.length);
      for (let i = 0; i < actual.length; i++) expect(actual[i]! / expected[i]! - 1).toBeCloseTo(0, digits);
    };

    near([summary.trainNegElbo!], [hand.summary.trainNegElbo! + logSpread]);
    const [ours, theirs] = [await vae.score(rows), await hand.vae.score(byHand(spread))];
    near(ours.negElbo, theirs.negElbo.map((x) => x + logSpread)); // biome-ignore format: short
    near(ours.rate, theirs.rate);
    near([(await vae.meanBound(rows)).negElbo], [(await hand.vae.meanBound(byHand(spread))).negElbo + logSpread]);
    const samples = { samples: 20 };
    near((await vae.logLikelihood(rows, samples)).logProb, (await hand.vae.logLikelihood(byHand(spread), samples)).logProb.map((x) => x - logSpread)); // biome-ignore format: short
    const natural = (values: Float32Array | Float64Array) => values.map((x, i) => x * spread[i % 4]! + mean[i % 4]!);
    near((await vae.reconstruct(rows)).values, natural((await hand.vae.reconstruct(byHand(spread))).values), 5);
    for (const part of ["mean", "draw"] as const)
      near((await vae.sample(7))[part].values, natural((await hand.vae.sample(7))[part].values), 5);
    near((await vae.encode(rows)).mean.values, (await hand.vae.encode(byHand(spread))).mean.values, 5);
  },
);

test("a stored model keeps the location and spread of its training rows", async () => {
  const { vae } = await trainVae(rows, options, wasm);
  const loaded = await Vae.load(vae.save(), wasm);
  const few = rows.slice(0, 5);
  expect((await loaded.score(few)).negElbo).toEqual((await vae.score(few)).negElbo);
  expect((await loaded.reconstruct(few)).values).toEqual((await vae.reconstruct(few)).values);
});

test("8-bit values may be standardised too", async () => {
  const values = Uint8Array.from({ length: 60 * 4 }, (_, i) => 100 + 20 * Math.sin(i));
  const { vae, summary } = await trainVae(
    { values, width: 4 },
    { ...options, likelihood: "gaussian", standardize: "columns" },
    wasm,
  );
  const hand = Float64Array.from(values, (x) => x / 255);
  const again = await trainVae({ values: hand, width: 4 }, { ...options, likelihood: "gaussian" }, wasm);
  expect(summary.trainNegElbo).toBeCloseTo(again.summary.trainNegElbo!, 9);
  expect(vae.data.standard!.location[0]).toBeCloseTo(100 / 255, 1);
});

test.each([0, 1, 2, 3])(
  "a table of columns in their own units is fitted with the options left out, seed %i",
  async (seed) => {
    const { summary } = await trainVae(rows, { epochs: 20, seed }, wasm);
    // Independent Gaussians with each column's mean and sd: ½ log 2πe + log sd each, which the constant one falls below.
    const marginals = sd.reduce((sum, s) => sum + 0.5 * Math.log(2 * Math.PI * Math.E) + Math.log(s), 0);
    expect(summary.trainNegElbo).toBeLessThan(marginals);
  },
);

test.each(["glorot", "he"] as const)(
  "an affine model of %s weights begins with noise of sd 1, and learns",
  async (init) => {
    const given = { ...options, init, encoder: [], decoder: [], latent: 8, likelihood: "gaussian" } as const;
    const { vae } = await trainVae(rows, { ...given, epochs: 0 }, wasm);
    const named = vae.context.architecture.layout.places.filter(({ name }) => name.startsWith("decoder.logSd"));
    const values = vae.parameters.read();
    for (const { offset, size } of named) expect(values.slice(offset, offset + size).every((x) => x === 0)).toBe(true);
    expect(named).toHaveLength(2);
    const bounds = await Promise.all([0, 30].map(async (epochs) => (await trainVae(rows, { ...given, epochs }, wasm)).summary.trainNegElbo ?? (await vae.meanBound(rows)).negElbo)); // biome-ignore format: short
    expect(bounds[1]).toBeLessThan(bounds[0]!);
  },
);
