import { expect, test } from "vitest";
import { stickBreaking } from "../../src/tensor/stick-breaking.ts";
import { evaluate, given } from "../evaluate.ts";

test("a stick is broken along the last axis, and what remains is the last weight", async () => {
  const fractions = given([2, 3], [0.5, 0.5, 0.5, 0.25, 1, 0.75]);
  const { weights } = await evaluate({ fractions }, ({ fractions }) => ({ weights: stickBreaking(fractions) }));
  expect([...weights!]).toEqual([0.5, 0.25, 0.125, 0.125, 0.25, 0.75, 0, 0]);
});
