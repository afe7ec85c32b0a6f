import { escapeHtml } from "./format.ts";
import type { Range, Tick } from "./ticks.ts";

/** The plotting area of a chart, in the user units of its SVG. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export type Scale = (value: number) => number;

export function linearScale({ low, high }: Range, start: number, end: number): Scale {
  return (value) => start + ((value - low) / (high - low)) * (end - start);
}

export function logScale({ low, high }: Range, start: number, end: number): Scale {
  const linear = linearScale({ low: Math.log(low), high: Math.log(high) }, start, end);
  return (value) => linear(Math.log(value));
}

/** Coordinates to a tenth of a unit: finer is not seen, and a long curve stays short text. */
export function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** How a chart names and describes itself to those who cannot see it. `id` is unique in the page. */
export interface Description {
  readonly id: string;
  readonly title: string;
  readonly description: string;
}

/**
 * An SVG that scales with the page; the style sheet enlarges its text on narrow screens, where it shrinks.
 *
 * @param kind  classes: a chart that is small anyway ("chart small") keeps its text
 */
export function chart(about: Description, width: number, height: number, body: string, kind = "chart"): string {
  const { id } = about;
  return (
    `<svg class="${kind}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title" ` +
    `aria-describedby="${id}-description"><title id="${id}-title">${escapeHtml(about.title)}</title>` +
    `<desc id="${id}-description">${escapeHtml(about.description)}</desc>${body}</svg>`
  );
}

/** Room that tick labels need on the left, also when enlarged on a narrow screen. */
export function labelWidth(ticks: readonly Tick[]): number {
  return 14 + 9 * Math.max(1, ...ticks.map((tick) => tick.label.length));
}

export function xAxis(frame: Frame, ticks: readonly Tick[], scale: Scale, name: string): string {
  const bottom = frame.top + frame.height;
  const marks = ticks.map(({ value, label }) => {
    const x = coordinate(scale(value));
    return (
      `<path class="tick" d="M${x} ${bottom}v5"/>` +
      `<text x="${x}" y="${bottom + 20}" text-anchor="middle">${escapeHtml(label)}</text>`
    );
  });
  const middle = coordinate(frame.left + frame.width / 2);
  const title = `<text class="axis" x="${middle}" y="${bottom + 41}" text-anchor="middle">${escapeHtml(name)}</text>`;
  const line = `<path class="tick" d="M${frame.left} ${bottom}h${frame.width}"/>`;
  return line + marks.join("") + (name === "" ? "" : title);
}

/** Horizontal grid lines with their labels; the axis' name stands above its top end, where it needs no turned text. */
export function yAxis(frame: Frame, ticks: readonly Tick[], scale: Scale, name: string): string {
  const marks = ticks.map(({ value, label }) => {
    const y = coordinate(scale(value));
    return (
      `<path class="grid" d="M${frame.left} ${y}h${frame.width}"/>` +
      `<text x="${frame.left - 8}" y="${y}" dy="0.35em" text-anchor="end">${escapeHtml(label)}</text>`
    );
  });
  return `${marks.join("")}<text class="axis" x="4" y="${frame.top - 12}">${escapeHtml(name)}</text>`;
}

/** What stands for a series in the legend: a line as it is drawn, or a mark of the scatter. */
export interface LegendItem {
  readonly label: string;
  /** An SVG fragment in a box of 26 × 12 units. */
  readonly swatch: string;
}

export function legend(items: readonly LegendItem[]): string {
  const entries = items.map(
    ({ label, swatch }) =>
      `<li><svg viewBox="0 0 26 12" width="26" height="12" aria-hidden="true">${swatch}</svg>${escapeHtml(label)}</li>`,
  );
  return `<ul class="legend">${entries.join("")}</ul>`;
}
