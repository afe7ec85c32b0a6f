/**
 * Ansatz: the training step of the library itself, with the minibatch gathered by a shuffled order and the noise drawn inside. As
 * `trainVae` does, it runs a block of steps in one call; the block's mean stands for each of its steps. `--no-blas` leaves the products to the wasm kernels,
 * `--blas LIBRARY` takes another one than is found; ANSATZ_THREADS=1 leaves the second core alone.
 */
import { setFlagsFromString } from "node:v8";
import { adam, batch, binaryImages, hidden, latent, pixels, rows, serveBlocks } from "./protocol.ts";

const noBlas = process.argv.includes("--no-blas");
if (Number.parseInt(process.versions.node, 10) < 21) setFlagsFromString("--experimental-wasm-relaxed-simd");
const at = process.argv.indexOf("--blas");
if (noBlas) process.env["ANSATZ_BLAS"] = "none";
else if (at > 0) process.env["ANSATZ_BLAS"] = process.argv[at + 1];

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
const vae = await Vae.create(config, { name: "images", eventShape: [pixels], scale: 1, count: rows }, runtime);
const fit = await RunningFit.create(vae, data, null);
const threads = (await runtime.threads())?.size ?? 1;
const { blas } = runtime;
const about = {
  peer: noBlas ? "ansatz-no-blas" : at > 0 ? "ansatz-other-blas" : "ansatz",
  versions: { ansatz: "0.1.0" },
  threads,
  blas: blas ? `${blas.description}, one thread in each part` : "none: wasm kernels",
};
/** Milliseconds of each of `steps` steps done in one call (two where an epoch ends on the way), and the last bound. */
async function timed(steps: number): Promise<{ ms: number; negElbo: number }> {
  const started = performance.now();
  let negElbo = Number.NaN;
  for (let done = 0; done < steps; ) {
    const now = Math.min(steps - done, fit.perEpoch - (fit.progress.step % fit.perEpoch));
    negElbo = (await fit.run(now)).negElbo!.at(-1)!;
    done += now;
  }
  return { ms: (performance.now() - started) / steps, negElbo };
}

await serveBlocks(about, async (count) => {
  // The first steps of a block find cold caches; the driver leaves them out, so they are timed one by one.
  const ms: number[] = [];
  let last = { ms: 0, negElbo: Number.NaN };
  while (ms.length < Math.min(3, count)) {
    last = await timed(1);
    ms.push(last.ms);
  }
  const rest = count - ms.length;
  if (rest > 0) last = await timed(rest);
  return { ms: [...ms, ...Array<number>(rest).fill(last.ms)], negElbo: last.negElbo };
});
