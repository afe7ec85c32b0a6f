import { describe, expect, test } from "vitest";
import { bernoulli } from "../../../src/distributions/bernoulli.ts";
import { normal } from "../../../src/distributions/normal.ts";
import { ep } from "../../../src/inference/ep/ep.ts";
import { model } from "../../../src/model/model.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { abortAfter } from "../abort-after.ts";

const logistic = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
  const w = sample("w", normal(0, 1), [x.shape[1]!]);
  observe("y", bernoulli({ logits: x.mul(w).sum(1) }), y);
});
const x = Array.from({ length: 600 }, (_, i) => Array.from({ length: 60 }, (_, j) => Math.sin(7.1 * i + j * j)));
const data = { x, y: x.map((row, i) => (row[0]! + Math.sin(3 * i) > 0 ? 1 : 0)) };

for (const schedule of ["sequential", "parallel"] as const) {
  describe(`${schedule} expectation propagation`, () => {
    test("hears a signal within a sweep, and timers have their turn meanwhile", async () => {
      const { signal, expectHeard } = abortAfter(5);
      await expectHeard(ep(logistic, data, { schedule, tolerance: 1e-300, signal }), /abort/i);
    });

    test("gives the same bits where timers come between its pieces", async () => {
      const options = { schedule, maxSweeps: 3 } as const;
      const alone = await ep(logistic, data, options);
      const timer = setInterval(() => {}, 0);
      const [together, other] = await Promise.all([ep(logistic, data, options), ep(logistic, data, options)]);
      clearInterval(timer);
      for (const { mean, covariance, logZ } of [together, other]) {
        expect([mean, covariance, logZ]).toEqual([alone.mean, alone.covariance, alone.logZ]);
      }
    });
  });
}
