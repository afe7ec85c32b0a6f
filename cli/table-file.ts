import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { countOf } from "./describe.ts";
import { UsageError } from "./failure.ts";
import { remark, say, sayJson } from "./output.ts";

/** Numbers by row: what encode, sample, reconstruct and score hand out. */
export interface Table {
  readonly columns: readonly string[];
  /** Row-major, shape [rows, columns.length]. */
  readonly values: Float32Array | Float64Array;
  readonly rows: number;
  /** Shape of one row in an NPY file; [columns.length] where it is left out, [] for a single column. */
  readonly rowShape?: readonly number[];
  /** Columns that hold whole numbers, such as labels: in the CSV alone, before the others. */
  readonly leading?: readonly { readonly name: string; readonly values: ArrayLike<number | string> }[];
}

export const outFlag = "-o, --out <file>";
export const outHelp = "write to a .csv or .npy file (default: CSV to standard output; on a terminal the first rows)";

/** Rows that a terminal is shown when no file was asked for. */
const previewRows = 10;

/** @throws UsageError when the file's name does not say what to write */
export function checkOut(out: string | undefined): void {
  if (out !== undefined && !/\.(csv|npy)$/i.test(out)) {
    throw new UsageError(`--out ${out}: the name says what is written, and it must end in .csv or .npy.`);
  }
}

/** Writes a table to the file, or as CSV to standard output; a terminal gets the first rows and a note. */
export function writeTable(table: Table, out: string | undefined): void {
  if (out === undefined) {
    const shown = process.stdout.isTTY ? Math.min(previewRows, table.rows) : table.rows;
    for (const chunk of csvChunks(table, shown)) process.stdout.write(chunk);
    if (shown < table.rows) {
      remark(
        `… ${table.rows - shown} more rows. Write all of them with --out FILE.csv or FILE.npy, or pipe the output.`,
      );
    }
    return;
  }
  if (/\.npy$/i.test(out)) writeFileSync(out, encodeNpy(table));
  else writeCsv(out, table);
}

/** A table as a command hands it out: to the file, to standard output, or within the object of --json. */
export function handOut(
  table: Table,
  flags: { readonly out?: string; readonly json?: boolean },
  about: Record<string, unknown>,
): void {
  const { out, json } = flags;
  if (out !== undefined || !json) writeTable(table, out);
  if (json) sayJson({ ...about, ...tableJson(table, out) });
  else if (out !== undefined) {
    const figures = Object.entries(about).map(
      ([name, value]) => `, ${name} ${typeof value === "number" ? +value.toPrecision(6) : value}`,
    );
    say(`Wrote ${out}: ${countOf(table.rows, "row")}${figures.join("")}`);
  }
}

function writeCsv(path: string, table: Table): void {
  const file = openSync(path, "w");
  try {
    for (const chunk of csvChunks(table, table.rows)) writeSync(file, chunk);
  } finally {
    closeSync(file);
  }
}

/** What --json prints of a table: where it was written, or the rows themselves. */
export function tableJson(table: Table, out: string | undefined): Record<string, unknown> {
  if (out !== undefined) return { out };
  const width = table.columns.length;
  const rows = Array.from({ length: table.rows }, (_, row) => [
    ...table.values.subarray(row * width, (row + 1) * width),
  ]);
  return { columns: table.columns, values: rows };
}

/** The CSV text in pieces of some thousand numbers: one string of MNIST's size would be half a gigabyte. */
function* csvChunks(table: Table, rows: number): Generator<string> {
  const { columns, values, leading = [] } = table;
  const width = columns.length;
  yield `${[...leading.map(({ name }) => name), ...columns].map(quoted).join(",")}\n`;
  const rowsPerChunk = Math.max(1, Math.floor(4096 / width));
  for (let start = 0; start < rows; start += rowsPerChunk) {
    let text = "";
    for (let row = start; row < Math.min(rows, start + rowsPerChunk); row++) {
      const cells: string[] = leading.map((column) => quoted(String(column.values[row])));
      for (let column = 0; column < width; column++) cells.push(numeral(values, row * width + column));
      text += `${cells.join(",")}\n`;
    }
    yield text;
  }
}

/** The shortest decimal that reads back as the same number of its precision: 9 digits are enough for f32. */
function numeral(values: Float32Array | Float64Array, index: number): string {
  const value = values[index]!;
  if (values instanceof Float64Array) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const text = +value.toPrecision(digits);
    if (Math.fround(text) === value) return String(text);
  }
  return String(+value.toPrecision(9));
}

const quoted = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** An NPY file, format version 1.0 (numpy.lib.format): little-endian, C order, data aligned to 64 bytes. */
function encodeNpy({ values, rows, columns, rowShape }: Table): Uint8Array {
  const shape = [rows, ...(rowShape ?? [columns.length])];
  const descr = values instanceof Float32Array ? "<f4" : "<f8";
  const list = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${list}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64 - 10;
  const bytes = new Uint8Array(10 + length + values.byteLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8]);
  bytes.set(new TextEncoder().encode(`${dict.padEnd(length - 1)}\n`), 10);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 10 + length);
  return bytes;
}
