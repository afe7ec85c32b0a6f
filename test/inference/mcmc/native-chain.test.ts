import { describe, expect, test, vi } from "vitest";
import { Runtime } from "../../../src/engine/runtime.ts";
import { compileLogDensity } from "../../../src/inference/compile.ts";
import type { LogDensity } from "../../../src/inference/log-density.ts";
import { startChain } from "../../../src/inference/mcmc/chain.ts";
import { sampleChains } from "../../../src/inference/mcmc/chains.ts";

/** Correlated, with tails that are not a Gaussian's: (u₁, …) with quadratic terms between neighbours and a log cosh of the first. */
async function correlated(dim: number, runtime = new Runtime({ blas: null })): Promise<LogDensity> {
  return compileLogDensity({
    dim,
    names: Array.from({ length: dim }, (_, i) => `u[${i + 1}]`),
    runtime,
    deterministic: true,
    inputs: {},
    data: {},
    logDensity: (u) => {
      const squares = u.mul(u).sum().mul(-0.6);
      const neighbours =
        dim > 1
          ? u
              .narrow(0, 0, dim - 1)
              .mul(u.narrow(0, 1, dim - 1))
              .sum()
              .mul(0.5)
          : u.at(0).mul(0);
      return squares.add(neighbours).sub(u.at(0).mul(u.at(0)).log1p());
    },
  });
}

/** The same density for a sampler that moves its points on the host. */
const onHost = (density: LogDensity): LogDensity => ({
  dim: density.dim,
  evaluate: (u, gradient) => density.evaluate(u, gradient),
});

function startAndFinish(density: LogDensity) {
  const chain = startChain(density, { seed: 1, warmUp: 50, draws: 50 });
  while (chain.advance(Number.POSITIVE_INFINITY));
  return chain.result();
}

describe("points that move in the density's memory", () => {
  for (const dim of [1, 2, 7]) {
    test.each(["diagonal", "dense"] as const)(
      `have the bits of those on the host: ${dim} coordinates, %s`,
      async (metric) => {
        const density = await correlated(dim);
        const options = { seed: 5, chains: 2, warmUp: 150, draws: 100, metric };
        const host = await sampleChains(onHost(density), options);
        const native = await sampleChains(density, options);
        expect(density.motion!()).not.toBeNull();
        expect(native.chains.map(({ metric: m }) => m.kind)).toEqual([metric, metric]);
        expect(native.chains.map(({ draws }) => draws)).toEqual(host.chains.map(({ draws }) => draws));
        expect(native.chains.map(({ stats }) => stats)).toEqual(host.chains.map(({ stats }) => stats));
      },
    );
  }

  test("compile nothing anew for another density of as many coordinates", async () => {
    const runtime = new Runtime({ blas: null });
    const [first, second] = [await correlated(4, runtime), await correlated(4, runtime)];
    await first.prepareMotion!();
    const compile = vi.spyOn(WebAssembly, "Module");
    await second.prepareMotion!();
    expect(compile).not.toHaveBeenCalled();
    compile.mockRestore();
    const { draws } = startAndFinish(second);
    expect(draws).toEqual(startAndFinish(onHost(first)).draws);
  });

  test("go on where the memory grew under them", async () => {
    const runtime = new Runtime({ blas: null });
    const density = await correlated(3, runtime);
    await density.prepareMotion!();
    const options = { seed: 6, warmUp: 100, draws: 100, metric: "dense" } as const;
    const [chain, undisturbed] = [startChain(density, options), startChain(onHost(density), options)];
    const before = runtime.memory.buffer;
    for (let round = 0; chain.advance(0); round++) {
      // One transition at a time.
      if (round === 50 || round === 150) runtime.buffer("f64", [1 << 21]);
    }
    expect(runtime.memory.buffer).not.toBe(before);
    while (undisturbed.advance(Number.POSITIVE_INFINITY));
    expect(chain.result().draws).toEqual(undisturbed.result().draws);
  });

  test("tell of a divergence where the density stops being finite", async () => {
    const runtime = new Runtime({ blas: null });
    const density = await compileLogDensity({
      dim: 2,
      names: ["a", "b"],
      runtime,
      deterministic: true,
      inputs: {},
      data: {},
      // Finite for a below 1 alone.
      logDensity: (u) => u.mul(u).sum().mul(-0.5).add(u.at(0).neg().add(1).log()),
    });
    const options = { seed: 7, chains: 1, warmUp: 100, draws: 200 };
    const [host, native] = [await sampleChains(onHost(density), options), await sampleChains(density, options)];
    expect(native.chains[0]!.nonFinite).not.toBeNull();
    expect(native.chains[0]!.nonFinite).toEqual(host.chains[0]!.nonFinite);
    expect(native.chains[0]!.stats).toEqual(host.chains[0]!.stats);
  });
});
