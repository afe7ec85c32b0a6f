import { statSync } from "node:fs";
import type { Command } from "commander";
import { DataError, type Dataset, firstRows } from "../src/node.ts";
import { loadSource, sourceOf, wholeNumber } from "./data-source.ts";
import { UsageError } from "./failure.ts";
import { type RunManifest, readRunManifest } from "./manifest.ts";

/** Which rows a command works on. */
export interface RowFlags {
  readonly data?: string;
  readonly split?: "train" | "test";
  readonly limit?: number;
}

export const runArgument = "RUN";
export const runHelp = 'the directory that "ansatz train" wrote';

export function addRowFlags(command: Command): Command {
  return command
    .optionsGroup("Data:")
    .option("--data <path>", "data as train takes them (default: those that the run was trained on)")
    .option("--split <part>", "train or test (default: test where there is one; all rows of a file)", split)
    .option("--limit <n>", "the first n rows only", wholeNumber(1));
}

function split(text: string): "train" | "test" {
  if (text !== "train" && text !== "test") throw new UsageError(`--split ${text}: expected train or test.`);
  return text;
}

/**
 * The rows that the flags ask for, of the run's own data where no others are named.
 *
 * @throws DataError when they do not have the width that the run was trained on
 */
export async function rowsFor(manifest: RunManifest, flags: RowFlags): Promise<Dataset> {
  const own = sourceOf(manifest.data);
  // A file of new examples has no part to hold out; a folder has its own test rows.
  const isFile = flags.data !== undefined && (statSync(flags.data, { throwIfNoEntry: false })?.isFile() ?? false);
  const source =
    flags.data === undefined
      ? own
      : { ...own, path: flags.data, test: undefined, holdout: isFile && flags.split === undefined ? 0 : own.holdout };
  const splits = await loadSource(source);
  if (flags.split === "test" && splits.test === null) {
    throw new DataError(`${source.path} has no test rows: nothing was held out. Use --split train.`);
  }
  const data = flags.split === "train" ? splits.train : (splits.test ?? splits.train);
  const { train } = manifest.data;
  const width = train.eventShape.reduce((a, b) => a * b, 1);
  if (data.width !== width) {
    throw new DataError(
      `${data.source} has rows of ${data.width} values (shape [${data.eventShape.join(", ")}]), but this run was trained ` +
        `on rows of ${width} (shape [${train.eventShape.join(", ")}], from ${manifest.data.path}). Give data of that width` +
        `${manifest.data.options.labelColumn === undefined ? "" : " beside the label column"}.`,
    );
  }
  // A file may happen to hold no bright pixel: what stands for 1 is the model's matter, not the file's.
  const scaled = data.dtype === "u8" && train.dtype === "u8" ? { ...data, scale: train.scale } : data;
  return firstRows(scaled, flags.limit ?? scaled.count);
}

/** A manifest whose run has something to load. @throws DataError while there is no checkpoint */
export function manifestOf(directory: string): RunManifest {
  return readRunManifest(directory);
}
