import { expect, test } from "vitest";
import { columnVariances } from "../../src/diagnostics/active-units.ts";

test("variances are those over the rows of each column, divided by their number", () => {
  expect(columnVariances([1, 5, 10, 3, 5, 20, 5, 5, 60], 3)).toEqual([
    expect.closeTo(8 / 3),
    0,
    expect.closeTo(1400 / 3),
  ]);
});
