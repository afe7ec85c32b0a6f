import { describe, expect, test } from "vitest";
import { Generator } from "../../src/base/generator.ts";
import { ranksOf } from "../../src/report/posterior-chains.ts";
import { fairChoice } from "../../src/report/posterior-elements.ts";
import { pairsByDependence } from "../../src/report/posterior-pairs.ts";
import { tailLength } from "../../src/report/posterior-weights.ts";

const normals = (name: string, count: number) => new Generator(2, name).normals(new Float64Array(count));

describe("which elements are shown", () => {
  const names = (sizes: readonly number[], most: number) =>
    fairChoice(sizes, most).map(({ site, element }) => `${"abc"[site]}${element}`);

  test("all where they fit, in the order of the sites", () => {
    expect(names([1, 3, 1], 9)).toEqual(["a0", "b0", "b1", "b2", "c0"]);
  });

  test("a long vector leaves room for the scalars behind it", () => {
    expect(names([1, 1000, 1], 4)).toEqual(["a0", "b0", "b1", "c0"]);
  });

  test("two vectors share the room", () => {
    expect(names([100, 100], 5)).toEqual(["a0", "a1", "a2", "b0", "b1"]);
  });
});

describe("pairs by dependence", () => {
  const [z, w, noise] = [normals("z", 4000), normals("w", 4000), normals("noise", 4000)];

  test("the correlation is that of the draws", () => {
    const [pair] = pairsByDependence([z, z.map((x, i) => 0.6 * x + 0.8 * w[i]!)]);
    // Three standard errors of a correlation: (1 − ρ²) / √n.
    expect(Math.abs(pair!.correlation - 0.6)).toBeLessThan((3 * 0.64) / Math.sqrt(4000));
  });

  test("a funnel comes before independence, though its correlation is zero", () => {
    const logScale = z;
    const funnel = w.map((x, i) => x * Math.exp(logScale[i]!));
    const [first] = pairsByDependence([noise, logScale, funnel]);
    expect([first!.a, first!.b]).toEqual([1, 2]);
    expect(Math.abs(first!.correlation)).toBeLessThan(0.15);
    expect(first!.dependence).toBeGreaterThan(0.3);
  });

  test("a constant pairs with nothing", () => {
    expect(pairsByDependence([z, new Float64Array(4000).fill(2)])).toEqual([]);
  });
});

describe("ranks among all chains", () => {
  test("go from the least to the greatest, averaged over ties", () => {
    const [first, second] = ranksOf([Float64Array.of(5, 1), Float64Array.of(3, 5)]);
    // Sorted 1, 3, 5, 5: the ranks are the middles of their quarters.
    expect([...first!]).toEqual([0.75, 0.125]);
    expect([...second!]).toEqual([0.375, 0.75]);
  });
});

test("k-hat's tail has min(n/5, 3√n) weights", () => {
  expect(tailLength(100)).toBe(20);
  expect(tailLength(10_000)).toBe(300);
});
