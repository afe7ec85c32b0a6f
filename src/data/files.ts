import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { DataError } from "../base/errors.ts";
import type { CsvOptions } from "./csv.ts";
import {
  type DataSplits,
  type Dataset,
  type DatasetParts,
  datasetOf,
  type RawArray,
  requireLabelPerRow,
  requireSameRows,
  shareLabelNames,
} from "./dataset.ts";
import { digits } from "./digits.ts";
import { damagedGzip, isGzip, statedLength } from "./gzip.ts";
import { holdOut } from "./holdout.ts";
import { parseIdx } from "./idx.ts";
import { findIdx, type IdxFolder, idxPatterns } from "./idx-folder.ts";
import { parseNpy } from "./npy.ts";

/** How a data set is read from files. */
export interface LoadOptions extends CsvOptions {
  /** A file with the test rows, in place of those of a folder or of a held-out part. */
  readonly test?: string;
  /** Part of the rows held out where there is no test file; 0 keeps all rows for training. Default 0.1. */
  readonly holdout?: number;
  /** What 8-bit values are divided by. Default: 255, or 1 where all of them are 0 or 1. */
  readonly scale?: number;
}

/**
 * Reads training and test rows (Node).
 *
 * @param path  "digits" for the bundled set, a folder of IDX files named like MNIST's, or one IDX, CSV or NPY file;
 *              files may be packed with gzip. Where no test rows are given, a fixed random part of the rows is held out
 *              (see `holdOut`).
 * @throws      DataError when nothing is found at `path` or a file does not hold what its name promises
 */
export async function loadData(path: string, options: LoadOptions = {}): Promise<DataSplits> {
  if (path === "digits") return digits();
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) {
    throw new DataError(
      `${path} does not exist (looked for ${resolve(path)}). Data are "digits" (bundled), a folder of IDX files, ` +
        "or a .csv, .npy or IDX file, each also as .gz.",
    );
  }
  return found.isDirectory() ? loadFolder(path, options) : loadFile(path, options);
}

async function loadFolder(folder: string, options: LoadOptions): Promise<DataSplits> {
  const files = readdirSync(folder);
  const parts = findIdx(files);
  if ("sets" in parts) throw new DataError(`${folder} ${whyNoSet(files, parts.sets)}`);
  const name = basename(resolve(folder));
  const read = async (images: string, labels: string | null): Promise<Dataset> => {
    const data = await readTable(join(folder, images), name, options);
    return labels === null ? data : { ...data, labels: readLabels(join(folder, labels), data) };
  };
  const { train, trainLabels, test, testLabels } = parts as IdxFolder & { train: string };
  const trainRows = await read(train, trainLabels);
  if (options.test !== undefined) return paired(trainRows, await readTable(options.test, name, options));
  return test === null ? holdOut(trainRows, options.holdout ?? 0.1) : paired(trainRows, await read(test, testLabels));
}

async function loadFile(path: string, options: LoadOptions): Promise<DataSplits> {
  const data = await readTable(path, nameOf(path), options);
  if (options.test === undefined) return holdOut(data, options.holdout ?? 0.1);
  return paired(data, await readTable(options.test, nameOf(path), options));
}

/** Names both parts, checks that they fit, and gives 8-bit ones one scale: a test file may happen to hold no bright pixel. */
function paired(trainRows: Dataset, testRows: Dataset): DataSplits {
  requireSameRows(trainRows, testRows);
  const { train, test } = shareLabelNames(trainRows, testRows);
  const isSameKind = train.dtype === "u8" && test.dtype === "u8";
  const scaled = (data: Dataset) => (isSameKind ? { ...data, scale: Math.max(train.scale, test.scale) } : data);
  return {
    train: { ...scaled(train), name: `${train.name}/train` },
    test: { ...scaled(test), name: `${test.name}/test` },
  };
}

async function readTable(path: string, name: string, options: LoadOptions): Promise<Dataset> {
  const bytes = readBytes(path);
  const parts: DatasetParts = { name, source: path, scale: options.scale };
  if (/\.npy(\.gz)?$/i.test(path)) return datasetOf(parseNpy(bytes, path), parts);
  if (/idx\d|ubyte/.test(basename(path))) return datasetOf(parseIdx(bytes, path), parts);
  if (/\.(csv|tsv|txt)(\.gz)?$/i.test(path)) {
    // Its package takes 9 ms to load: only tables pay for it.
    const { parseCsv } = await import("./csv.ts");
    const { array, ...rest } = parseCsv(bytes, path, options);
    return datasetOf(array, { ...parts, ...rest });
  }
  throw new DataError(
    `${path}: the name does not say what the file holds. Files end in .csv, .npy (each also as .gz), or are named ` +
      "like MNIST's, train-images-idx3-ubyte.",
  );
}

function readLabels(path: string, data: Dataset): Int32Array {
  const array: RawArray = parseIdx(readBytes(path), path);
  requireLabelPerRow(data.source, data.count, path, array.values.length);
  return Int32Array.from(array.values);
}

/** The unpacked bytes of a file, in one buffer without a second copy. */
function readBytes(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new DataError(
      `${path} cannot be read (${(error as Error).message}). Check that it is a file and may be read.`,
    );
  }
  if (!isGzip(bytes)) return bytes;
  try {
    // With room for one byte more than is stated, zlib ends within its first buffer and joins none.
    return gunzipSync(bytes, { chunkSize: Math.max((statedLength(bytes) ?? 0) + 1, 1 << 16) });
  } catch {
    throw damagedGzip(path, bytes.length);
  }
}

const nameOf = (path: string): string =>
  basename(path)
    .replace(/\.gz$/, "")
    .replace(/\.[a-z]+$|-images[-.]idx.*$/i, "");

function whyNoSet(files: readonly string[], images: readonly string[]): string {
  if (images.length > 0) {
    return (
      `holds more than one data set: ${images.join(", ")}. Give the path of one file, or move each set to its ` +
      "own folder."
    );
  }
  const listed = files.slice(0, 8).join(", ") + (files.length > 8 ? `, … (${files.length} in all)` : "");
  const tables = files.filter((file) => /\.(csv|npy)(\.gz)?$/.test(file));
  const hint = tables.length > 0 ? ` For a table give the path of the file itself, such as ${tables[0]}.` : "";
  return `holds no IDX images. Looked for ${idxPatterns}. Found ${listed || "nothing"}.${hint}`;
}
