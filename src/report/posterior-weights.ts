import { chart, coordinate, type Frame, labelWidth, legend, logScale, xAxis, yAxis } from "./chart.ts";
import { formatCount, formatFixed } from "./format.ts";
import { figure } from "./markup.ts";
import type { ImportanceWeights } from "./posterior-input.ts";
import { logTicks } from "./ticks.ts";

const width = 520;
const mostPoints = 500;

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
 * Importance weights by rank on logarithmic axes: a Pareto tail with index k is a straight line that falls by the power k. The
 * slope of k-hat's limit stands beside it.
 */
export function weightsFigure({ raw, smoothed, khat, limit, ess }: ImportanceWeights): string {
  const before = sortedShares(raw);
  const after = sortedShares(smoothed);
  const n = before.length;
  const positive = before.filter((w) => w > 0);
  if (positive.length < 20) return "";
  const tail = tailLength(n);
  const lowest = Math.max(positive.at(-1)!, positive[Math.floor(0.95 * positive.length)]!, 1e-4 * positive[0]!);
  const corner = before[Math.min(n - 1, tail)]!;
  const limitAt = (rank: number) => corner * (rank / tail) ** -limit;
  const yRange = {
    low: Math.min(lowest / 1.6, 0.01 * positive[0]!),
    high: 1.6 * Math.max(before[0]!, after[0]!, limitAt(1)),
  };
  const yTicks = logTicks(yRange, 6);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 32, width: width - left - 14, height: 230 };
  const x = logScale({ low: 0.8, high: 1.2 * n }, frame.left, frame.left + frame.width);
  const y = logScale(yRange, frame.top + frame.height, frame.top);
  // As many ranks in each part of the logarithmic axis.
  const ranks = [...new Set(Array.from({ length: mostPoints }, (_, i) => Math.round(n ** (i / (mostPoints - 1)))))];
  const shown = ranks.filter((rank) => before[rank - 1]! >= yRange.low);
  const marks = shown.map((rank) => `M${Math.round(10 * x(rank))} ${Math.round(10 * y(before[rank - 1]!))}h0`).join("");
  const line = ranks
    .filter((rank) => rank <= tail)
    .map(
      (rank, i) =>
        `${i === 0 ? "M" : "L"}${coordinate(x(rank))} ${coordinate(y(Math.max(yRange.low, after[rank - 1]!)))}`,
    )
    .join("");
  const slope = `M${coordinate(x(1))} ${coordinate(y(limitAt(1)))}L${coordinate(x(tail))} ${coordinate(y(limitAt(tail)))}`;
  const start = coordinate(x(tail));
  const about = {
    id: "weights",
    title: "Importance weights",
    description: `Weights of ${formatCount(n)} draws, the largest first, on logarithmic axes. k-hat ${formatFixed(khat, 2)}, limit ${formatFixed(limit, 2)}.`,
  };
  const body =
    yAxis(frame, yTicks, y, "weight, in means") +
    xAxis(frame, logTicks({ low: 1, high: n }, 6), x, "rank of the draw, the heaviest first") +
    `<path class="tail-start" d="M${start} ${frame.top}v${frame.height}"/>` +
    `<path class="threshold" fill="none" d="${slope}"/>` +
    `<g class="points" style="--size:36" transform="scale(.1)"><path class="draw disc" d="${marks}"/></g>` +
    `<g class="test"><path class="line" d="${line}"/></g>`;
  const key = legend([
    {
      label: "weights p/q",
      swatch: `<g class="points" style="--size:60" transform="scale(.1)"><path class="draw disc" d="M130 60h0"/></g>`,
    },
    { label: "after smoothing the tail", swatch: `<g class="test"><path class="line" d="M0 6h26"/></g>` },
    { label: `a tail of k = ${formatFixed(limit, 2)}`, swatch: `<path class="threshold" d="M0 6h26"/>` },
  ]);
  const verdict =
    khat <= limit
      ? `k-hat is ${formatFixed(khat, 2)}, below ${formatFixed(limit, 2)}: weighting these draws corrects them, and leaves as much as ${formatCount(ess)} independent ones.`
      : `k-hat is ${formatFixed(khat, 2)}, above ${formatFixed(limit, 2)}: few draws carry most of the weight, and weighting cannot correct q.`;
  return figure("k-hat", key + chart(about, width, frame.top + frame.height + 50, body), [
    verdict,
    `The steeper the left end, the more single draws dominate; the dashed line is as steep as can be put up with. k-hat is estimated from the ${formatCount(tail)} heaviest, left of the dotted line. It cannot see a mode where no draw was made.`,
  ]);
}
