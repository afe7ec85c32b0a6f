import { chart, coordinate, type Description, type Frame, labelWidth, logScale, xAxis, yAxis } from "./chart.ts";
import { escapeHtml, formatSignificant } from "./format.ts";
import type { ActiveUnits } from "./input.ts";
import { extent, logTicks, niceTicks, type Range, type Tick } from "./ticks.ts";

const chartWidth = 520;
const mostNamedBars = 24;

/**
 * Variances of the posterior mean per latent dimension, sorted from the largest, with the threshold as a line. The
 * axis is logarithmic: a collapsed unit lies orders of magnitude below an active one, and the threshold far below both on a
 * linear one.
 */
export function activeUnitsChart(about: Description, { variances, threshold }: ActiveUnits): string {
  const bars = variances
    .map((variance, dimension) => ({ variance, dimension }))
    .sort((a, b) => rankOf(b.variance) - rankOf(a.variance) || a.dimension - b.dimension);
  const range = logRange(variances, threshold);
  const yTicks = logTicks(range, 6);
  const left = labelWidth(yTicks);
  const frame: Frame = { left, top: 32, width: chartWidth - left - 14, height: 250 };
  const y = logScale(range, frame.top + frame.height, frame.top);
  const bottom = frame.top + frame.height;
  const slot = (frame.width - 8) / Math.max(1, bars.length);
  const barWidth = Math.min(36, Math.max(slot * 0.72, slot - 3));

  const marks = bars.map(({ variance, dimension }, rank) => {
    const top = variance > range.low ? y(Math.min(variance, range.high)) : bottom - 3;
    const x = frame.left + 4 + (rank + 0.5) * slot;
    const isActive = variance > threshold;
    const box =
      `x="${coordinate(x - barWidth / 2)}" y="${coordinate(top)}" width="${coordinate(barWidth)}" ` +
      `height="${coordinate(bottom - top)}"`;
    const title = `z${dimension + 1}: variance ${formatSignificant(variance, 3)}, ${isActive ? "active" : "inactive"}`;
    return `<rect class="${isActive ? "active" : "inactive"}" ${box}><title>${escapeHtml(title)}</title></rect>`;
  });

  const centre = (rank: number) => frame.left + 4 + (rank + 0.5) * slot;
  const isNamed = bars.length <= mostNamedBars;
  const xTicks: Tick[] = isNamed
    ? bars.map(({ dimension }, rank) => ({ value: rank, label: String(dimension + 1) }))
    : niceTicks({ low: 1, high: bars.length }, 7, true).map(({ value, label }) => ({ value: value - 1, label }));
  const xName = isNamed ? "latent dimension, by variance" : "rank of the latent dimension";
  const line = coordinate(y(threshold));
  const rule =
    `<path class="threshold" d="M${frame.left} ${line}h${frame.width}"/>` +
    `<text class="threshold-name" x="${chartWidth - 16}" y="${coordinate(y(threshold) - 6)}" text-anchor="end">` +
    `threshold ${formatSignificant(threshold, 3)}</text>`;
  const body =
    yAxis(frame, yTicks, y, "variance of the posterior mean") +
    marks.join("") +
    xAxis(frame, xTicks, centre, xName) +
    (threshold >= range.low ? rule : "");
  return chart(about, chartWidth, bottom + 52, body);
}

// A variance that is NaN sorts last instead of nowhere.
function rankOf(variance: number): number {
  return Number.isNaN(variance) ? -1 : variance;
}

/** Whole decades around the positive variances and the threshold; what is 10⁴ times below the threshold is as good as zero. */
function logRange(variances: readonly number[], threshold: number): Range {
  const positive = extent([...variances, threshold].filter((value) => value > 0)) ?? { low: 0.1, high: 1 };
  const low = 10 ** Math.floor(Math.log10(Math.max(positive.low, threshold / 1e4)) - 0.3);
  const decades = Math.log10(Math.max(positive.high, 10 * low) / low);
  return { low, high: low * 10 ** (1.08 * decades) }; // a little air above the tallest bar
}
