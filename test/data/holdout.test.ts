import { expect, test } from "vitest";
import { datasetOf } from "../../src/data/dataset.ts";
import { holdOut } from "../../src/data/holdout.ts";

const rows = (count: number) =>
  datasetOf({ dtype: "f64", shape: [count], values: new Float64Array(count) }, { name: "n", source: "s" });

test.each([
  { count: 100, fraction: 0.1, held: 10 },
  { count: 3, fraction: 0.1, held: 1 },
  { count: 2, fraction: 0.99, held: 1 },
  { count: 1, fraction: 0.1, held: 0 },
  { count: 100, fraction: 0, held: 0 },
])("of $count rows a part of $fraction is $held rows", ({ count, fraction, held }) => {
  const { train, test } = holdOut(rows(count), fraction);
  expect([train.count, test?.count ?? 0]).toEqual([count - held, held]);
});

test("held-out rows come evenly from the whole file, each once", () => {
  const { test: held } = holdOut(rows(100_000), 0.1);
  expect(new Set(held!.sourceRows).size).toBe(10_000);
  const deciles = new Array<number>(10).fill(0);
  for (const row of held!.sourceRows!) deciles[Math.floor(row / 10_000)]!++;
  // Hypergeometric: mean 1,000 and variance 1,000 · 0.9 · 0.9, so 5 standard deviations are 142.
  for (const count of deciles) expect(Math.abs(count - 1000)).toBeLessThan(142);
});
