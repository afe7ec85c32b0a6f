import { chart, coordinate, type Frame, linearScale, type Scale, xAxis } from "./chart.ts";
import { escapeHtml, formatSignificant } from "./format.ts";
import type { Point } from "./line-chart.ts";
import { bandwidthOf, type Density, densityOf } from "./posterior-density.ts";
import { type Element, pooledDraws } from "./posterior-elements.ts";
import { niceTicks, padRange, type Range } from "./ticks.ts";

const width = 260;
const frame: Frame = { left: 10, top: 10, width: width - 20, height: 96 };
const mostChainCurves = 8;

/** Values in the range that is drawn: far tails would squash the rest. */
export function shownRange({ q5, q95 }: { readonly q5: number; readonly q95: number }, sorted: Float64Array): Range {
  const span = q95 - q5;
  const reach = span > 0 ? 1.2 * span : Number.POSITIVE_INFINITY;
  return { low: Math.max(sorted[0]!, q5 - reach), high: Math.min(sorted.at(-1)!, q95 + reach) };
}

const pathOf = (points: readonly Point[], x: Scale, y: Scale): string =>
  points.map((p, i) => `${i === 0 ? "M" : "L"}${coordinate(x(p.x))} ${coordinate(y(p.y))}`).join("");

/** The part of a curve between two values, with its ends interpolated. */
function between(points: readonly Point[], low: number, high: number): Point[] {
  const at = (value: number): Point | null => {
    const after = points.findIndex((p) => p.x >= value);
    if (after <= 0) return points[0] && after === 0 ? points[0] : null;
    const [a, b] = [points[after - 1]!, points[after]!];
    return { x: value, y: a.y + ((value - a.x) / (b.x - a.x)) * (b.y - a.y) };
  };
  const inside = points.filter((p) => p.x > low && p.x < high);
  return [at(low), ...inside, at(high)].filter((p) => p !== null);
}

/** The marginal density of one element: all draws as an area with the middle 90 % darker, each chain as a line. */
function marginal(element: Element, id: string): string {
  const { row } = element;
  const all = pooledDraws(element).filter(Number.isFinite).sort();
  const title = `<p class="name">${escapeHtml(row.name)}</p>`;
  const text = `mean ${formatSignificant(row.mean, 3)}, 90 % from ${formatSignificant(row.q5, 3)} to ${formatSignificant(row.q95, 3)}`;
  const [mean, low, high] = [row.mean, row.q5, row.q95].map((v) => formatSignificant(v, 3));
  const note = `<p>${escapeHtml(`${mean} (${low} to ${high})`)}</p>`;
  const range = all.length ? shownRange(row, all) : { low: 0, high: 1 };
  const above = all.findIndex((v) => v > range.high);
  const shown = all.subarray(
    all.findIndex((v) => v >= range.low),
    above < 0 ? all.length : above,
  );
  const density = shown.length ? densityOf(shown) : null;
  if (!density) {
    const what = all.length ? `always ${formatSignificant(all[0]!)}` : "no finite draws";
    return `<figure>${title}<p class="none">${escapeHtml(what)}</p></figure>`;
  }
  const about = { id, title: `Density of ${row.name}`, description: `Posterior of ${row.name}: ${text}.` };
  const body = density.isDiscrete ? bars(density, row) : area(density, element, range, bandwidthOf(shown));
  return `<figure>${title}${chart(about, width, 134, body, "chart small")}${note}</figure>`;
}

function area(density: Density, { row, chains }: Element, shown: Range, bandwidth: number): string {
  const { points } = density;
  const inRange = (values: Float64Array) => values.filter((v) => v >= shown.low && v <= shown.high);
  const range = padRange({ low: points[0]!.x, high: points.at(-1)!.x }, 0.02);
  const x = linearScale(range, frame.left, frame.left + frame.width);
  const curves =
    chains.length > 1 && chains.length <= mostChainCurves
      ? chains.map((values) => densityOf(inRange(values), 80, bandwidth * chains.length ** 0.2)?.points ?? [])
      : [];
  const top = Math.max(...points.map((p) => p.y), ...curves.flat().map((p) => p.y));
  const bottom = frame.top + frame.height;
  const y = linearScale({ low: 0, high: 1.04 * top }, bottom, frame.top);
  const filled = (part: readonly Point[]) =>
    part.length < 2
      ? ""
      : `${pathOf(part, x, y)}L${coordinate(x(part.at(-1)!.x))} ${bottom}L${coordinate(x(part[0]!.x))} ${bottom}Z`;
  const middle = between(points, row.q5, row.q95);
  return (
    `<path class="area" d="${filled(points)}"/><path class="area" d="${filled(middle)}"/>` +
    (curves.length === 0 ? `<path class="outline" d="${pathOf(points, x, y)}"/>` : "") +
    curves.map((c, i) => `<path class="chain chain${i % 4}" d="${pathOf(c, x, y)}"/>`).join("") +
    `<path class="mean" d="M${coordinate(x(row.mean))} ${bottom}V${frame.top}"/>` +
    xAxis(frame, niceTicks(range, 4), x, "")
  );
}

/** The shares of the values of a discrete quantity. */
function bars({ points }: Density, row: Element["row"]): string {
  const range = { low: points[0]!.x - 0.6, high: points.at(-1)!.x + 0.6 };
  const x = linearScale(range, frame.left, frame.left + frame.width);
  const bottom = frame.top + frame.height;
  const y = linearScale({ low: 0, high: 1.04 * Math.max(...points.map((p) => p.y)) }, bottom, frame.top);
  const bar = Math.max(1, Math.min(24, 0.7 * (x(1) - x(0))));
  const marks = points.map(
    (p) =>
      `<rect class="bar" x="${coordinate(x(p.x) - bar / 2)}" y="${coordinate(y(p.y))}" width="${coordinate(bar)}" ` +
      `height="${coordinate(bottom - y(p.y))}"><title>${p.x}: ${formatSignificant(p.y, 3)}</title></rect>`,
  );
  return (
    marks.join("") +
    `<path class="mean" d="M${coordinate(x(row.mean))} ${bottom}V${frame.top}"/>` +
    xAxis(frame, niceTicks(range, 4, true), x, "")
  );
}

/** Small multiples of the marginal densities. `missing`: how many elements are not shown. */
export function marginals(elements: readonly Element[], missing: number): string {
  if (elements.length === 0) return "";
  const many = elements[0]!.chains.length > 1 ? "; each line is one chain" : "";
  const cut = missing > 0 ? ` ${elements.length} of ${elements.length + missing} are shown, some of each site.` : "";
  return (
    `<p class="remark">The middle 90 % are darker, the mean is dashed; both stand below${many}.${cut}</p>` +
    `<div class="multiples">${elements.map((e, i) => marginal(e, `density-${i}`)).join("")}</div>`
  );
}
