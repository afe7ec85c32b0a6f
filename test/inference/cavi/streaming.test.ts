import { describe, expect, test } from "vitest";
import {
  bernoulli,
  beta,
  combine,
  dirichlet,
  gamma,
  inverseGamma,
  loadFit,
  model,
  multinomial,
  multivariateNormal,
  normal,
  type Tensor,
  wishart,
} from "../../../src/index.ts";
import { cavi } from "../../../src/inference/cavi/cavi.ts";

const y = [2.1, 1.9, 3.2, 2.2, 2.8, 1.1, 2.6, 0.4];
const pairs = y.map((v, i) => [v, Math.sin(3 * i) + 0.5 * v]);

/** Fits all at once, and the second half after the first. */
async function both(body: ReturnType<typeof model>, all: number[] | number[][]) {
  const run = (part: typeof all, after?: Awaited<ReturnType<typeof cavi>>) =>
    cavi(body as never, { y: part } as never, { after, tolerance: 1e-14 });
  const whole = await run(all);
  const first = await run(all.slice(0, 3) as typeof all);
  const second = await run(all.slice(3) as typeof all, first);
  const apart = await run(all.slice(3) as typeof all);
  const together = await combine(body as never, { y: all.slice(3) } as never, [loadFit(first.save()), apart]);
  const again = await combine(body as never, { y: all } as never, [second, await run(all.slice(3) as typeof all, first)], { after: first }); // biome-ignore format: one line
  return { whole, first, second, together, again };
}

type Words = Parameters<Parameters<typeof model>[0]>[0];

describe("the posterior of one batch as the prior of the next is the posterior of both", () => {
  const halfPower = (tau: Tensor) => tau.pow(-0.5);
  const models: Record<string, [Parameters<typeof model>[0], number[] | number[][]]> = {
    "Normal–Gamma": [
      (({ sample, observe }: Words, { y }: { y: Tensor }) => {
        const tau = sample("tau", gamma(2, 3));
        observe("y", normal(sample("mu", normal(0, halfPower(tau.mul(0.1)))), halfPower(tau)), y);
      }) as never,
      y,
    ],
    "a mean of known precision": [
      (({ sample, observe }: Words, { y }: { y: Tensor }) => {
        observe("y", normal(sample("mu", normal(0, 3)), 0.7), y);
      }) as never,
      y,
    ],
    "a variance": [
      (({ sample, observe }: Words, { y }: { y: Tensor }) => {
        observe("y", normal(2, sample("v", inverseGamma(2, 3)).sqrt()), y);
      }) as never,
      y,
    ],
    "Normal–Wishart": [
      (({ sample, observe, plate }: Words, { y }: { y: Tensor }) => {
        const lambda = sample("lambda", wishart(3, [[1, 0.2], [0.2, 1]])); // biome-ignore format: short
        const mu = sample("mu", multivariateNormal({ mean: [1, 2], precision: lambda.mul(0.5) }));
        plate("n", y.shape[0]!, (i) => {
          observe("y", multivariateNormal({ mean: mu, precision: lambda }), y.at(i));
        });
      }) as never,
      pairs,
    ],
    "a precision matrix": [
      (({ sample, observe, plate }: Words, { y }: { y: Tensor }) => {
        const lambda = sample("lambda", wishart(3, [[1, 0.2], [0.2, 1]])); // biome-ignore format: short
        plate("n", y.shape[0]!, (i) => {
          observe("y", multivariateNormal({ mean: [2, 1], precision: lambda }), y.at(i));
        });
      }) as never,
      pairs,
    ],
    "a probability": [
      (({ sample, observe }: Words, { y }: { y: Tensor }) => {
        observe("y", bernoulli(sample("p", beta(1, 2))), y);
      }) as never,
      [1, 0, 1, 1, 0, 1],
    ],
    "a simplex": [
      (({ sample, observe, plate }: Words, { y }: { y: Tensor }) => {
        const p = sample("p", dirichlet([1, 2, 3]));
        plate("n", y.shape[0]!, (i) => {
          observe("y", multinomial(2, p), y.at(i));
        });
      }) as never,
      [[1, 1, 0], [0, 2, 0], [1, 0, 1], [0, 0, 2], [2, 0, 0]], // biome-ignore format: short
    ],
  };
  for (const [name, [body, data]] of Object.entries(models)) {
    test(`${name}; and the bounds add up to the evidence`, async () => {
      const { whole, first, second, together, again } = await both(model(body as never) as never, data);
      expect(whole.exact).toBe(true);
      for (const [key, values] of whole.state) {
        for (const [i, v] of second.state.get(key)!.entries()) expect(v).toBeCloseTo(values[i]!, 9);
      }
      // Shards that were fitted apart, each from the prior, add up to the posterior of all; one that went through bytes, too.
      for (const [key, values] of whole.state) {
        for (const [i, v] of together.state.get(key)!.entries())
          expect(Math.abs(v - values[i]!)).toBeLessThan(1e-10 * (1 + Math.abs(v)));
      }
      // And those that share a fit as their prior hold it once: twice the second half after the first is all after all but the first.
      const threeTimes = await cavi(model(body as never) as never, { y: data.slice(3) } as never, {
        after: whole,
        tolerance: 1e-14,
      });
      for (const [key, values] of threeTimes.state) {
        for (const [i, v] of again.state.get(key)!.entries())
          expect(Math.abs(v - values[i]!)).toBeLessThan(1e-9 * (1 + Math.abs(v)));
      }
      expect(first.elbo + second.elbo).toBeCloseTo(whole.elbo, 9);
    });
  }
});
