/**
 * Ansatz: the training step of the library itself, a call from JavaScript for each step, with the minibatch gathered and noise drawn
 * inside. `--no-blas` leaves the products to the wasm kernels; ANSATZ_THREADS=1 leaves the second core alone.
 */
import { setFlagsFromString } from "node:v8";
import { adam, batch, binaryImages, hidden, latent, pixels, rows, serve } from "./protocol.ts";

const noBlas = process.argv.includes("--no-blas");
if (Number.parseInt(process.versions.node, 10) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");
if (noBlas) process.env["ANSATZ_BLAS"] = "none";

const { datasetOf } = await import("../../src/data/dataset.ts");
const { defaultRuntime } = await import("../../src/engine/runtime.ts");
const { configure } = await import("../../src/vae/configuration.ts");
const { RunningFit } = await import("../../src/vae/fit.ts");
const { factsOf } = await import("../../src/vae/rows.ts");
const { Vae } = await import("../../src/vae/vae.ts");

const values = binaryImages();
const data = datasetOf({ dtype: "u8", shape: [rows, pixels], values }, { name: "images", source: "made up", scale: 1 });
const config = configure(
  {
    likelihood: "bernoulli",
    binarize: "none",
    encoder: [hidden],
    decoder: [hidden],
    activation: "tanh",
    latent,
    estimator: "analytic",
    optimizer: "adam",
    lr: adam.learningRate,
    batch,
    epochs: 1_000_000,
  },
  factsOf(data),
);
const runtime = await defaultRuntime();
const vae = new Vae(config, { name: "images", eventShape: [pixels], scale: 1, count: rows }, runtime);
const fit = await RunningFit.create(vae, data, null);
const threads = (await runtime.threads())?.size ?? 1;
const { blas } = runtime;
const about = {
  peer: noBlas ? "ansatz-no-blas" : "ansatz",
  versions: { ansatz: "0.1.0" },
  threads,
  blas: blas ? `${blas.description}, one thread in each part` : "none: wasm kernels",
};
await serve(about, async () => (await fit.run(1)).negElbo![0]!);
