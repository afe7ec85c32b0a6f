import {
  chart,
  coordinate,
  type Description,
  type Frame,
  labelWidth,
  legend,
  linearScale,
  xAxis,
  yAxis,
} from "./chart.ts";
import { escapeHtml, formatCount } from "./format.ts";
import type { LatentPlane } from "./input.ts";
import { extent, niceTicks, padRange } from "./ticks.ts";

const chartWidth = 520;
const colours = 10;
const mostLabels = 40;
const mostNamedInPlot = 20;
const mostPoints = 10_000;
const layers = 16;

// One path draws all points of a label, so that 10,000 points are some 100 KB of text and few elements. A line of
// length zero with round caps is a disc, with square caps a square.
const shapes = [
  { style: "disc", mark: () => "h0" },
  { style: "square", mark: () => "h0" },
  { style: "cross", mark: (r: number) => `m${-r} ${-r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}` },
  { style: "plus", mark: (r: number) => `m${-r} 0h${2 * r}m${-r} ${-r}v${2 * r}` },
] as const;

interface Group {
  readonly name: string;
  readonly style: string;
  /** Path commands that draw a mark of this radius, in tenths of a unit, at the current point. */
  readonly mark: (radius: number) => string;
  readonly points: readonly (readonly [number, number])[];
}

export interface Scatter {
  readonly svg: string;
  readonly legend: string;
  /** For the caption: what the colours mean, and what is not shown. */
  readonly notes: readonly string[];
}

/** Latent means in the plane, one colour and shape per label; each label is also written at the median of its points. */
export function latentScatter(about: Description, plane: LatentPlane): Scatter {
  const { points, notes } = shownPoints(plane);
  const xRange = padRange(extent(points.map((point) => point.x)) ?? { low: -1, high: 1 }, 0.03);
  const yRange = padRange(extent(points.map((point) => point.y)) ?? { low: -1, high: 1 }, 0.03);
  const yTicks = niceTicks(yRange, 7);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 32, width: chartWidth - left - 14, height: 400 };
  const x = linearScale(xRange, frame.left, frame.left + frame.width);
  const y = linearScale(yRange, frame.top + frame.height, frame.top);

  const labels = [...new Set(points.map((point) => point.label))].sort((a, b) => a - b);
  const isLabelled = plane.labels !== null && labels.length <= mostLabels;
  if (plane.labels !== null && !isLabelled) notes.push(`${labels.length} different labels are too many to tell apart.`);
  const groups = (isLabelled ? labels : [null]).map((label, index): Group => {
    const shape = shapes[Math.floor(index / colours)] ?? shapes[0];
    return {
      name: label === null ? "" : (plane.labelNames?.[label] ?? String(label)),
      style: `c${index % colours} ${shape.style}`,
      mark: shape.mark,
      points: points.filter((p) => label === null || p.label === label).map((p) => [x(p.x), y(p.y)] as const),
    };
  });

  const size = points.length < 400 ? 7 : points.length < 3000 ? 5 : 3.6;
  const isNamed = isLabelled && groups.length <= mostNamedInPlot;
  if (isLabelled)
    notes.unshift(`Coloured by label${isNamed ? "; each label stands at the median of its points" : ""}.`);
  const names = isNamed ? groups.map(nameAtMedian).join("") : "";
  const body =
    yAxis(frame, yTicks, y, plane.yName) +
    xAxis(frame, niceTicks(xRange, 7), x, plane.xName) +
    `<g class="points" style="--size:${size * 10}" transform="scale(.1)">${drawInLayers(groups, Math.round(size * 6))}</g>${names}`;
  return {
    svg: chart(about, chartWidth, frame.top + frame.height + 52, body),
    legend: isLabelled ? legend(groups.map(legendItem)) : "",
    notes,
  };
}

function shownPoints(plane: LatentPlane) {
  const notes: string[] = [];
  const all = plane.x.map((x, index) => ({ x, y: plane.y[index] ?? Number.NaN, label: plane.labels?.[index] ?? 0 }));
  const finite = all.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));
  if (finite.length < all.length)
    notes.push(`Points left out because not finite: ${formatCount(all.length - finite.length)}.`);
  const stride = Math.ceil(finite.length / mostPoints);
  const points = stride > 1 ? finite.filter((_, index) => index % stride === 0) : finite;
  if (stride > 1) notes.push(`One in ${stride} of ${formatCount(finite.length)} points is drawn.`);
  return { points, notes };
}

/** All labels by turns in several layers: drawn label after label, the last would hide the others. */
function drawInLayers(groups: readonly Group[], radius: number): string {
  let paths = "";
  for (let layer = 0; layer < layers; layer++) {
    for (const { name, style, mark, points } of groups) {
      const own = points.filter((_, index) => index % layers === layer);
      if (own.length === 0) continue;
      const d = own.map(([x, y]) => `M${Math.round(10 * x)} ${Math.round(10 * y)}${mark(radius)}`).join("");
      paths += `<path class="${style}" d="${d}">${name === "" ? "" : `<title>${escapeHtml(name)}</title>`}</path>`;
    }
  }
  return paths;
}

function nameAtMedian({ name, points }: Group): string {
  const median = (axis: 0 | 1) => {
    const sorted = points.map((point) => point[axis]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] as number;
  };
  return `<text class="class-name" x="${coordinate(median(0))}" y="${coordinate(median(1))}" dy="0.35em" text-anchor="middle">${escapeHtml(name)}</text>`;
}

function legendItem({ name, style, mark, points }: Group) {
  const swatch = `<g class="points" style="--size:80" transform="scale(.1)"><path class="${style}" d="M130 60${mark(42)}"/></g>`;
  return { label: `${name} (${points.length})`, swatch };
}
