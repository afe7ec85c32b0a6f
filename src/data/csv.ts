import Papa from "papaparse";
import { DataError, OptionError } from "../base/errors.ts";
import type { RawArray } from "./dataset.ts";

export interface CsvOptions {
  /** Column to take as the class of each row instead of as a feature. Default: every column is a feature. */
  readonly labelColumn?: string;
  /** Whether the first line names the columns. Default: found out from the first two lines. */
  readonly header?: boolean;
}

export interface CsvTable {
  /** Features, f64, shape [rows, columns]. */
  readonly array: RawArray;
  readonly columns: readonly string[] | null;
  readonly labels: Int32Array | null;
  /** Distinct label texts, sorted, that `labels` index; null where labels are whole numbers already. */
  readonly labelNames: readonly string[] | null;
}

const missing = new Set(["", "na", "n/a", "nan", "null", "none", "?", "."]);

/** The number a cell states in decimal notation, or NaN. */
function numberOf(cell: string): number {
  const text = cell.trim();
  return text === "" || /^[+-]?0[xob]/i.test(text) ? Number.NaN : Number(text);
}

/**
 * A table of numbers from comma-, semicolon-, tab- or bar-separated text (RFC 4180 quoting, UTF-8).
 *
 * The first line is a header if a cell of it is no number where the line below has one, or if none of its cells is a
 * number. Empty lines are skipped.
 *
 * @throws DataError   when the file is empty or not UTF-8, a row has another number of cells, or a cell is missing or no finite
 *                     number
 * @throws OptionError when there is no column of the name `labelColumn`
 */
export function parseCsv(bytes: Uint8Array, source: string, options: CsvOptions = {}): CsvTable {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new DataError(`${source} is UTF-16 text, as spreadsheets save it under "Unicode text". Save it as UTF-8.`);
  }
  const { rows, lines } = cellsOf(bytes);
  const header = options.header ?? looksLikeHeader(rows);
  const columns = header ? (rows[0]?.map((cell) => cell.trim()) ?? null) : null;
  const first = header ? 1 : 0;
  const count = rows.length - first;
  if (count <= 0) {
    throw new DataError(
      `${source} holds no rows${bytes.length === 0 ? " (0 bytes)" : header ? " below its header" : ""}. A table of ` +
        "numbers was expected, one line per row.",
    );
  }
  const cells = rows[0]!.length;
  const labelAt = labelIndex(options.labelColumn, columns, source);
  const width = labelAt < 0 ? cells : cells - 1;
  const values = new Float64Array(count * width);
  const labelCells: string[] = [];
  for (let r = 0; r < count; r++) {
    const row = rows[first + r]!;
    const line = lines[first + r]!;
    if (row.length !== cells) {
      throw new DataError(
        `${source}, line ${line}: ${row.length} ${row.length === 1 ? "cell was" : "cells were"} found, but the first line has ${cells}. Every line must ` +
          "have the same number of cells: look for a missing or extra separator or quote.",
      );
    }
    for (let c = 0, at = r * width; c < cells; c++) {
      if (c === labelAt) {
        const label = row[c]!.trim();
        if (label === "") throw badCell(source, line, c, columns, label);
        labelCells.push(label);
        continue;
      }
      const value = numberOf(row[c]!);
      if (!Number.isFinite(value)) throw badCell(source, line, c, columns, row[c]!);
      values[at++] = value;
    }
  }
  return {
    array: { dtype: "f64", shape: [count, width], values },
    columns: columns?.filter((_, c) => c !== labelAt) ?? null,
    ...(labelAt < 0 ? { labels: null, labelNames: null } : classesOf(labelCells)),
  };
}

/** Cells of every line that is not empty, and the number of each such line, counted from 1. */
function cellsOf(bytes: Uint8Array): { rows: string[][]; lines: number[] } {
  const text = new TextDecoder().decode(bytes);
  const rows: string[][] = [];
  const lines: number[] = [];
  let line = 1;
  const { data } = Papa.parse<string[]>(text, { delimiter: delimiterOf(text) });
  for (const row of data) {
    if (row.length > 1 || row[0]!.trim() !== "") {
      rows.push(row);
      lines.push(line);
    }
    line++;
    for (const cell of row) if (cell.includes("\n")) line += cell.split("\n").length - 1;
  }
  return { rows, lines };
}

/**
 * The first of tab, semicolon and bar that the first line holds outside quotes, else the comma, which may be a decimal
 * comma.
 */
function delimiterOf(text: string): string {
  const first = /\S.*/.exec(text)?.[0].replace(/"[^"]*"/g, "") ?? "";
  return ["\t", ";", "|"].find((delimiter) => first.includes(delimiter)) ?? ",";
}

function looksLikeHeader(rows: readonly string[][]): boolean {
  const [first, second] = rows;
  if (!first) return false;
  const isNumber = (cell: string | undefined): boolean => cell !== undefined && !Number.isNaN(numberOf(cell));
  const isText = (cell: string): boolean => !isNumber(cell) && !missing.has(cell.trim().toLowerCase());
  return (
    first.some((cell, c) => isText(cell) && isNumber(second?.[c])) || (first.some(isText) && !first.some(isNumber))
  );
}

function labelIndex(name: string | undefined, columns: readonly string[] | null, source: string): number {
  if (name === undefined) return -1;
  const index = columns?.indexOf(name) ?? -1;
  if (index >= 0) return index;
  const listed = columns?.map((column) => `"${column}"`).join(", ");
  throw new OptionError(
    listed === undefined
      ? `${source} has no header line, so no column is called "${name}". Add a first line that names the columns.`
      : `${source} has no column "${name}" to take labels from. Its columns are ${listed}.`,
  );
}

/** Whole numbers are classes as they stand; anything else is numbered in the sorted order of its distinct texts. */
function classesOf(cells: readonly string[]): { labels: Int32Array; labelNames: readonly string[] | null } {
  if (cells.every((cell) => /^\d{1,9}$/.test(cell)))
    return { labels: Int32Array.from(cells, Number), labelNames: null };
  const labelNames = [...new Set(cells)].sort();
  const indices = new Map(labelNames.map((name, index) => [name, index]));
  return { labels: Int32Array.from(cells, (cell) => indices.get(cell)!), labelNames };
}

function badCell(
  source: string,
  line: number,
  column: number,
  columns: readonly string[] | null,
  cell: string,
): DataError {
  const name = columns?.[column];
  const place = `${source}, line ${line}, column ${column + 1}${name === undefined ? "" : ` ("${name}")`}`;
  if (missing.has(cell.trim().toLowerCase())) {
    return new DataError(
      `${place}: the value is missing (found ${JSON.stringify(cell)}). Missing values are not supported: ` +
        "fill them in or remove those lines before training.",
    );
  }
  if (/^\s*[+-]?\d*,\d+\s*$/.test(cell)) {
    return new DataError(`${place}: ${JSON.stringify(cell)} has a decimal comma. Write decimals with a point.`);
  }
  return new DataError(
    `${place}: ${JSON.stringify(cell)} is not a finite number. All columns must hold numbers: remove or encode ` +
      "this column, or name it as the label column if it is the class of each row.",
  );
}
