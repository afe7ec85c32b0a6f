import { expect, test } from "vitest";
import { logNormalCdf } from "../../src/distributions/normal-cdf.ts";
import { normalQuantileOfLog } from "../../src/distributions/special/normal-quantile.ts";
import { gradient } from "../../src/program/program.ts";
import { evaluate, given } from "../evaluate.ts";
import table from "../tables/normal-cdf.json" with { type: "json" };

// Rows of z, log Φ(z), its first and second derivative.
const rows: readonly (readonly number[])[] = table.rows;
const column = (i: number) => given([rows.length], rows.map((r) => r[i]!)); // biome-ignore format: short

test("log Φ and its first two derivatives are exact in both tails", async () => {
  const found = await evaluate({ z: column(0) }, ({ z }) => {
    const value = logNormalCdf(z);
    const [first] = gradient(value.sum(), [z]);
    const [second] = gradient(first!.sum(), [z]);
    return { value, first: first!, second: second! };
  });
  for (const [i, [z, value, first, second]] of rows.entries()) {
    // An ulp of z²/2 changes e^(−z²/2) by that many ulps.
    const ulps = z! > 0 ? 4e-16 * (4 + z! ** 2) : 2e-15;
    expect(Math.abs(found["value"]![i]! / value! - 1), `log Φ(${z})`).toBeLessThan(ulps);
    expect(Math.abs(found["first"]![i]! / first! - 1), `slope at ${z}`).toBeLessThan(ulps);
    expect(Math.abs(found["second"]![i]! / second! - 1), `curvature at ${z}`).toBeLessThan(
      20 * ulps + 1e-12 * Math.max(1, -z!),
    );
  }
});

test("its inverse gives z back, and its slope is one over the hazard", async () => {
  const found = await evaluate({ l: column(1) }, ({ l }) => {
    const z = normalQuantileOfLog(l);
    return { z, slope: gradient(z.sum(), [l])[0]! };
  });
  for (const [i, [z, value, first]] of rows.entries()) {
    if (z! > 37) continue; // log Φ is a denormal number there
    // z moves by the error of log Φ over its slope.
    const error = 2e-15 * Math.max(1, Math.abs(z!)) + (4e-16 * Math.abs(value!) * 2) / first!;
    expect(Math.abs(found["z"]![i]! - z!), `z = ${z}`).toBeLessThan(error);
    expect(Math.abs(found["slope"]![i]! * first! - 1), `slope at ${z}`).toBeLessThan(1e-11);
  }
});
