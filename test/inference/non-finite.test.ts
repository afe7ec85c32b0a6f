import { type InferenceEvent, type InferOptions, infer, model, normal, type Tensor } from "ansatz";
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
