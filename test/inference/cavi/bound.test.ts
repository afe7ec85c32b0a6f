import { describe, expect, test } from "vitest";
import { cases } from "./models.ts";
import { monteCarloBound } from "./monte-carlo-bound.ts";

describe("of every model, the bound in closed form", () => {
  for (const { name, model, data } of cases) {
    test(`is that of draws of q, and no sweep lowers it: ${name}`, async () => {
      for (const seed of [1, 2]) {
        const { elbo, mean, se, elbos } = await monteCarloBound(model as never, data as never, 600, { seed });
        expect(Math.abs(mean - elbo)).toBeLessThan(4.5 * se + 1e-8 * Math.abs(elbo));
        for (const [i, bound] of elbos.entries()) {
          if (i) expect(bound).toBeGreaterThanOrEqual(elbos[i - 1]! - 1e-10 * Math.abs(bound));
        }
      }
    });
  }
});
