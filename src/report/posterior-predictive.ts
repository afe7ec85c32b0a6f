import { chart, coordinate, type Frame, labelWidth, legend, linearScale, xAxis, yAxis } from "./chart.ts";
import { escapeHtml, formatCount, formatFixed, formatSignificant } from "./format.ts";
import { figure, table } from "./markup.ts";
import { figures } from "./page.ts";
import { bandwidthOf, densityOf, quantileOf } from "./posterior-density.ts";
import type { PredictiveSite } from "./posterior-input.ts";
import { extent, niceTicks, padRange, type Range } from "./ticks.ts";

const width = 520;
const mostOverlaid = 40;
const mostIntervals = 400;
const mostBars = 60;
const fewestForDensity = 12;
const mostSites = 6;

const column = (site: PredictiveSite, element: number): Float64Array => {
  const size = site.observed.length;
  return Float64Array.from({ length: site.count }, (_, r) => site.replicates[r * size + element]!);
};
const replicate = (site: PredictiveSite, r: number): Float64Array => {
  const size = site.observed.length;
  return Float64Array.from({ length: size }, (_, i) => site.replicates[r * size + i]!);
};

const areWhole = ({ observed, replicates }: PredictiveSite): boolean => {
  for (let i = 0; i < observed.length; i++) if (!Number.isInteger(observed[i])) return false;
  for (let i = 0; i < replicates.length; i++) if (!Number.isInteger(replicates[i])) return false;
  return true;
};

interface Interval {
  readonly low: number;
  readonly q25: number;
  readonly q50: number;
  readonly q75: number;
  readonly high: number;
}

function intervalOf(values: Float64Array): Interval {
  const sorted = values.slice().sort();
  const at = (p: number) => quantileOf(sorted, p);
  return { low: at(0.05), q25: at(0.25), q50: at(0.5), q75: at(0.75), high: at(0.95) };
}

/** Observed values in their order, each on the intervals that its replicates fill. */
function intervals(site: PredictiveSite, id: string): string {
  const n = site.observed.length;
  const stride = Math.ceil(n / mostIntervals);
  const shown = Array.from({ length: n }, (_, i) => i).filter((i) => i % stride === 0);
  const all = shown.map((i) => intervalOf(column(site, i)));
  const observed = shown.map((i) => site.observed[i]!);
  const range = padRange(extent([...observed, ...all.flatMap((q) => [q.low, q.high])]) ?? { low: 0, high: 1 }, 0.04);
  const yTicks = niceTicks(range, 6);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 30, width: width - left - 14, height: 220 };
  const x = linearScale({ low: 0.4, high: n + 0.6 }, frame.left, frame.left + frame.width);
  const y = linearScale(range, frame.top + frame.height, frame.top);
  const slot = (x(2) - x(1)) * stride;
  const isRibbon = shown.length > mostBars;
  const box = (i: number, low: number, high: number, w: number) =>
    `M${coordinate(x(shown[i]! + 1) - w / 2)} ${coordinate(y(high))}h${coordinate(w)}V${coordinate(y(low))}h${coordinate(-w)}Z`;
  const ribbon = (lower: (q: Interval) => number, upper: (q: Interval) => number) => {
    const up = all.map((q, i) => `${coordinate(x(shown[i]! + 1))} ${coordinate(y(upper(q)))}`);
    const down = all.map((q, i) => `${coordinate(x(shown[i]! + 1))} ${coordinate(y(lower(q)))}`).reverse();
    return `M${up.join("L")}L${down.join("L")}Z`;
  };
  const bar = Math.max(2, Math.min(22, 0.7 * slot));
  const bands = isRibbon
    ? `<path class="area" d="${ribbon(
        (q) => q.low,
        (q) => q.high,
      )}"/><path class="area" d="${ribbon(
        (q) => q.q25,
        (q) => q.q75,
      )}"/>`
    : `<path class="area" d="${all.map((q, i) => box(i, q.low, q.high, bar)).join("")}"/><path class="area" d="${all.map((q, i) => box(i, q.q25, q.q75, bar)).join("")}"/>`;
  const points = observed.map((v, i) => `M${Math.round(10 * x(shown[i]! + 1))} ${Math.round(10 * y(v))}h0`).join("");
  const size = shown.length > 150 ? 3.2 : shown.length > mostBars ? 4.4 : 6;
  const about = {
    id,
    title: `Observed and replicated ${site.name}`,
    description: `The ${formatCount(n)} observed values of ${site.name} in their order on the intervals of their replicates.`,
  };
  const body =
    yAxis(frame, yTicks, y, site.name) +
    bands +
    `<g class="points" style="--size:${size * 10}" transform="scale(.1)"><path class="observed disc" d="${points}"/></g>` +
    xAxis(
      frame,
      niceTicks({ low: 1, high: Math.max(2, n) }, 8, true).filter((t) => t.value >= 1),
      x,
      "observation",
    );
  const cut = stride > 1 ? ` One in ${stride} of ${formatCount(n)} is drawn.` : "";
  return figure("Observations one by one", chart(about, width, frame.top + frame.height + 50, body), [
    `Points: observed. Bands: the middle 50 % and 90 % of the replicates.${cut}`,
  ]);
}

const linePath = (points: readonly { x: number; y: number }[], x: (v: number) => number, y: (v: number) => number) =>
  points.map((p, i) => `${i === 0 ? "M" : "L"}${coordinate(x(p.x))} ${coordinate(y(p.y))}`).join("");

const spread = (count: number, most: number): number[] =>
  Array.from({ length: Math.min(count, most) }, (_, i) => Math.floor(((i + 0.5) * count) / Math.min(count, most)));

/** The density of the observed values over those of replicates. */
function overlay(site: PredictiveSite, id: string): string {
  const observed = Float64Array.from(site.observed).filter(Number.isFinite).sort();
  const bandwidth = bandwidthOf(observed);
  const span = quantileOf(observed, 0.95) - quantileOf(observed, 0.05);
  const wide: Range = { low: observed[0]! - 0.6 * span, high: observed.at(-1)! + 0.6 * span };
  const curve = (values: Float64Array) =>
    densityOf(
      values.filter((v) => v >= wide.low && v <= wide.high),
      100,
      bandwidth,
      true,
    );
  const own = curve(observed);
  if (!own || own.isDiscrete) return "";
  const others = spread(site.count, mostOverlaid).flatMap((r) => {
    const found = curve(replicate(site, r));
    return found && !found.isDiscrete ? [found.points] : [];
  });
  const all = [own.points, ...others].flat();
  const range = padRange(extent(all.map((p) => p.x))!, 0.02);
  const frame: Frame = { left: 14, top: 12, width: width - 28, height: 200 };
  const x = linearScale(range, frame.left, frame.left + frame.width);
  const y = linearScale({ low: 0, high: 1.04 * Math.max(...all.map((p) => p.y)) }, frame.top + frame.height, frame.top);
  const about = {
    id,
    title: `Distribution of observed and replicated ${site.name}`,
    description: `Density of the observed values of ${site.name} over the densities of ${others.length} replicates of all of them.`,
  };
  const body =
    others.map((p) => `<path class="replicate" d="${linePath(p, x, y)}"/>`).join("") +
    `<path class="observed-line" d="${linePath(own.points, x, y)}"/>` +
    xAxis(frame, niceTicks(range, 7), x, site.name);
  const key = legend([
    { label: "observed", swatch: `<path class="observed-line" d="M0 6h26"/>` },
    { label: `${others.length} replicates`, swatch: `<path class="replicate" d="M0 3h26M0 6h26M0 9h26"/>` },
  ]);
  return figure("All observations together", key + chart(about, width, frame.top + frame.height + 50, body), []);
}

/** Shares of the values of whole numbers, observed ones on the intervals of the replicates. */
function counts(site: PredictiveSite, id: string): string {
  const n = site.observed.length;
  const range = extent([...Array.from(site.observed), ...Array.from(intervalEnds(site))]);
  if (!range) return "";
  const step = Math.max(1, Math.ceil((range.high - range.low + 1) / 40));
  const cells = Math.floor((range.high - range.low) / step) + 1;
  const share = (values: ArrayLike<number>) => {
    const found = new Float64Array(cells);
    for (let i = 0; i < values.length; i++) {
      const cell = Math.floor((values[i]! - range.low) / step);
      if (cell >= 0 && cell < cells) found[cell]! += 1 / n;
    }
    return found;
  };
  const own = share(site.observed);
  const replicated = Array.from({ length: site.count }, (_, r) => share(replicate(site, r)));
  const bands = Array.from({ length: cells }, (_, c) => intervalOf(Float64Array.from(replicated, (s) => s[c]!)));
  const yRange = { low: 0, high: 1.06 * Math.max(...own, ...bands.map((b) => b.high)) };
  const yTicks = niceTicks(yRange, 5);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 30, width: width - left - 14, height: 200 };
  const x = linearScale({ low: -0.7, high: cells - 0.3 }, frame.left, frame.left + frame.width);
  const y = linearScale(yRange, frame.top + frame.height, frame.top);
  const bar = Math.min(30, 0.7 * (x(1) - x(0)));
  const boxes = (low: (b: Interval) => number, high: (b: Interval) => number) =>
    bands
      .map(
        (b, c) =>
          `M${coordinate(x(c) - bar / 2)} ${coordinate(y(high(b)))}h${coordinate(bar)}V${coordinate(y(low(b)))}h${coordinate(-bar)}Z`,
      )
      .join("");
  const points = [...own].map((s, c) => `M${Math.round(10 * x(c))} ${Math.round(10 * y(s))}h0`).join("");
  const ticks = niceTicks({ low: range.low, high: Math.max(range.low + 1, range.high) }, 8, true)
    .filter((t) => t.value <= range.high && (cells > 3 || Number.isInteger(t.value)))
    .map((t) => ({ value: (t.value - range.low) / step, label: t.label }));
  const about = {
    id,
    title: `Shares of the values of ${site.name}`,
    description: `How often each value of ${site.name} occurs: observed, and the intervals of the replicates.`,
  };
  const body =
    yAxis(frame, yTicks, y, "share") +
    `<path class="area" d="${boxes(
      (b) => b.low,
      (b) => b.high,
    )}"/><path class="area" d="${boxes(
      (b) => b.q25,
      (b) => b.q75,
    )}"/>` +
    `<g class="points" style="--size:60" transform="scale(.1)"><path class="observed disc" d="${points}"/></g>` +
    xAxis(frame, ticks, x, step > 1 ? `${site.name}, ${step} values a column` : site.name);
  return figure("How often each value occurs", chart(about, width, frame.top + frame.height + 50, body), [
    "Points: observed. Bands: the middle 50 % and 90 % of the replicates.",
  ]);
}

function intervalEnds(site: PredictiveSite): number[] {
  const sorted = Float64Array.from(site.replicates).sort();
  return [quantileOf(sorted, 0.005), quantileOf(sorted, 0.995)].map(Math.round);
}

/** One number beside its replicates. */
function single(site: PredictiveSite, id: string): string {
  const density = densityOf(column(site, 0), 128, undefined, true);
  const value = site.observed[0]!;
  if (!density) return "";
  const range = padRange(extent([value, ...density.points.map((p) => p.x)])!, 0.04);
  const frame: Frame = { left: 14, top: 12, width: width - 28, height: 180 };
  const bottom = frame.top + frame.height;
  const x = linearScale(range, frame.left, frame.left + frame.width);
  const y = linearScale({ low: 0, high: 1.05 * Math.max(...density.points.map((p) => p.y)) }, bottom, frame.top);
  const points = density.points;
  const shape = density.isDiscrete
    ? points.map((p) => `<path class="stem" d="M${coordinate(x(p.x))} ${bottom}V${coordinate(y(p.y))}"/>`).join("")
    : `<path class="area" d="${linePath(points, x, y)}L${coordinate(x(points.at(-1)!.x))} ${bottom}L${coordinate(x(points[0]!.x))} ${bottom}Z"/>`;
  const about = {
    id,
    title: `Observed and replicated ${site.name}`,
    description: `The observed ${site.name}, ${formatSignificant(value)}, on the distribution of its replicates.`,
  };
  const body =
    shape +
    `<path class="observed-line" d="M${coordinate(x(value))} ${bottom}V${frame.top}"/>` +
    xAxis(frame, niceTicks(range, 7), x, site.name);
  return figure("Observed and replicated", chart(about, width, bottom + 50, body), [
    `The line is what was observed: ${formatSignificant(value)}.`,
  ]);
}

/** Functions of the data: observed, among replicates, and the share of replicates at or above the observed one. */
function statistics(site: PredictiveSite): string {
  const n = site.observed.length;
  const stats: readonly (readonly [string, (x: ArrayLike<number>) => number])[] = [
    ["mean", (x) => Array.from(x).reduce((a, b) => a + b, 0) / n],
    [
      "sd",
      (x) => {
        const mean = Array.from(x).reduce((a, b) => a + b, 0) / n;
        return Math.sqrt(Array.from(x).reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, n - 1));
      },
    ],
    ["smallest", (x) => Array.from(x).reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)],
    ["largest", (x) => Array.from(x).reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)],
  ];
  const rows = stats.map(([name, of]) => {
    const own = of(site.observed);
    const others = Float64Array.from({ length: site.count }, (_, r) => of(replicate(site, r)));
    const { low, high } = intervalOf(others);
    const above = others.reduce((a, v) => a + (v > own ? 1 : v === own ? 0.5 : 0), 0) / site.count;
    return [
      name,
      formatSignificant(own),
      `${formatSignificant(low)} to ${formatSignificant(high)}`,
      formatFixed(above, 2),
    ];
  });
  return table(["", "observed", "90 % of replicates", "share above"], rows);
}

/** How many of the observed values lie in the middle half, and in the middle 90 %, of their replicates. */
function coverage(site: PredictiveSite): string {
  const n = site.observed.length;
  let [half, most] = [0, 0];
  for (let i = 0; i < n; i++) {
    const q = intervalOf(column(site, i));
    const value = site.observed[i]!;
    if (value >= q.q25 && value <= q.q75) half++;
    if (value >= q.low && value <= q.high) most++;
  }
  const percent = (x: number) => `${Math.round((100 * x) / n)} %`;
  return `Of ${formatCount(n)} observations ${percent(half)} lie in the middle half of their replicates, ${percent(most)} in the middle 90 %.`;
}

function siteFigures(site: PredictiveSite, index: number): string {
  const n = site.observed.length;
  const heading = `<h3 class="site">${escapeHtml(site.name)}</h3>`;
  if (n === 1) return heading + figures([single(site, `predictive-${index}`)]);
  const whole = areWhole(site);
  const isBinary = whole && Array.from(site.observed).every((v) => v === 0 || v === 1);
  const together =
    n < fewestForDensity ? "" : whole ? counts(site, `shares-${index}`) : overlay(site, `overlay-${index}`);
  // Of zeros and ones in their order intervals show nothing.
  const each = isBinary ? "" : intervals(site, `intervals-${index}`);
  const remark = isBinary ? "" : `<p class="remark">${escapeHtml(coverage(site))}</p>`;
  return heading + remark + figures([together, each]) + statistics(site);
}

/** Observed values beside replicates drawn from the posterior. */
export function predictiveFigures(sites: readonly PredictiveSite[], notes: readonly string[]): string {
  const shown = sites.slice(0, mostSites);
  const cut =
    shown.length < sites.length ? [`The first ${shown.length} of ${sites.length} observed sites are shown.`] : [];
  const count = shown[0]?.count ?? 0;
  const about = shown.length
    ? `<p class="remark">Data drawn anew from ${formatCount(count)} draws of the posterior. Where what was observed looks unlike them, the model misses something.</p>`
    : "";
  const remarks = [...notes, ...cut].map((text) => `<p class="remark">${escapeHtml(text)}</p>`).join("");
  return about + shown.map(siteFigures).join("") + remarks;
}
