import { describe, expect, test } from "vitest";
import { type Frame, linearScale, xAxis, yAxis } from "../../src/report/chart.ts";
import { niceTicks, type Range } from "../../src/report/ticks.ts";

const frame: Frame = { left: 10, top: 10, width: 240, height: 96 };
const axis = (range: Range, count: number) =>
  xAxis(frame, niceTicks(range, count), linearScale(range, frame.left, frame.left + frame.width), "");
const labels = (svg: string) => [...svg.matchAll(/<text x="([-\d.]+)"[^>]*>([^<]*)/g)].map(([, x, text]) => ({ x: Number(x), text: text! })); // biome-ignore format: one line

describe("the labels of a horizontal axis", () => {
  test("all stand where there is room", () => {
    expect(labels(axis({ low: -1.2, high: 1.2 }, 4)).map(({ text }) => text)).toEqual([
      "−1.0",
      "−0.5",
      "0.0",
      "0.5",
      "1.0",
    ]);
  });

  // On a narrow screen the text of small multiples is 18 units high, and a digit half as wide.
  test.each([
    { low: -0.75, high: 0.6 },
    { low: 0.03, high: 0.27 },
    { low: 99_400, high: 100_900 },
  ])("never run together, from $low to $high, though each tick is there", (range) => {
    const svg = axis(range, 5);
    const shown = labels(svg);
    const gaps = shown.slice(1).map(({ x }, i) => x - shown[i]!.x);
    expect(Math.min(...gaps)).toBeGreaterThan(9 * Math.max(...shown.map(({ text }) => text.length)));
    expect(svg.match(/v5"/g)).toHaveLength(niceTicks(range, 5).length);
  });

  test("that are thinned keep that of 0", () => {
    expect(labels(axis({ low: -0.75, high: 0.6 }, 5)).map(({ text }) => text)).toContain("0.0");
  });
});

test("a name that is longer than its axis keeps its beginning and its end", () => {
  const range = { low: 0, high: 1 };
  const scale = linearScale(range, 10, 250);
  for (const axis of [xAxis, yAxis]) {
    expect(axis(frame, [], scale, "effect[3]")).toContain(">effect[3]<");
    expect(axis(frame, [], scale, `effect_of_each_${"very_".repeat(9)}long_name[41]`)).toMatch(
      />effect_of_e[^<]*…[^<]*name\[41\]</,
    );
  }
});
