import { chart, coordinate, type Frame, labelWidth, legend, logScale, xAxis, yAxis } from "./chart.ts";
import { formatCount, formatFixed, formatSignificant } from "./format.ts";
import { figure } from "./markup.ts";
import type { ImportanceWeights } from "./posterior-input.ts";
import { logTicks } from "./ticks.ts";

const width = 520;

/** Largest first, in units of the mean weight; −∞ last. */
function sortedShares(logWeights: ArrayLike<number>): Float64Array {
  const all = Float64Array.from(logWeights).sort().reverse();
  const greatest = all[0] ?? 0;
  const sum = all.reduce((a, w) => a + Math.exp(w - greatest), 0);
  return all.map((w) => (all.length * Math.exp(w - greatest)) / sum);
}

/** Length of the tail that k-hat is estimated from, of n weights: min(n/5, 3√n) (Vehtari et al. 2024). */
export const tailLength = (n: number): number => Math.ceil(Math.min(0.2 * n, 3 * Math.sqrt(n)));

/**
 * The heaviest weights less the weight at which the tail begins, by rank, on logarithmic axes: what the generalised Pareto
 * distribution is fitted to, with quantiles (σ / k) (p^−k − 1). Its curve for k at the limit, through the median of the weights, stands beside
 * them.
 */
export function weightsFigure({ raw, smoothed, khat, limit, ess }: ImportanceWeights): string {
  const before = sortedShares(raw);
  const n = before.length;
  const tail = Math.min(tailLength(n), n - 1);
  const excess = excesses(before, tail);
  const fitted = excesses(sortedShares(smoothed), tail);
  const median = excess[Math.floor(excess.length / 2)] ?? 0;
  if (tail < 5 || !(median > 0)) return "";
  const atLimit = (rank: number) => median * ((((rank - 0.5) / tail) ** -limit - 1) / (0.5 ** -limit - 1));
  const greatest = Math.max(excess[0]!, fitted[0]!, atLimit(1));
  const yRange = { low: Math.min(median / 6, 0.02 * greatest), high: 1.5 * greatest };
  const yTicks = logTicks(yRange, 6);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 32, width: width - left - 14, height: 230 };
  const x = logScale({ low: 0.9, high: 1.1 * tail }, frame.left, frame.left + frame.width);
  const y = logScale(yRange, frame.top + frame.height, frame.top);
  const ranks = Array.from({ length: tail }, (_, i) => i + 1);
  const curve = (of: (rank: number) => number) =>
    ranks
      .filter((rank) => of(rank) >= yRange.low)
      .map((rank, i) => `${i === 0 ? "M" : "L"}${coordinate(x(rank))} ${coordinate(y(of(rank)))}`)
      .join("");
  const marks = ranks
    .filter((rank) => excess[rank - 1]! >= yRange.low)
    .map((rank) => `M${Math.round(10 * x(rank))} ${Math.round(10 * y(excess[rank - 1]!))}h0`)
    .join("");
  const about = {
    id: "weights",
    title: "Importance weights",
    description: `The ${formatCount(tail)} largest of ${formatCount(n)} weights less the one at which the tail begins, on logarithmic axes. k-hat ${formatFixed(khat, 2)}, limit ${formatFixed(limit, 2)}.`,
  };
  const body =
    yAxis(frame, yTicks, y, "weight beyond the tail's start, in means") +
    xAxis(frame, logTicks({ low: 1, high: tail }, 6), x, "rank of the draw, the heaviest first") +
    `<path class="threshold" fill="none" d="${curve(atLimit)}"/>` +
    `<g class="points" style="--size:40" transform="scale(.1)"><path class="draw disc" d="${marks}"/></g>` +
    `<g class="test"><path class="line" d="${curve((rank) => fitted[rank - 1]!)}"/></g>`;
  const key = legend([
    {
      label: "weights p/q",
      swatch: `<g class="points" style="--size:60" transform="scale(.1)"><path class="draw disc" d="M130 60h0"/></g>`,
    },
    { label: "as smoothed", swatch: `<g class="test"><path class="line" d="M0 6h26"/></g>` },
    { label: `k = ${formatFixed(limit, 2)}`, swatch: `<path class="threshold" d="M0 6h26"/>` },
  ]);
  const verdict =
    khat <= limit
      ? `k-hat is ${formatFixed(khat, 2)}, below ${formatFixed(limit, 2)}: weighting these draws corrects them, and leaves as much as ${formatCount(ess)} independent ones.`
      : `k-hat is ${formatFixed(khat, 2)}, above ${formatFixed(limit, 2)}: so heavy a tail leaves too much to draws that were not made, and weighting cannot be relied on.`;
  return figure("k-hat", key + chart(about, width, frame.top + frame.height + 50, body), [
    verdict,
    `The ${formatCount(tail)} heaviest of ${formatCount(n)} draws; the first carries ${formatSignificant((100 * before[0]!) / n, 2)} % of all weight. Where the left end rises above the dashed curve, the tail is heavier than can be put up with. k-hat cannot see a mode where no draw was made.`,
  ]);
}

/** How far each of the largest weights lies above the next one after them. */
const excesses = (shares: Float64Array, tail: number): Float64Array =>
  shares.slice(0, tail).map((w) => w - shares[tail]!);
