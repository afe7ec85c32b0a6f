// A mean in a hail of outliers: expectation propagation's first problem (Minka 2001). Run: npx tsx examples/ep/clutter.ts
import { infer, mixture, model, normal, type Tensor } from "ansatz";

const clutter = model(({ sample, observe }, { x }: { x: Tensor }) => {
  const mean = sample("mean", normal(0, 10));
  // Half of what arrives has nothing to do with the mean.
  observe("x", mixture([0.5, 0.5], [normal(mean, 1), normal(0, Math.sqrt(10))]), x);
  return { mean };
});

const posterior = await infer(clutter, { x: [0.1, 2.3] }, { method: "ep" });
console.log(posterior.summary());
