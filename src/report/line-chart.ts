import {
  chart,
  coordinate,
  type Description,
  type Frame,
  labelWidth,
  legend,
  linearScale,
  type Scale,
  xAxis,
  yAxis,
} from "./chart.ts";
import { escapeHtml, formatFixed } from "./format.ts";
import { extent, niceTicks, padRange, type Range } from "./ticks.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly name: string;
  /** Class of the style sheet that holds its colour and dash: "train", "test", "rate", "distortion". */
  readonly style: string;
  readonly points: readonly Point[];
}

/** One of several charts stacked over a common horizontal axis. */
export interface Panel {
  readonly name: string;
  readonly range: Range;
  readonly series: readonly Series[];
}

const chartWidth = 520;
const mostMarkers = 60;
const mostBands = 300;
const arrowSpacing = 11; // nearer ones would run together

/**
 * Curves over a common horizontal axis, in one or more panels. Points outside a panel's range are drawn as arrows at its edge.
 * Pointing anywhere shows the values at the nearest x.
 *
 * @param integers  the horizontal axis counts something, so its ticks are whole numbers
 */
export function lineChart(about: Description, panels: readonly Panel[], xName: string, integers = true): string {
  const panelHeight = panels.length === 1 ? 250 : 96;
  const panelGap = 44;
  const yTicks = panels.map((panel) => niceTicks(panel.range, panels.length === 1 ? 6 : 3));
  const left = Math.max(...yTicks.map(labelWidth));
  const xs = sortedXs(panels);
  const xRange = xExtent(xs);
  const frames = panels.map(
    (_, index): Frame => ({
      left,
      top: 32 + index * (panelHeight + panelGap),
      width: chartWidth - left - 14,
      height: panelHeight,
    }),
  );
  const x = linearScale(xRange, left + 6, chartWidth - 20);
  const last = frames.at(-1) as Frame;

  const body = panels.map((panel, index) => {
    const frame = frames[index] as Frame;
    const y = linearScale(panel.range, frame.top + frame.height, frame.top);
    const curves = panel.series.map((series) => curve(series, panel.range, frame, x, y)).join("");
    const isLast = index === panels.length - 1;
    const xTicks = niceTicks(xRange, 7, integers);
    return (
      yAxis(frame, yTicks[index] as ReturnType<typeof niceTicks>, y, panel.name) +
      xAxis(frame, isLast ? xTicks : [], x, isLast ? xName : "") +
      curves
    );
  });
  const bottom = last.top + last.height;
  return chart(about, chartWidth, bottom + 52, body.join("") + hoverBands(panels, xs, x, xName, left, bottom));
}

/** A legend for the series, each as its line is drawn. */
export function lineLegend(series: readonly Series[]): string {
  return legend(
    series.map(({ name, style }) => ({
      label: name,
      swatch: `<g class="${style}"><path class="line" d="M0 6h26"/>${marker(style, 13, 6)}</g>`,
    })),
  );
}

function sortedXs(panels: readonly Panel[]): number[] {
  const xs = new Set(
    panels.flatMap((panel) => panel.series.flatMap((series) => series.points.map((point) => point.x))),
  );
  return [...xs].filter(Number.isFinite).sort((a, b) => a - b);
}

function xExtent(xs: readonly number[]): Range {
  const range = extent(xs) ?? { low: 0, high: 1 };
  return range.low === range.high ? padRange(range, 0) : range;
}

function curve(series: Series, range: Range, frame: Frame, x: Scale, y: Scale): string {
  const points = series.points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  // The nested svg clips the line where it leaves the range; markers stay outside of it so that they are never cut in half.
  const path = points.map(
    (point, index) =>
      `${index === 0 ? "M" : "L"}${coordinate(x(point.x) - frame.left)} ${coordinate(y(point.y) - frame.top)}`,
  );
  const clip = `x="${frame.left}" y="${frame.top}" width="${frame.width}" height="${frame.height}"`;
  const line = points.length > 1 ? `<svg ${clip}><path class="line" d="${path.join("")}"/></svg>` : "";
  const isMarked = points.length <= mostMarkers;
  let lastArrow = Number.NEGATIVE_INFINITY;
  const marks = points.map((point) => {
    const here = x(point.x);
    const isInside = point.y <= range.high && point.y >= range.low;
    if (isInside) return isMarked ? marker(series.style, here, y(point.y)) : "";
    if (here - lastArrow < arrowSpacing) return "";
    lastArrow = here;
    return point.y > range.high ? arrow(here, frame.top, 1) : arrow(here, frame.top + frame.height, -1);
  });
  return `<g class="${series.style}">${line}${marks.join("")}</g>`;
}

// Circles and squares, so that the two curves differ without colour as well.
function marker(style: string, x: number, y: number): string {
  if (style === "train") return `<circle class="mark" cx="${coordinate(x)}" cy="${coordinate(y)}" r="2.6"/>`;
  return `<path class="mark" d="M${coordinate(x - 2.4)} ${coordinate(y - 2.4)}h4.8v4.8h-4.8z"/>`;
}

function arrow(x: number, y: number, down: 1 | -1): string {
  return `<path class="arrow" d="M${coordinate(x)} ${coordinate(y)}l-4 ${7 * down}h8z"/>`;
}

/** Invisible bands, one around each x, whose titles list all values there. */
function hoverBands(
  panels: readonly Panel[],
  xs: readonly number[],
  scale: Scale,
  xName: string,
  left: number,
  bottom: number,
): string {
  const stride = Math.ceil(xs.length / mostBands);
  const shown = xs.filter((_, index) => index % stride === 0 || index === xs.length - 1);
  const series = panels.flatMap((panel) => panel.series);
  const lookups = series.map(({ points }) => new Map(points.map((point) => [point.x, point.y])));
  const bands = shown.map((value, index) => {
    const here = scale(value);
    const before = index === 0 ? left : (scale(shown[index - 1] as number) + here) / 2;
    const after = index === shown.length - 1 ? chartWidth - 14 : (scale(shown[index + 1] as number) + here) / 2;
    const lines = series.flatMap(({ name }, which) => {
      const y = lookups[which]?.get(value);
      return y === undefined ? [] : [`${name} ${formatFixed(y, 3)}`];
    });
    const title = escapeHtml([`${xName} ${value}`, ...lines].join("\n"));
    const box = `x="${coordinate(before)}" y="20" width="${coordinate(after - before)}" height="${bottom - 20}"`;
    return `<rect class="band" ${box}><title>${title}</title></rect>`;
  });
  return bands.join("");
}
