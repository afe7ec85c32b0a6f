// Braking distances of cars as a line in their speed. Run: npx tsx examples/linear-regression.ts
import { halfNormal, infer, model, normal, type Tensor } from "ansatz";

const braking = model(
  ({ sample, observe, deterministic }, { speed, distance }: { speed: Tensor; distance: Tensor }) => {
    const intercept = sample("intercept", normal(0, 50));
    const slope = sample("slope", normal(0, 10));
    const sd = sample("sd", halfNormal(50));
    // The data are arrays: one line of text for all fifty cars.
    observe("distance", normal(speed.mul(slope).add(intercept), sd), distance);
    const at20 = deterministic("mean distance at 20 mph", slope.mul(20).add(intercept));
    return { intercept, slope, sd, at20 };
  },
);

// Ezekiel (1930): miles per hour and feet.
const data = {
  speed: [
    4, 4, 7, 7, 8, 9, 10, 10, 10, 11, 11, 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 16, 16, 17, 17, 17, 18,
    18, 18, 18, 19, 19, 19, 20, 20, 20, 20, 20, 22, 23, 24, 24, 24, 24, 25,
  ],
  distance: [
    2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60, 80, 20, 26, 54, 32, 40, 32, 40, 50,
    42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85,
  ],
}; // biome-ignore format: numbers

const posterior = await infer(braking, data);
console.log(posterior.summary());
