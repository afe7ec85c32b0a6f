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

/** A name that fits so many units, also when enlarged on a narrow screen: of a long one the middle is left out. */
function fitting(name: string, units: number): string {
  const most = Math.floor(units / 9);
  if (name.length <= most) return name;
  const end = Math.floor(most / 2);
  return `${name.slice(0, most - end - 1)}…${name.slice(-end)}`;
}

/** Of how many ticks one bears its label, so that no two of them run together, also when enlarged on a narrow screen. */
function labelStride(ticks: readonly Tick[], scale: Scale): number {
  const room = 10 + 9 * Math.max(1, ...ticks.map((tick) => tick.label.length));
  const gaps = ticks.slice(1).map((tick, i) => Math.abs(scale(tick.value) - scale(ticks[i]!.value)));
  return Math.max(1, Math.ceil(room / Math.min(room, ...gaps)));
}

/** An axis with its ticks; where their labels would run together some go without, never that of 0. */
export function xAxis(frame: Frame, ticks: readonly Tick[], scale: Scale, name: string): string {
  const bottom = frame.top + frame.height;
  const stride = labelStride(ticks, scale);
  const zero = Math.max(0, ticks.findIndex((tick) => tick.value === 0)); // biome-ignore format: short
  const marks = ticks.map(({ value, label }, index) => {
    const x = coordinate(scale(value));
    const text = `<text x="${x}" y="${bottom + 20}" text-anchor="middle">${escapeHtml(label)}</text>`;
    return `<path class="tick" d="M${x} ${bottom}v5"/>${(index - zero) % stride === 0 ? text : ""}`;
  });
  const middle = coordinate(frame.left + frame.width / 2);
  const title = `<text class="axis" x="${middle}" y="${bottom + 41}" text-anchor="middle">${escapeHtml(fitting(name, frame.width))}</text>`;
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
  return `${marks.join("")}<text class="axis" x="4" y="${frame.top - 12}">${escapeHtml(fitting(name, frame.left + frame.width))}</text>`;
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
