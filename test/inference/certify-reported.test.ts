import { expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { doubtOfWeighted } from "../../src/inference/certify-reported.ts";

test("draws without weight say nothing, however large or infinite they are", () => {
  const count = 5000;
  const normal = new Generator(1, "test").normals(new Float64Array(count));
  const logWeights = new Float64Array(count).fill(-Math.log(count));
  const far = normal.slice();
  for (const [s, value] of [
    [7, 1e200],
    [8, -1e180],
    [9, Infinity],
  ] as const) {
    // biome-ignore format: one line
    logWeights[s] = -Infinity;
    far[s] = value;
  }
  const constant = new Float64Array(count).fill(5);
  const draws = (values: Float64Array) => ({ shape: [], values });
  expect(doubtOfWeighted(logWeights, { x: draws(far), five: draws(constant) }, 4000)).toBeNull();
  logWeights[8] = -1000;
  expect(doubtOfWeighted(logWeights, { x: draws(far) }, 4000)).not.toBeNull();
});
