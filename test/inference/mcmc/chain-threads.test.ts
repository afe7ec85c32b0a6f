import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { chainWorkerModule } from "../../../scripts/chain-worker.ts";
import { createThreads } from "../../../src/backends/blas/threads.ts";
import { Runtime } from "../../../src/engine/runtime.ts";
import { compileLogDensity } from "../../../src/inference/compile.ts";
import type { LogDensity } from "../../../src/inference/log-density.ts";
import { chainsOnThreads } from "../../../src/inference/mcmc/chain-threads.ts";
import { type ChainProgress, chainOptions, sampleChains } from "../../../src/inference/mcmc/chains.ts";
import type { Target } from "../../../src/inference/target.ts";
import { f64 } from "../../../src/program/program.ts";

/** A t-shaped posterior of a mean and a log scale, data in the runtime's memory: exp, log and sums are in the compiled code. */
async function compiled(runtime: Runtime, points = 20): Promise<LogDensity> {
  const y = Float64Array.from({ length: points }, (_, i) => Math.sin(i) * 3 + 1);
  const target: Target = {
    dim: 2,
    names: ["mean", "log scale"],
    runtime,
    deterministic: true,
    inputs: { y: f64([points]) },
    data: { y: runtime.buffer("f64", [points], y) },
    logDensity: (u, { y: data }) => {
      const [mean, logScale] = [u.at(0), u.at(1)];
      const z = data!.sub(mean).mul(logScale.neg().exp());
      const likelihood = z.mul(z).mul(0.2).log1p().mul(-3).sum().sub(logScale.mul(points));
      return likelihood.sub(u.mul(u).sum().mul(0.005));
    },
  };
  return compileLogDensity(target);
}

const options = { seed: 21, warmUp: 200, draws: 150, chains: 3 };
const draws = ({ chains }: Awaited<ReturnType<typeof sampleChains>>) => chains.map((chain) => chain.draws);

test("the stored script of the worker is what the sources make", async () => {
  const stored = readFileSync(new URL("../../../src/inference/mcmc/chain-worker-script.ts", import.meta.url), "utf8");
  expect(stored === (await chainWorkerModule()), "run: npx tsx scripts/make-chain-worker.ts").toBe(true);
});

test.each([
  ["a memory of its own", () => new Runtime({ blas: null })],
  ["a shared memory", () => new Runtime({ blas: null, threads: (m, at, blas) => createThreads(m, at, 2, blas) })],
])("chains on threads have the bits of chains on this one, from %s", async (_, runtime) => {
  const density = await compiled(runtime());
  const here = await sampleChains(density, options, { threads: 1 });
  for (const threads of [1, 2, 3]) {
    const there = await chainsOnThreads(density.portable!()!, chainOptions(options), { threads });
    expect(there.map((chain) => chain.draws)).toEqual(draws(here));
    expect(there.map((chain) => chain.stats)).toEqual(here.chains.map((chain) => chain.stats));
    expect(there.map((chain) => chain.metric.inverseMass)).toEqual(here.chains.map((c) => c.metric.inverseMass));
    expect(there.map((chain) => chain.chain)).toEqual([0, 1, 2]);
  }
});

/** Long enough that it does not end in its first slice. */
const long = { seed: 22, warmUp: 500, draws: 40_000, chains: 2 };

test("chains go on upon threads with the bits of chains that never stopped", async () => {
  const density = await compiled(new Runtime({ blas: null }));
  const { chains: from } = await sampleChains(density, { ...options, draws: 20 }, { threads: 1 });
  const there = await chainsOnThreads(density.portable!()!, chainOptions({ ...options, from }), { threads: 2 });
  const here = await sampleChains(density, options, { threads: 1 });
  expect(there.map(({ draws }) => draws)).toEqual(here.chains.map(({ draws }) => draws));
});

test("a long run is handed over to threads, which tell of their progress and give the same bits", async () => {
  const density = await compiled(new Runtime({ blas: null }), 500);
  let asked = 0;
  const portable = () => {
    asked++;
    return density.portable!();
  };
  const events: ChainProgress[] = [];
  const onProgress = (event: ChainProgress) => void events.push(event);
  const shorter = { ...long, draws: 4000 };
  const counting: LogDensity = Object.assign(Object.create(density), { portable });
  const there = await sampleChains(counting, shorter, { threads: 2, onProgress });
  const here = await sampleChains(density, shorter, { threads: 1 });
  expect(asked).toBe(1);
  expect(draws(there)).toEqual(draws(here));
  for (const chain of [0, 1]) expect(events.filter((e) => e.chain === chain).at(-1)).toMatchObject({ done: 4500 });
});

test("an abort stops the threads, and the draws until then are kept", async () => {
  const density = await compiled(new Runtime({ blas: null }), 500);
  const abort = new AbortController();
  const done = [0, 0];
  const onProgress = (event: ChainProgress) => {
    done[event.chain] = event.done;
    if (Math.min(...done) > 1000) abort.abort();
  };
  const part = await sampleChains(density, long, { threads: 2, signal: abort.signal, onProgress, enough: 1 });
  expect(part.aborted).toBe(true);
  expect(part.count).toBeGreaterThan(0);
  expect(part.count).toBeLessThan(40_000);
});

test("a density that is not compiled stays on this thread", async () => {
  const density = await compiled(new Runtime({ blas: null }));
  const plain: LogDensity = { dim: density.dim, evaluate: (u, gradient) => density.evaluate(u, gradient) };
  const result = await sampleChains(plain, options, { threads: Math.max(2, availableParallelism()) });
  expect(draws(result)).toEqual(draws(await sampleChains(density, options, { threads: 1 })));
});

test("an error in a thread is told", async () => {
  const density = await compiled(new Runtime({ blas: null }));
  const wrong = chainOptions({ ...options, initial: [1] });
  await expect(chainsOnThreads(density.portable!()!, wrong, { threads: 2 })).rejects.toThrow(
    "a chain on a thread of its own failed: OptionError: chain 1 was given 1 initial values; the density has 2",
  );
});
