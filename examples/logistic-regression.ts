// Did cold make the space shuttle's O-rings fail? Run: npx tsx examples/logistic-regression.ts
import { bernoulli, infer, model, normal, type Tensor } from "ansatz";

const rings = model(({ sample, observe, deterministic }, data: { temperature: Tensor; failed: Tensor }) => {
  // Centred, so that the intercept is the log odds on a usual day; in units of ten degrees.
  const warmth = data.temperature.sub(70).div(10);
  const intercept = sample("intercept", normal(0, 3));
  const slope = sample("slope", normal(0, 3));
  observe("failed", bernoulli({ logits: warmth.mul(slope).add(intercept) }), data.failed);

  const cold = deterministic("P(failure at 31 °F)", slope.mul((31 - 70) / 10).add(intercept).sigmoid()); // biome-ignore format: one line
  return { intercept, slope, cold };
});

// Dalal, Fowlkes and Hoadley (1989): degrees Fahrenheit at 23 launches, and whether any ring was damaged. The 24th was at 31.
const data = {
  temperature: [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58],
  failed: [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1],
};

const posterior = await infer(rings, data);
console.log(posterior.summary());
