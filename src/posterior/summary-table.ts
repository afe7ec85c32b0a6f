import type { SummaryRow } from "./summary.ts";

const headings = ["", "mean", "sd", "5%", "50%", "95%", "R-hat", "bulk ESS", "tail ESS"] as const;

/** What a number is written as where there is none. */
const NONE = "-";

/**
 * An aligned table in plain text. Each row shows as many decimals as its Monte Carlo error supports, and two figures of
 * the sd in any case. Decimal points stand below each other.
 */
export function formatSummary(rows: readonly SummaryRow[]): string {
  const cells = rows.map((row) => {
    const show = numberFormat(row);
    const diagnostics = [
      Number.isNaN(row.rhat) ? NONE : row.rhat.toFixed(3),
      ...[row.essBulk, row.essTail].map((size) => (Number.isNaN(size) ? NONE : String(Math.round(size)))),
    ];
    return [row.name, ...[row.mean, row.sd, row.q5, row.q50, row.q95].map(show), ...diagnostics];
  });
  const columns = headings.map((heading, c) =>
    column(
      heading,
      cells.map((line) => line[c]!),
      c,
    ),
  );
  return Array.from({ length: rows.length + 1 }, (_, line) =>
    columns
      .map((entries) => entries[line]!)
      .join("  ")
      .trimEnd(),
  ).join("\n");
}

/** Names to the left; numbers by their decimal point, which places right of it fill up. */
function column(heading: string, entries: readonly string[], index: number): string[] {
  if (index === 0) {
    const width = Math.max(heading.length, ...entries.map((entry) => entry.length));
    return [heading, ...entries].map((entry) => entry.padEnd(width));
  }
  const after = (entry: string): number => (entry.includes(".") ? entry.length - entry.indexOf(".") : 0);
  const most = Math.max(0, ...entries.filter(isPlain).map(after));
  const padded = entries.map((entry) => (isPlain(entry) ? entry + " ".repeat(most - after(entry)) : entry));
  const width = Math.max(heading.length, ...padded.map((entry) => entry.length));
  return [heading, ...padded].map((entry) => entry.padStart(width));
}

/** Not a power of ten, nor the sign for no number: these end where the column does. */
const isPlain = (entry: string): boolean => entry !== NONE && !entry.includes("e");

/** How the numbers of a row are written: all with the same decimals, or all in powers of ten where they would be long. */
function numberFormat({ mcseMean, sd, mean }: SummaryRow): (value: number) => string {
  const scale = Math.max(Math.abs(mean), sd);
  // Without an error (a constant, too few draws), three digits of the spread, or of the value itself.
  const error = mcseMean > 0 ? mcseMean : (sd > 0 ? sd : scale) / 100;
  const supported = error > 0 && Number.isFinite(error) ? Math.floor(-Math.log10(error)) : 0;
  // Two figures of the spread are shown in any case: with one, intervals cannot be read.
  const place = sd > 0 && Number.isFinite(sd) ? Math.max(supported, 1 - Math.floor(Math.log10(sd))) : supported;
  const digits = Math.max(1, Math.min(8, Math.floor(Math.log10(scale)) + place + 1));
  const long = scale >= 1e7 || (scale > 0 && scale < 1e-4);
  return (value) => {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? NONE : String(value);
    return long ? value.toExponential(Math.max(digits, 2) - 1) : value.toFixed(Math.max(0, Math.min(place, 10)));
  };
}
