import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { extent, lateRange, logTicks, niceTicks, padRange } from "../../src/report/ticks.ts";

const labels = (ticks: readonly { readonly label: string }[]) => ticks.map((tick) => tick.label);
const values = (ticks: readonly { readonly value: number }[]) => ticks.map((tick) => tick.value);

describe("nice ticks", () => {
  // What d3-array's `ticks(start, stop, count)` gives for the same arguments.
  test.each([
    [0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [0, 10, 5, [0, 2, 4, 6, 8, 10]],
    [-10, 10, 5, [-10, -5, 0, 5, 10]],
    [0, 1, 10, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]],
    [-1, 0.4, 3, [-1, -0.5, 0]],
  ])("from %d to %d, about %i of them", (low, high, count, expected) => {
    expect(values(niceTicks({ low, high }, count))).toEqual(expected);
  });

  test("carry as many decimals as their step, and a true minus sign", () => {
    expect(labels(niceTicks({ low: -0.1, high: 0.1 }, 4))).toEqual(["−0.10", "−0.05", "0.00", "0.05", "0.10"]);
    expect(labels(niceTicks({ low: 99.4, high: 104.2 }, 5))).toEqual(["100", "101", "102", "103", "104"]);
    expect(labels(niceTicks({ low: 0, high: 1e9 }, 2))).toEqual(["0", "5e8", "1e9"]);
  });

  test("of counts are whole numbers", () => {
    expect(values(niceTicks({ low: 1, high: 3 }, 7, true))).toEqual([1, 2, 3]);
    expect(values(niceTicks({ low: 0.5, high: 1.5 }, 7, true))).toEqual([1]);
  });

  test("lie in the range, a step of 1, 2 or 5 times a power of ten apart, and differ in their labels", () => {
    const range = fc.tuple(
      fc.double({ min: -1e7, max: 1e7, noNaN: true }),
      fc.double({ min: 1e-4, max: 1e7, noNaN: true }),
    );
    fc.assert(
      fc.property(range, fc.integer({ min: 2, max: 10 }), ([low, span], count) => {
        const high = low + span;
        const ticks = niceTicks({ low, high }, count);
        const slack = 1e-8 * span;
        expect(ticks.length).toBeGreaterThanOrEqual(1);
        expect(ticks.length).toBeLessThanOrEqual(2 * count + 1);
        for (const { value } of ticks) expect(value >= low - slack && value <= high + slack).toBe(true);
        expect(new Set(labels(ticks)).size).toBe(ticks.length);
        if (ticks.length < 2) return;
        const step = (values(ticks)[1] as number) - (values(ticks)[0] as number);
        const leading = Number(step.toExponential(2).split("e")[0]);
        expect([1, 2, 5]).toContain(leading);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test("of logarithmic axes are powers of ten, thinned evenly", () => {
    expect(labels(logTicks({ low: 1e-6, high: 2 }, 10))).toEqual(["10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"]);
    expect(values(logTicks({ low: 1e-6, high: 2 }, 4))).toEqual([1e-6, 1e-4, 1e-2, 1]);
    expect(labels(logTicks({ low: 1, high: 1e12 }, 3))).toEqual(["1", "10⁵", "10¹⁰"]);
  });
});

describe("ranges", () => {
  test("hold the finite values only", () => {
    expect(extent([3, Number.NaN, -1, Number.POSITIVE_INFINITY])).toEqual({ low: -1, high: 3 });
    expect(extent([Number.NaN])).toBeNull();
  });

  test("of a single number become an interval around it", () => {
    expect(padRange({ low: 0, high: 0 })).toEqual({ low: -0.5, high: 0.5 });
    expect(padRange({ low: -100, high: -100 })).toEqual({ low: -105, high: -95 });
  });
});

describe("the range of a curve", () => {
  const curve = (...ys: number[]) => ys.map((y, index) => ({ x: index + 1, y }));

  test("leaves out the first epochs where they would squash the rest", () => {
    const late = lateRange(curve(550, 190, 120, 110, 105, 103, 101, 100));
    expect(late).toMatchObject({ isClipped: true, firstX: 3 });
    // The values from epoch 3 on span 20: that much above them is shown, and a small margin, but not the 190.
    expect(late?.range.low).toBeLessThan(100);
    expect(late?.range.high).toBeGreaterThan(140);
    expect(late?.range.high).toBeLessThan(145);
  });

  test("also holds for curves that rise", () => {
    const late = lateRange(curve(-500, 2, 10, 14, 16, 17, 17.5, 18));
    expect(late?.isClipped).toBe(true);
    expect(late?.range.low).toBeGreaterThan(0);
    expect(late?.range.high).toBeGreaterThan(18);
  });

  test("never leaves out a late outlier", () => {
    const late = lateRange(curve(550, 120, 105, 102, 101, 100, 4000, 100));
    expect(late?.range.high).toBeGreaterThan(4000);
  });

  test("is the full one for gentle or short curves", () => {
    expect(lateRange(curve(110, 108, 106, 104, 102, 100, 99, 98))?.isClipped).toBe(false);
    expect(lateRange(curve(9000, 3, 2, 1))?.isClipped).toBe(false);
    expect(lateRange(curve(7, 7, 7, 7, 7, 7))).toMatchObject({ isClipped: false });
  });

  test("passes over values that are not finite, and is null when none is", () => {
    expect(lateRange(curve(Number.POSITIVE_INFINITY, 2, 1))?.range.high).toBeLessThan(3);
    expect(lateRange(curve(Number.NaN))).toBeNull();
  });
});
