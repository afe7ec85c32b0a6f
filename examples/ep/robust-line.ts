// A line through points of which one is wrong. Run: npx tsx examples/ep/robust-line.ts
import { infer, model, normal, studentT, type Tensor } from "ansatz";

const line = model(({ sample, observe }, { x, y }: { x: Tensor; y: Tensor }) => {
  const level = sample("level", normal(0, 10));
  const slope = sample("slope", normal(0, 10));
  observe("y", studentT(4, x.mul(slope).add(level), 0.5), y);
  return { level, slope };
});

const posterior = await infer(line, { x: [0, 1, 2, 3, 4, 5], y: [0.1, 1.2, 1.9, 9, 4.1, 5.2] }, { method: "ep" });
console.log(posterior.summary());
