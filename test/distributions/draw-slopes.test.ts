import { describe, expect, test } from "vitest";
import { paramsOf } from "../../src/distributions/distribution.ts";
import { gamma } from "../../src/distributions/gamma.ts";
import { gammaDrawSlope } from "../../src/distributions/special/gamma-tail.ts";
import { vonMisesDrawSlope } from "../../src/distributions/special/von-mises-draw.ts";
import { gradient } from "../../src/program/program.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { evaluate, given } from "../evaluate.ts";
import { onBackends } from "../on-backends.ts";
import table from "../tables/distributions.json" with { type: "json" };

const columns = (rows: readonly (readonly number[])[]) =>
  [0, 1].map((i) =>
    given(
      [rows.length],
      rows.map((r) => r[i]!),
    ),
  );

/** Implicit gradients −(∂F/∂θ) / p against derivatives of the distribution function by mpmath. */
describe("the slope of a draw by a parameter, at a fixed place of the distribution", () => {
  onBackends((place) => {
    const slopes: readonly [string, readonly number[][], (theta: Tensor, x: Tensor) => Tensor, number][] = [
      ["log Gamma(a, 1) by a", table.gammaDrawSlope, gammaDrawSlope, 1e-9],
      ["von Mises by its concentration", table.vonMisesDrawSlope, vonMisesDrawSlope, 1e-8],
    ];
    test.each(slopes)("of %s", async (_name, rows, slope, tolerance) => {
      const [theta, x] = columns(rows);
      const found = await evaluate({ theta: theta!, x: x! }, ({ theta, x }) => ({ slope: slope(theta, x) }), place());
      for (const [i, [a, at, value]] of rows.entries()) {
        expect(
          Math.abs(found["slope"]![i]! / value! - 1),
          `${a} at ${at}: ${found["slope"]![i]} and ${value}`,
        ).toBeLessThan(tolerance);
      }
    });
  });
});

test("a gamma draw follows its quantile when its shape moves a little", async () => {
  // P(a, x) at the draw stays what it was at a + h and x + h dx/da: by the distribution function, which is tested by
  // itself.
  const shapes = [1.2, 3, 25, 700];
  const h = 1e-4;
  const { x, slope, before, after } = await evaluate({ a: given([4], shapes) }, ({ a }, key) => {
    const d = gamma(a as Tensor);
    const params = paramsOf(a.trace, d as never) as { shape: Tensor; rate: Tensor };
    const x = gamma.sample!(key, params, [4]);
    const [slope] = gradient(x.sum(), [a]);
    const cdf = (a: Tensor, x: Tensor) => gamma.logCdf!(x, { shape: a, rate: params.rate });
    const move = (s: number) => cdf(a.add(s * h), x.add(slope!.mul(s * h)));
    return { x, slope: slope!, before: move(-1), after: move(1) };
  });
  for (const i of shapes.keys()) {
    expect(slope![i]).toBeGreaterThan(0);
    expect(Math.abs(after![i]! - before![i]!), `shape ${shapes[i]} at ${x![i]}`).toBeLessThan(1e-8);
  }
});
