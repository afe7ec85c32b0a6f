import { expect, test } from "vitest";
import { Runtime } from "../../src/engine/runtime.ts";
import type { VaeOptions } from "../../src/vae/options.ts";
import type { RowsInput } from "../../src/vae/rows.ts";
import { trainVae } from "../../src/vae/train.ts";

// Parameter hashes of deterministic fits by the hand-written bound that AEVB had before the autoencoder was written as a model
// with an amortized family: what computes it now must have the same bits. A change of the engine's own arithmetic changes them.
let state = 12345;
const draw = () => {
  state = (state * 1103515245 + 12345) % 2147483648;
  return state / 2147483648;
};
const count = 43;
const bytes = (width: number, below: number) =>
  Uint8Array.from({ length: count * width }, () => Math.floor(draw() * below));
const gray = { values: bytes(20, 256), width: 20 };
const reals = Array.from({ length: count }, () => Array.from({ length: 6 }, () => draw() * 4 - 2));
const categories = { values: bytes(8, 4), width: 8, scale: 1 };

const shared = {
  encoder: [9, 7],
  decoder: [8],
  latent: 3,
  batch: 10,
  epochs: 3,
  seed: 5,
  deterministic: true,
} as const;
const cases: readonly [string, string, RowsInput, VaeOptions][] = [
  ["the defaults", "ed0f6ef2980ef0e432f3f4436ccfe79688e3d9e254bf02fd1c03323423ed06bd", gray, {}],
  ["draws, generic, full", "33c3363af167cbba6f4eab1a2d32aa892eaa239c34473ac4305c675a52b2f687", gray, { draws: 3, estimator: "generic", posterior: "full" }],
  ["gaussian", "f55cabde92d41c9891cd7d4089aad033f314a2451b91f948fc21c440752bcdd3", reals, { likelihood: "gaussian", standardize: "none", batch: 8 }],
  ["gaussian in f64", "989d3f77607e3d221dede03008f490e4ed493ad725b6235e12bbb057c8d5ef08", reals, { likelihood: "gaussian", standardize: "none", dtype: "f64", draws: 2 }],
  ["continuous-bernoulli", "8e335db325c74c66c171cd3773210ca63ac27c2d2b0ca2f18c666df0bddb1b29", gray, { likelihood: "continuous-bernoulli", draws: 2 }],
  ["categorical, full", "3d722a62ce0103f42b9925b68b3883a359dfd09ffcba64140d3ad056b3a18981", categories, { likelihood: "categorical", posterior: "full", draws: 2, estimator: "generic" }],
  ["learned prior, full", "3b2a57648406630c1808113f0ab3f553f70984946b36402713001e3c0712b21b", gray, { prior: "gaussian", posterior: "full", draws: 2 }],
  ["mixture prior, full", "f88567e13d3e3af89f0c3ae37bcaa64ee2f170feef2f1c425e09a61829266941", gray, { prior: "mixture:4", posterior: "full" }],
  ["MAP with a mixture prior", "c2c11b66dddce968bc48e7ae67a9f58290e4a40b9d2293efd82f525a2421ce63", gray, { map: "gaussian:0.5", prior: "mixture:2", clip: "norm:1" }],
  ["dropLast, warm-up, cosine", "27773566136bec192d2b8ad7645d56a65391502a8cdb14ca4d1f9f806b24a9f7", gray, { dropLast: true, schedule: "cosine", warmup: 4 }],
]; // biome-ignore format: a table

test.each(cases)("%s", async (_name, hash, rows, options) => {
  const { summary } = await trainVae(rows, { ...shared, ...options }, { runtime: new Runtime({ blas: null }) });
  expect(summary.parameterHash).toBe(hash);
});
