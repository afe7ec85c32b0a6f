import {
  bernoulli,
  beta,
  binomial,
  type Distribution,
  type InferenceEvent,
  type InferOptions,
  infer,
  model,
  normal,
  type Tensor,
  uniform,
  where,
} from "ansatz";
import { describe, expect, test } from "vitest";

const run = async (m: unknown, data: object, options: InferOptions) => {
  const events: InferenceEvent[] = [];
  const posterior = await infer(m as never, data as never, {
    deterministic: true,
    ...options,
    onEvent: (e) => events.push(e),
  });
  return { posterior, events, met: events.filter((e) => e.kind === "nonFinite") };
};

/** sd_i = √(2 − t_i x): a number up to x = 2, where the third one ends. */
const edge = model(({ sample, observe }, { t, y }: { t: Tensor; y: Tensor }) => {
  const x = sample("x", normal(0, 1));
  observe("y", normal(0, t.mul(x).neg().add(2).sqrt()), y);
});
const data = { t: [0, 0, 1], y: [0.5, -1, 0.25] };
const address =
  /^the log density of observe\("y"\)\[3\] is NaN at the value 0.25, where its normal has mean 0, sd NaN$/;

describe("a log density that is not finite has an address", () => {
  test("at the start", async () => {
    const nowhere = model(({ sample, observe }, d: { y: Tensor }) => {
      const x = sample("x", normal(0, 1));
      observe("y", normal(x, x.exp().neg().sqrt()), d.y);
    });
    await expect(run(nowhere, { y: [1, 4] }, {})).rejects.toThrow(
      expect.objectContaining({
        name: "NonFiniteError",
        message: 'the log density of observe("y")[1] is NaN at the value 1, where its normal has mean 0, sd NaN',
      }),
    );
  });

  const rows: readonly [string, Distribution, number | readonly number[], string][] = [
    ["the ends of a support that are numbers", uniform(0, 1.5), [0.5, 2], 'observe("y"): element [2] is 2, which a uniform (low 0, high 1.5) gives probability zero. It takes numbers between 0 and 1.5.'],
    ["the end that a parameter is", binomial(4, 0.5), [5], 'observe("y"): element [1] is 5, which a binomial (total 4, probs 0.5) gives probability zero. It takes whole numbers from 0 to 4.'],
    ["that an end is left out", beta(2, 1), [0.5, 1], 'observe("y"): element [2] is 1, which a beta (a 2, b 1) gives probability zero. It takes numbers from 0 to 1, without the ends.'],
  ]; // biome-ignore format: a table
  for (const [says, distribution, y, message] of rows) {
    test(`with ${says}`, async () => {
      const m = model(({ sample, observe }, d: { y: Tensor }) => {
        sample("x", normal(0, 1));
        observe("y", distribution, d.y);
      });
      const advice = " Correct the data, or choose a distribution that has them in its support.";
      await expect(run(m, { y }, {})).rejects.toThrow(message + advice);
    });
  }

  test("and that a latent end must be limited", async () => {
    const taxi = model(({ sample, observe }, d: { y: Tensor }) => {
      observe("y", uniform(0, sample("x", normal(0, 1)).exp()), d.y);
    });
    await expect(run(taxi, { y: [1, 1e9] }, {})).rejects.toThrow(
      /^observe\("y"\): element \[2\] is 1000000000, .* An end of its support is a latent quantity: limit that one, as by truncated\(…, { low: y\.max\(\) }\), so that all data lie inside\.$/,
    );
  });

  test("and that a step of a latent quantity excludes a datum that is in the support", async () => {
    const sign = model(({ sample, observe }, d: { y: Tensor }) => {
      observe("y", bernoulli(where(sample("x", normal(0, 1)).gt(0), 1, 0)), d.y);
    });
    await expect(run(sign, { y: [1, 0] }, {})).rejects.toThrow(
      /^observe\("y"\): element \[\d\] is [01], .* Latent quantities decide its probs: let none of their values exclude what was observed, as a step .* "ep"\)\.$/,
    );
  });

  test("with what a parameter must be, where the data make it negative", async () => {
    const scaled = model(({ sample, observe }, d: { sd: Tensor }) => {
      const x = sample("x", normal(0, 1));
      observe("y", normal(x, d.sd), [1, 2]);
    });
    await expect(run(scaled, { sd: [1, -2] }, {})).rejects.toThrow(
      'the log density of observe("y")[2] is NaN at the value 2, where its normal has mean 0, sd -2. Its sd must be above 0: correct the data or the formula that it comes from',
    );
  });

  test("in the middle of a stochastic fit, which goes on", async () => {
    const { met, posterior } = await run(edge, data, { method: "advi" });
    expect(met).toHaveLength(1);
    expect(met[0]).toEqual({ kind: "nonFinite", step: expect.any(Number), message: expect.stringMatching(address) });
    expect(posterior.approximation!.converged).toBe(true);
  });

  test("in a stochastic fit that cannot go on: it stands in the reason", async () => {
    // Most draws of the q that it begins with lie outside of the window, and no smaller step changes that.
    const narrow = model(({ sample, factor }) => {
      const x = sample("x", normal(0, 1));
      factor("window", x.square().neg().add(1e-6).log());
    });
    const { met, posterior } = await run(
      narrow,
      {},
      {
        method: "advi",
        stochastic: { start: { mean: [0], scale: [1] }, maxSteps: 5000 },
      },
    );
    expect(met[0]).toEqual({ kind: "nonFinite", step: 50, message: 'factor("window") is NaN' });
    expect(posterior.reason).toMatch(
      /^the fit did not converge: the gradient was not finite in most steps, at any learning rate down to [\d.e-]+: factor\("window"\) is NaN\.$/,
    );
  });

  test.each(["nuts", "hmc"] as const)("in the middle of %s: in an event and in the reason", async (method) => {
    const { met, posterior } = await run(edge, data, { method, chains: 2, warmUp: 200, draws: 200 });
    expect(met).toHaveLength(1);
    expect(met[0]).toMatchObject({ chain: expect.any(Number), message: expect.stringMatching(address) });
    expect(posterior.trusted).toBe(false);
    expect(posterior.reason).toMatch(
      /At draw \d+ chain \d met a log density that is not finite: the log density of observe\("y"\)\[3\] is NaN at the value 0.25, where its normal has mean 0, sd NaN\.$/,
    );
  });

  test("in the middle of sgld, which ends there", async () => {
    await expect(run(edge, data, { method: "sgld" })).rejects.toThrow(
      expect.objectContaining({
        name: "NonFiniteError",
        message: expect.stringMatching(
          /^chain \d of sgld met a gradient that is not finite at step \d+: the log density of observe\("y"\)\[3\] is NaN at the value 0.25, where its normal has mean 0, sd NaN$/,
        ),
      }),
    );
  });

  test("a fit that meets none has no such event", async () => {
    const { met } = await run(edge, { ...data, t: [0, 0, 0] }, { method: "nuts" });
    expect(met).toEqual([]);
  });
});
