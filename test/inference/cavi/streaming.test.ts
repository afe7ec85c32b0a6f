import { describe, expect, test } from "vitest";
import {
  bernoulli,
  beta,
  categorical,
  combine,
  dirichlet,
  gamma,
  inverseGamma,
  inverseWishart,
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
    "a covariance matrix": [
      (({ sample, observe, plate }: Words, { y }: { y: Tensor }) => {
        const sigma = sample("sigma", inverseWishart(4, [[1, 0.2], [0.2, 1]])); // biome-ignore format: short
        plate("n", y.shape[0]!, (i) => {
          observe("y", multivariateNormal([2, 1], sigma), y.at(i));
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

describe("elements that observations look at by an index", () => {
  // Two kinds of words and documents of both.
  const corpus = (documents: number, shift: number) => ({
    documents,
    document: Array.from({ length: 30 * documents }, (_, i) => Math.floor(i / 30)),
    word: Array.from({ length: 30 * documents }, (_, i) => {
      const isFirst = (Math.floor(i / 30) + shift) % 2 === 0;
      return (isFirst ? 0 : 3) + ((i * 7) % 3);
    }),
  });
  interface Corpus {
    readonly documents: number;
    readonly document: Tensor;
    readonly word: Tensor;
  }
  const topics = model(({ sample, observe, plate }, { documents, document, word }: Corpus) => {
    const phi = plate("topic", 2, () => sample("phi", dirichlet([0.5, 0.5, 0.5, 0.5, 0.5, 0.5])));
    const theta = plate("document", documents, () => sample("theta", dirichlet([0.5, 0.5])));
    plate("token", word.shape[0]!, (i) => {
      observe("word", categorical(phi.at(sample("z", categorical(theta.at(document.at(i)))))), word.at(i));
    });
  });

  test("documents are new, topics last: those of the other half have no trace of the first documents' shares", async () => {
    const first = await cavi(topics, corpus(24, 0), { seed: 1 });
    const next = await cavi(topics, corpus(24, 1), { after: first });
    const shares = (fit: typeof first) => fit.factors.theta!.parameters.concentration!.values;
    // Each document has 30 words and a prior of ½ + ½, however many came before.
    for (let d = 0; d < 24; d++) {
      const [a, b] = [shares(next)[2 * d]!, shares(next)[2 * d + 1]!];
      expect(a + b).toBeCloseTo(31, 8);
    }
    const words = (fit: typeof first) => fit.factors.phi!.parameters.concentration!.values.reduce((s, v) => s + v, 0);
    expect(words(first)).toBeCloseTo(24 * 30 + 6, 8);
    expect(words(next)).toBeCloseTo(2 * 24 * 30 + 6, 8);
    // As many documents might also be the same ones: it says what it took them for, unless that was asked for.
    expect(next.reason).toMatch(
      /; of the earlier fit "theta" did not go on, since the elements of that plate may be others now/,
    );
    for (const plate of ["document", "token"]) expect((await cavi(topics, corpus(24, 1), { after: first, plate })).reason).not.toMatch(/did not go on/); // biome-ignore format: one line
  });

  test("another number of documents, and documents that are named as the same", async () => {
    const first = await cavi(topics, corpus(24, 0), { seed: 1 });
    const next = await cavi(topics, corpus(3, 1), { after: first, plate: "document" });
    expect(next.factors.theta!.parameters.concentration!.values.reduce((s, v) => s + v, 0)).toBeCloseTo(93, 8);
    const same = await cavi(topics, corpus(24, 0), { after: first, plate: "token" });
    expect(same.factors.theta!.parameters.concentration!.values[0]! + same.factors.theta!.parameters.concentration!.values[1]!).toBeCloseTo(61, 8); // biome-ignore format: one line
    await expect(cavi(topics, corpus(3, 1), { after: first, plate: "page" })).rejects.toThrow(
      /cavi: there is no plate\("page"\)/,
    );
  });
});
