import {
  type DataFor,
  exponential,
  type InferenceEvent,
  type InferOptions,
  infer,
  inverseGamma,
  type Model,
  model,
  normal,
  type Returned,
} from "ansatz";
import { describe, expect, test } from "vitest";

const line = model(({ sample, observe }, { y }: { y: number }) => {
  const x = sample("x", normal(0, 1));
  observe("y", normal(x, 1), y);
  return { x };
});

/** A funnel without data: the lower log sd is, the narrower the place of x. */
const funnel = (scale: number) =>
  model(({ sample }) => {
    const logSd = sample("logSd", normal(0, scale));
    const x = sample("x", normal(0, logSd.exp()));
    return { logSd, x };
  });

/** The methods that were tried, as a progress line shows them. */
async function run<D>(text: Model<D, Returned>, data: DataFor<D>, options: InferOptions) {
  const shown: string[] = [];
  const onEvent = (event: InferenceEvent) => {
    if (event.kind === "attempt") shown.push(event.method);
  };
  return { shown, posterior: await infer(text, data, { ...options, onEvent }) };
}

describe("NUTS by name", () => {
  test("makes more draws where the usual ones leave the moments uncertain", async () => {
    const { posterior, shown } = await run(line, { y: 1 }, { method: "nuts", chains: 1 });
    expect(posterior.trusted).toBe(true);
    expect(posterior.method).toBe("nuts");
    expect(posterior.allDraws.draws).toBeGreaterThan(1000);
    expect(posterior.allDraws.draws).toBeLessThanOrEqual(4000);
    expect(shown).toEqual(["nuts", `nuts, ${posterior.allDraws.draws} draws each`]);
  });

  test("makes as many draws as it was asked for", async () => {
    const { posterior, shown } = await run(line, { y: 1 }, { method: "nuts", chains: 1, draws: 300 });
    expect(posterior.allDraws.draws).toBe(300);
    expect(posterior.trusted).toBe(false);
    expect(posterior.reason).toContain("Draw more.");
    expect(shown).toEqual(["nuts"]);
  });

  test("draws no more where more are of no use", async () => {
    const overflowing = model(({ sample, deterministic }) => {
      const x = sample("x", normal(0, 1));
      deterministic("power", x.mul(1000).exp());
    });
    const { posterior, shown } = await run(overflowing, {}, { method: "nuts" });
    expect(posterior.reason).toBe("power is Infinity in some draws.");
    expect(shown).toEqual(["nuts"]);
  });

  test("takes shorter steps where transitions diverged, and says so", async () => {
    const { posterior, shown } = await run(funnel(1), {}, { method: "nuts", seed: 3, draws: 1000 });
    expect(shown).toEqual(["nuts", "nuts, 1000 draws each, shorter steps"]);
    expect(posterior.reason).toMatch(/transitions (had )?diverged/);
  });

  test("keeps the step that was asked for", async () => {
    const options = { method: "nuts", seed: 3, draws: 1000, targetAcceptance: 0.8 } as const;
    const { posterior, shown } = await run(funnel(1), {}, options);
    expect(shown).toEqual(["nuts"]);
    expect(posterior.trusted).toBe(false);
    expect(posterior.reason).toMatch(/^\d+ of the 4000 transitions diverged/);
  });

  test("draws no more where transitions diverged with steps that stay as they are", async () => {
    const options = { method: "nuts", seed: 3, targetAcceptance: 0.8 } as const;
    const { posterior, shown } = await run(funnel(3), {}, options);
    expect(posterior.reason).toMatch(/^\d+ of the 4000 transitions diverged/);
    expect(shown).toEqual(["nuts"]);
  });

  test("keeps the first draws where the second run is ended", async () => {
    const stop = new AbortController();
    const text = model(({ sample }) => ({ x: sample("x", exponential(1)) }));
    const posterior = await infer(
      text,
      {},
      {
        method: "nuts",
        chains: 1,
        signal: stop.signal,
        onEvent: (event) => {
          if (event.kind === "attempt" && event.method !== "nuts") stop.abort();
        },
      },
    );
    expect(posterior.allDraws.draws).toBe(1000);
  });
});

test("the ladder ends where a tail is so long that there is no sd, which no number of draws could tell", async () => {
  // An inverse gamma of shape 1 has no mean, its logarithm has all moments. Its squares have tail index 2; 0.6 at most is asked.
  const text = model(({ sample }) => ({ variance: sample("variance", inverseGamma(1, 1)) }));
  const { posterior, shown } = await run(text, {}, { seed: 1 });
  expect(posterior.trusted).toBe(false);
  expect(posterior.reason).toMatch(/^the tail of variance is so long/);
  expect(shown.at(-1)).toBe("nuts");
});
