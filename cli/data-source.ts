import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { DataError, type DataSplits, type Dataset, type LoadOptions, loadData } from "../src/node.ts";

/** Which data a command reads, as the command line or a manifest states it. */
export interface DataSource extends LoadOptions {
  readonly path: string;
}

export interface DataFlags {
  readonly test?: string;
  readonly holdout?: number;
  readonly scale?: number;
  readonly labelColumn?: string;
  readonly header?: boolean;
}

export function addDataFlags(command: Command): Command {
  return command
    .optionsGroup("Data:")
    .option("--test <file>", "file with the test rows (default: those of the folder, or a part held out)")
    .option("--holdout <fraction>", "part of the rows held out where there is no test file", fraction)
    .option("--scale <number>", "what 8-bit values are divided by (default: 255, or 1 for 0/1 images)", positive)
    .option("--label-column <name>", "CSV: column with the class of each row, kept out of the model")
    .option("--header", "CSV: the first line names the columns (default: found out)")
    .option("--no-header", "CSV: the first line is data");
}

export const dataSource = (path: string, flags: DataFlags): DataSource => {
  const { test, holdout, scale, labelColumn, header } = flags;
  return { path, test, holdout, scale, labelColumn, header };
};

export const loadSource = ({ path, ...options }: DataSource): Promise<DataSplits> => loadData(path, options);

/** What a manifest keeps of a data set, to find it again and to know it again. */
export interface DataRecord {
  readonly path: string;
  /** Where the path led from, for commands that run in another folder; null for the bundled set. */
  readonly resolvedPath: string | null;
  readonly options: LoadOptions;
  readonly train: SplitRecord;
  readonly test: SplitRecord | null;
}

interface SplitRecord {
  readonly name: string;
  readonly count: number;
  readonly eventShape: readonly number[];
  readonly dtype: string;
  readonly scale: number;
  readonly columns: readonly string[] | null;
  /** SHA-256 of the values' bytes; null until the first training step is done. */
  readonly sha256: string | null;
}

export function recordData(source: DataSource, splits: DataSplits): DataRecord {
  const { path, test, ...options } = source;
  return {
    path,
    resolvedPath: path === "digits" ? null : resolve(path),
    options: test === undefined ? options : { ...options, test: resolve(test) },
    train: recordSplit(splits.train),
    test: splits.test && recordSplit(splits.test),
  };
}

const recordSplit = ({ name, count, eventShape, dtype, scale, columns }: Dataset): SplitRecord => ({
  name,
  count,
  eventShape,
  dtype,
  scale,
  columns,
  sha256: null,
});

/** The record with the hashes of its data: tens of milliseconds for large data, which the first step need not wait for. */
export async function withHashes(record: DataRecord, { train, test }: DataSplits): Promise<DataRecord> {
  return {
    ...record,
    train: { ...record.train, sha256: await hashOf(train) },
    test: record.test && test && { ...record.test, sha256: await hashOf(test) },
  };
}

async function hashOf({ values }: Dataset): Promise<string> {
  const { createHash } = await import("node:crypto");
  return createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");
}

/** The source that a manifest's record describes. */
export function sourceOf({ path, resolvedPath, options }: DataRecord): DataSource {
  // The path as it was given, where it still leads there: messages name it.
  const isSame = resolvedPath === null || resolve(path) === resolvedPath;
  return { ...options, path: isSame ? path : resolvedPath };
}

/** @throws DataError when the data are not those the run was started with */
export async function requireSameData(record: DataRecord, splits: DataSplits): Promise<void> {
  for (const [part, kept, data] of [
    ["training", record.train, splits.train],
    ["test", record.test, splits.test],
  ] as const) {
    const found = data && { ...recordSplit(data), sha256: kept?.sha256 ? await hashOf(data) : null };
    if (describe(found) === describe(kept)) continue;
    throw new DataError(
      `${record.path}: the ${part} data are not those that this run was started with (${describe(kept)} then, ` +
        `${describe(found)} now). Put the former data back to resume it, or train anew.`,
    );
  }
}

const describe = (split: SplitRecord | null): string =>
  split
    ? `${split.count} rows of shape [${split.eventShape.join(", ")}]${split.sha256 ? `, SHA-256 ${split.sha256.slice(0, 16)}…` : ""}`
    : "none";

function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < 1)) throw new InvalidArgumentError("Expected 0 or more, below 1.");
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("Expected a number above 0.");
  return value;
}

/** A whole number of at least `least`, for commander. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
    }
    return value;
  };

/** A number between two ends, which are excluded, for commander. */
export const numberBetween =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value > low && value < high)) {
      throw new InvalidArgumentError(`Expected a number between ${low} and ${high}.`);
    }
    return value;
  };
