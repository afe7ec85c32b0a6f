import type { Description } from "./chart.ts";
import { formatCount, formatFixed, formatSeconds } from "./format.ts";
import type { EpochMetrics } from "./input.ts";
import { lineChart, lineLegend, type Panel, type Point, type Series } from "./line-chart.ts";
import { figure, table } from "./markup.ts";
import { extent, type LateRange, lateRange, padRange, type Range } from "./ticks.ts";

const mostRows = 200;

/** Bound over time, its two parts, and all numbers as a table: the figures of a report that come from the metrics. */
export function trainingFigures(metrics: readonly EpochMetrics[]): string {
  if (metrics.length === 0) return "<p>No epoch was finished, so there is no curve to show.</p>";
  return `<div class="figures">${boundFigure(metrics)}${partsFigure(metrics)}</div>${metricsTable(metrics)}`;
}

/** Epochs on the horizontal axis; steps where several rows share an epoch. */
function horizontal(metrics: readonly EpochMetrics[]) {
  const isIncreasing = metrics.every(
    (row, index) => index === 0 || row.epoch > (metrics[index - 1] as EpochMetrics).epoch,
  );
  const name = isIncreasing ? "epoch" : "step";
  const points = (value: (row: EpochMetrics) => number | null): Point[] =>
    metrics.flatMap((row) => {
      const y = value(row);
      return y === null || !Number.isFinite(y) ? [] : [{ x: row[name], y }];
    });
  return { name, points };
}

function boundFigure(metrics: readonly EpochMetrics[]): string {
  const { name, points } = horizontal(metrics);
  const series: Series[] = [
    { name: "train", style: "train", points: points((row) => row.trainNegElbo) },
    { name: "test", style: "test", points: points((row) => row.testNegElbo) },
  ].filter((one) => one.points.length > 0);
  const all = series.flatMap((one) => one.points);
  const late = lateRange(all);
  if (late === null) return "<p>No bound of this run is finite, so there is no curve to show.</p>";

  const about = {
    id: "bound",
    title: "Negative ELBO over time",
    description: series.map((one) => describe(one, name)).join(" "),
  };
  const panel = { name: "negative ELBO, nats per example", range: late.range, series };
  const whole = late.isClipped
    ? inFullRange(lineLegend(series) + lineChart(fullRangeOf(about), [{ ...panel, range: fullRange(all) }], name))
    : "";
  const caption = ["The bound over time; lower is better. Point at the chart for the values."];
  if (late.isClipped) caption.push(clipNote(late, all, name));
  const bounds = metrics.flatMap((row) => [row.trainNegElbo, row.testNegElbo ?? 0]);
  const missing = bounds.filter((value) => !Number.isFinite(value)).length;
  if (missing > 0) caption.push(`Left out because not finite: ${missing} ${missing === 1 ? "value" : "values"}.`);
  return figure("Bound", lineLegend(series) + lineChart(about, [panel], name), caption, whole);
}

function partsFigure(metrics: readonly EpochMetrics[]): string {
  const { name, points } = horizontal(metrics);
  const parts = [
    { style: "rate", label: "rate: KL(q(z | x) ‖ p(z)), nats", points: points((row) => row.rate) },
    { style: "distortion", label: "distortion: −E log p(x | z), nats", points: points((row) => row.distortion) },
  ].flatMap((part) => {
    const late = lateRange(part.points);
    return late === null ? [] : [{ ...part, late, series: [{ ...part, name: part.style }] }];
  });
  if (parts.length === 0) return "";
  const panels = parts.map((part): Panel => ({ name: part.label, range: part.late.range, series: part.series }));
  const description = parts.flatMap((part) => part.series.map((one) => describe(one, name))).join(" ");
  const about = { id: "parts", title: "Rate and distortion over time", description };
  const clipped = parts.find((part) => part.late.isClipped);
  const caption = [
    "The two parts of the bound: the rate is what the code costs, the distortion what it leaves unexplained. A rate near " +
      "zero means that the latent variables are not used.",
    ...(clipped ? [clipNote(clipped.late, clipped.points, name)] : []),
  ];
  const fullPanels = panels.map((panel, index) => ({ ...panel, range: fullRange(parts[index]?.points ?? []) }));
  const whole = clipped ? inFullRange(lineChart(fullRangeOf(about), fullPanels, name)) : "";
  return figure("Rate and distortion", lineChart(about, panels, name), caption, whole);
}

function fullRange(points: readonly Point[]): Range {
  return padRange(extent(points.map((point) => point.y)) as Range);
}

function fullRangeOf({ id, title, description }: Description): Description {
  return { id: `${id}-full`, title: `${title}, full range`, description };
}

function inFullRange(picture: string): string {
  return `<details><summary>The same in full range</summary>${picture}</details>`;
}

function clipNote(late: LateRange, points: readonly Point[], name: string): string {
  const outside = points.filter((point) => point.y > late.range.high || point.y < late.range.low).length;
  return (
    `The vertical range follows the values from ${name} ${late.firstX} on, so that the first ones do not squash the ` +
    `rest; ${outside === 1 ? "one earlier value is" : "earlier values outside of it are"} drawn as ` +
    `${outside === 1 ? "an arrow" : "arrows"} at the edge.`
  );
}

function describe({ name, points }: Series, xName: string): string {
  const first = points[0] as Point;
  const last = points.at(-1) as Point;
  const best = points.reduce((least, point) => (point.y < least.y ? point : least));
  const at = (point: Point) => `${formatFixed(point.y, 2)} at ${xName} ${point.x}`;
  return `${name}: from ${at(first)} to ${at(last)}, lowest ${at(best)}.`;
}

function metricsTable(metrics: readonly EpochMetrics[]): string {
  const stride = Math.ceil(metrics.length / mostRows);
  const shown = metrics.filter((_, index) => index % stride === 0 || index === metrics.length - 1);
  const nats = (value: number | null) => (value === null ? "" : formatFixed(value, 3));
  const rows = shown.map((row) => [
    String(row.epoch),
    formatCount(row.step),
    nats(row.trainNegElbo),
    nats(row.testNegElbo),
    nats(row.rate),
    nats(row.distortion),
    formatSeconds(row.seconds),
    formatCount(row.imagesPerSecond),
  ]);
  const columns = ["epoch", "step", "train", "test", "rate", "distortion", "time", "images/s"];
  const thinned = stride > 1 ? ` (one epoch in ${stride})` : "";
  return `<details><summary>All values${thinned}, bounds in nats per example</summary>${table(columns, rows)}</details>`;
}
