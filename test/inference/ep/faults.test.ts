import { describe, expect, test } from "vitest";
import { bernoulli } from "../../../src/distributions/bernoulli.ts";
import { normal } from "../../../src/distributions/normal.ts";
import { studentT } from "../../../src/distributions/student-t.ts";
import { ep } from "../../../src/inference/ep/ep.ts";
import { infer } from "../../../src/inference/infer.ts";
import { model } from "../../../src/model/model.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";

const logistic = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
  const w = sample("w", normal(0, 1), [x.shape[1]!]);
  observe("y", bernoulli({ logits: x.mul(w).sum(1) }), y);
});
const data = { x: [[1, 0.5], [0.2, -1], [-1, 0.3]], y: [1, 0, 1] }; // biome-ignore format: short

describe("what does not work is said", () => {
  test("too few sweeps: how far the sites still were", async () => {
    const found = await ep(logistic, data, { maxSweeps: 1 });
    expect(found).toMatchObject({ converged: false, sweeps: 1 });
    expect(found.residual).toBeGreaterThan(1e-8);
    expect(found.reason).toMatch(/after 1 sweeps sites still change by \d\.\de-\d sd/);
  });
  test("a site that no Gaussian holds has no tilted moments: it is named, and log Z is not a number", async () => {
    const exploding = model(({ sample, factor }) => {
      const z = sample("z", normal(0, 1));
      factor("fine", z.abs().neg());
      factor("exploding", z.square().square());
    });
    const found = await ep(exploding, {});
    expect(found).toMatchObject({ converged: false, logZ: Number.NaN });
    expect(found.failures).toMatchObject([
      { term: 'factor("exploding")', fault: "its tilted distribution has no finite moments" },
    ]);
    expect(found.reason).toContain('factor("exploding") could not be updated');
    expect(found.skipped).toBe(found.sweeps);
  });
  test("where the others are settled, sites that cannot be updated are not visited to the last sweep", async () => {
    const exploding = model(({ sample, factor }) => {
      const [z, u] = [sample("z", normal(0, 1)), sample("u", normal(0, 1))];
      factor("fine", z.add(u).abs().neg());
      factor("also fine", z.sub(u).abs().neg());
      factor("exploding", z.square().square());
    });
    const found = await ep(exploding, {});
    expect(found).toMatchObject({ converged: false, logZ: Number.NaN });
    expect(found.sweeps).toBeLessThan(60);
    expect(found.reason).toMatch(/all sites that can be updated are settled; element 1 of factor\("exploding"\)/);
  });
  test("a site whose cavity has no variance is passed over and named", async () => {
    // Nothing but the site holds z: without it, there is no Gaussian left.
    const alone = model(({ sample }) => {
      sample("z", studentT(4, 0, 1));
    });
    const found = await ep(alone, {});
    expect(found.converged).toBe(false);
    expect(found.failures).toMatchObject([{ term: 'sample("z")', fault: "its cavity has no positive variance" }]);
  });
  test("a method of infer that did not converge is not trusted", async () => {
    const alone = model(({ sample }) => ({ z: sample("z", studentT(4, 0, 1)) }));
    const posterior = await infer(alone, {}, { method: "ep", draws: 200 });
    expect(posterior.trusted).toBe(false);
    expect(posterior.reason).toContain("did not converge");
  });
  test("a term that sees z through many projections is named, with their number", async () => {
    const softmax = model(({ sample, factor }) => {
      const z = sample("z", normal(0, 1), [5]);
      factor("all", z.logsumexp(0));
    });
    await expect(ep(softmax, {})).rejects.toThrow(
      /factor\("all"\) sees the latent variables through more than 3 linear projections/,
    );
  });
  test("of two peaks EP holds one: it says so, and is not trusted; of one peak with heavy tails it says nothing", async () => {
    const located = model(({ sample, observe }, { y }: { y: Tensor }) => {
      observe("y", studentT(1, sample("z", normal(0, 20)), 1), y);
    });
    // Off the middle, so that EP does not stay between them.
    const two = { y: [-10.5, -10, -9.6, 9.8, 10, 10.3] };
    const found = await ep(located, two);
    expect(found.converged).toBe(true);
    expect(Math.abs(Math.abs(found.mean[0]!) - 10)).toBeLessThan(1);
    expect(found.otherPeak!.at[0]! * found.mean[0]!).toBeLessThan(-80);
    expect(found.reason).toMatch(/observe\("y"\) has its peak, .* q holds one of several peaks/);
    const posterior = await infer(located, two, { method: "ep", draws: 200 });
    expect(posterior.trusted).toBe(false);
    for (const y of [[-0.5, 0, 0.2, 0.9, 1.1, 60], [0.3], [1, 2, 3, 4, 5, 30, -40]]) {
      expect((await ep(located, { y })).otherPeak).toBeNull();
    }
  });
  test("options outside their range", async () => {
    await expect(ep(logistic, data, { alpha: 0 })).rejects.toThrow(/alpha is 0/);
    await expect(ep(logistic, data, { damping: 1 })).rejects.toThrow(/damping is 1/);
    await expect(ep(logistic, data, { schedule: "random" as never })).rejects.toThrow(/"sequential" or "parallel"/);
  });
  test("separable data under a wide prior: steps that would overshoot are cut, and it still ends", async () => {
    const wide = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
      const w = sample("w", normal(0, 100), [2]);
      observe("y", bernoulli({ logits: x.mul(w).sum(1) }), y);
    });
    const found = await ep(wide, { x: [[1, 2], [1, 3], [1, -1], [1, -2]], y: [1, 1, 0, 0] }, { schedule: "parallel" }); // biome-ignore format: short
    expect(found.converged).toBe(true);
    expect(found.mean[1]).toBeGreaterThan(10);
  });
});
