import { chart, type Frame, labelWidth, linearScale, xAxis, yAxis } from "./chart.ts";
import { formatCount, formatFixed } from "./format.ts";
import { figure } from "./markup.ts";
import { type Element, pooledDraws } from "./posterior-elements.ts";
import { shownRange } from "./posterior-marginals.ts";
import { niceTicks, padRange } from "./ticks.ts";

const most = 6;
const mostPoints = 1500;
const mostOfTheseSites = 2;
/** Below this, dependence may be chance. */
const least = 0.1;
const width = 380;

export interface Pair {
  readonly a: number;
  readonly b: number;
  readonly correlation: number;
  /** The largest of |cor(x, y)|, |cor(|x − x̄|, y)| and |cor(x, |y − ȳ|)|: the last two see funnels, where the first is 0. */
  readonly dependence: number;
}

/** Values less their mean over their sd; null for a constant. */
function standardised(values: Float64Array): Float64Array | null {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const sd = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
  return sd > 0 && Number.isFinite(sd) ? values.map((v) => (v - mean) / sd) : null;
}

/** All pairs of variables, most dependent first; those with a constant are left out. */
export function pairsByDependence(variables: readonly Float64Array[]): Pair[] {
  const plain = variables.map(standardised);
  const spread = plain.map((z) => z && standardised(z.map(Math.abs)));
  const cor = (x: Float64Array | null | undefined, y: Float64Array | null | undefined): number => {
    if (!x || !y) return 0;
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
    return sum / x.length;
  };
  const pairs: Pair[] = [];
  for (let a = 0; a < variables.length; a++) {
    for (let b = a + 1; b < variables.length; b++) {
      if (!plain[a] || !plain[b]) continue;
      const correlation = cor(plain[a], plain[b]);
      const funnels = [cor(spread[a], plain[b]), cor(plain[a], spread[b])].map(Math.abs);
      pairs.push({ a, b, correlation, dependence: Math.max(Math.abs(correlation), ...funnels) });
    }
  }
  return pairs.sort((p, q) => q.dependence - p.dependence);
}

/** Every so many-th value: enough to tell which pairs depend on each other. */
function thinned(values: Float64Array): Float64Array {
  const stride = Math.ceil(values.length / mostPoints);
  return stride === 1 ? values : values.filter((_, i) => i % stride === 0);
}

/** The pairs to show: the most dependent ones, few of the same two sites. */
function chosenPairs(elements: readonly Element[]): Pair[] {
  const count = new Map<string, number>();
  const chosen: Pair[] = [];
  for (const pair of pairsByDependence(elements.map((e) => thinned(pooledDraws(e))))) {
    const sites = [elements[pair.a]!.site, elements[pair.b]!.site].sort().join(" ");
    const taken = count.get(sites) ?? 0;
    if (pair.dependence < least || chosen.length === most) break;
    if (taken >= mostOfTheseSites && new Set(elements.map((e) => e.site)).size > 2) continue;
    count.set(sites, taken + 1);
    chosen.push(pair);
  }
  return chosen;
}

function scatter(x: Element, y: Element, pair: Pair, divergent: ArrayLike<number>, id: string): string {
  const [xs, ys] = [pooledDraws(x), pooledDraws(y)];
  const range = (e: Element, values: Float64Array) =>
    padRange(shownRange(e.row, values.filter(Number.isFinite).sort()), 0.04);
  const [xRange, yRange] = [range(x, xs), range(y, ys)];
  const yTicks = niceTicks(yRange, 5);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 30, width: width - left - 12, height: 210 };
  const px = linearScale(xRange, frame.left, frame.left + frame.width);
  const py = linearScale(yRange, frame.top + frame.height, frame.top);
  const isInside = (i: number) =>
    xs[i]! >= xRange.low && xs[i]! <= xRange.high && ys[i]! >= yRange.low && ys[i]! <= yRange.high;
  const all = Array.from(xs.keys()).filter(isInside);
  const stride = Math.ceil(all.length / mostPoints);
  const at = (i: number) => `M${Math.round(10 * px(xs[i]!))} ${Math.round(10 * py(ys[i]!))}`;
  const calm = all.filter((i, k) => !divergent[i] && k % stride === 0).map((i) => `${at(i)}h0`);
  const wild = all.filter((i) => divergent[i]).map((i) => `${at(i)}m-30 -30l60 60m0 -60l-60 60`);
  const about = {
    id,
    title: `${x.row.name} and ${y.row.name}`,
    description: `Scatter of ${formatCount(calm.length + wild.length)} draws, ${x.row.name} against ${y.row.name}; correlation ${formatFixed(pair.correlation, 2)}.`,
  };
  const size = calm.length < 600 ? 5 : 3.4;
  const body =
    yAxis(frame, yTicks, py, y.row.name) +
    xAxis(frame, niceTicks(xRange, 5), px, x.row.name) +
    `<g class="points" style="--size:${size * 10}" transform="scale(.1)"><path class="draw disc" d="${calm.join("")}"/>` +
    `${wild.length ? `<path class="wild" d="${wild.join("")}"/>` : ""}</g>`;
  const funnel = pair.dependence > Math.abs(pair.correlation) + 0.15 ? "; the spread of one goes with the other" : "";
  return figure(
    `${x.row.name} and ${y.row.name}`,
    chart(about, width, frame.top + frame.height + 50, body, "chart small"),
    [`Correlation ${formatFixed(pair.correlation, 2)}${funnel}.`],
  );
}

/** Scatter plots of the most dependent pairs of elements. `divergent`: 0 or 1 for each draw, or empty. */
export function pairFigures(elements: readonly Element[], divergent: ArrayLike<number>): string {
  if (elements.length < 2) return "";
  const pairs = chosenPairs(elements);
  if (pairs.length === 0) return `<p class="remark">No two of them depend on each other noticeably.</p>`;
  const count = Array.from(divergent).filter((d) => d).length;
  const marks =
    count > 0
      ? ` ${count === 1 ? "The divergent draw is a cross" : `The ${formatCount(count)} divergent draws are crosses`}: where they gather, the sampler could not go on.`
      : "";
  const shown = pairs.map((p, i) => scatter(elements[p.a]!, elements[p.b]!, p, divergent, `pair-${i}`));
  return `<p class="remark">The pairs that depend on each other most.${marks}</p><div class="pairs">${shown.join("")}</div>`;
}
