/**
 * The line protocol of a peer, its data and its sizes: what every JavaScript peer of the AEVB step shares.
 *
 * A peer prepares itself (compiles, warms up), prints one JSON line about itself, then answers lines on standard input:
 * `run N` runs N training steps and prints {"ms": [N numbers], "negElbo": the last bound}; `quit` ends it.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

export const batch = 100;
export const pixels = 784;
export const hidden = 500;
export const latent = 20;
export const rows = 60_000;
export const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** Name, fan in, fan out. 815,824 parameters, 3.26 MB in f32: Adam reads g, m, v, p and writes m, v, p, 22.8 MB. */
export const layers = [
  ["encoder", pixels, hidden],
  ["mean", hidden, latent],
  ["logSd", hidden, latent],
  ["decoder", latent, hidden],
  ["logits", hidden, pixels],
] as const;

const warmUp = 30;

export interface About {
  readonly peer: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly blas: string;
}

/** Uniform on [0, 1) by a linear congruential generator (Numerical Recipes): enough to make up benchmark data. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Stands in for shuffled, binarised MNIST: [60000, 784] of 0 and 1, with MNIST's share of ink. */
export function binaryImages(): Uint8Array {
  const next = uniform(1);
  const images = new Uint8Array(rows * pixels);
  for (let i = 0; i < images.length; i++) images[i] = next() < 0.13 ? 1 : 0;
  return images;
}

/** Initial weights, uniform with standard deviation 1 / sqrt(fan in). */
export function initialWeight(fanIn: number, fanOut: number): Float32Array {
  const next = uniform(fanIn * 1000 + fanOut);
  const width = Math.sqrt(12 / fanIn);
  return new Float32Array(fanIn * fanOut).map(() => (next() - 0.5) * width);
}

/** The next minibatch at each call, in f32, contiguous rows, epoch after epoch. */
export function minibatches(images: Uint8Array): () => Float32Array {
  let start = 0;
  return () => {
    const x = new Float32Array(images.subarray(start * pixels, (start + batch) * pixels));
    start = (start + batch) % rows;
    return x;
  };
}

const directory = process.env["PEERS_MODULES"];
const require = createRequire(directory === undefined ? import.meta.url : join(directory, "index.js"));

/** Loads a peer's package from the directory PEERS_MODULES (the one that holds node_modules) or as usual. */
export function load<T>(name: string): T {
  return require(name) as T;
}

/** The installed version of a package, also of one that does not export its package.json. */
export function versionOf(name: string): string {
  for (let folder = dirname(require.resolve(name)); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (!existsSync(manifest)) continue;
    const found = JSON.parse(readFileSync(manifest, "utf8")) as { name?: string; version?: string };
    if (found.name === name) return found.version ?? "unknown";
  }
  return "unknown";
}

/**
 * Warms up, announces, then times `step` on request.
 *
 * @param step  runs one training step to its end and returns negElbo in nats
 */
export function serve(about: About, step: () => number | Promise<number>): Promise<void> {
  return serveBlocks(about, async (count) => {
    const ms: number[] = [];
    let negElbo = Number.NaN;
    for (let i = 0; i < count; i++) {
      const before = performance.now();
      negElbo = await step();
      ms.push(performance.now() - before);
    }
    return { ms, negElbo };
  });
}

/**
 * The same for a peer that runs many steps in one call: `block` gives the milliseconds of each step, which may be the block's
 * mean, and the last bound.
 */
export async function serveBlocks(
  about: About,
  block: (count: number) => Promise<{ ms: number[]; negElbo: number }>,
): Promise<void> {
  await block(warmUp);
  console.log(JSON.stringify({ ...about, node: process.version }));
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "quit") break;
    const count = Number(/^run (\d+)$/.exec(line)?.[1]);
    if (Number.isNaN(count))
      throw new Error(`expected "run N" or "quit" on standard input, got ${JSON.stringify(line)}`);
    console.log(JSON.stringify(await block(count)));
  }
  process.exit(0);
}
