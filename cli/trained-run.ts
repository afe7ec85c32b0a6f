import { statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { DataError, type Dataset, firstRows, readState, runFiles, Vae } from "../src/node.ts";
import { loadSource, sourceOf, wholeNumber } from "./data-source.ts";
import { shellWord } from "./describe.ts";
import { UsageError } from "./failure.ts";
import { type RunManifest, readRunManifest } from "./manifest.ts";
import { runtimeFor } from "./runtime.ts";

/** Which rows a command works on. */
export interface RowFlags {
  readonly data?: string;
  readonly split?: "train" | "test";
  readonly limit?: number;
}

export function addRunArgument(command: Command): Command {
  return command.argument("RUN", 'the directory that "ansatz train" wrote');
}

export function addRowFlags(command: Command): Command {
  return command
    .optionsGroup("Data:")
    .option("--data <path>", "data as train takes them (default: those that the run was trained on)")
    .option("--split <part>", "train or test (default: test where there is one; all rows of a single file)", split)
    .option("--limit <n>", "the first n rows only", wholeNumber(1));
}

function split(text: string): "train" | "test" {
  if (text !== "train" && text !== "test") throw new UsageError(`--split ${text}: expected train or test.`);
  return text;
}

export interface TrainedRun {
  readonly directory: string;
  readonly manifest: RunManifest;
  readonly vae: Vae;
}

/** @throws DataError when the directory holds no run, or none that has got as far as a checkpoint */
export async function openTrained(directory: string): Promise<TrainedRun> {
  const manifest = readRunManifest(directory);
  const state = readState(directory);
  if (state === null) {
    throw new DataError(
      `${directory} has no ${runFiles.state}: its training (status "${manifest.status}") ended before the first checkpoint. ` +
        `Go on with it: ansatz train --resume ${shellWord(directory)}`,
    );
  }
  const runtime = await runtimeFor(manifest);
  const vae = await Vae.load(state, { runtime, source: join(directory, runFiles.state) });
  requireIntact(directory, manifest, vae);
  return { directory, manifest, vae };
}

/** @throws DataError when the parameters of a finished run are not those that its manifest has the hash of */
export function requireIntact(directory: string, { status, result }: RunManifest, { parameterHash }: Vae): void {
  if (status !== "done" || !result || result.parameterHash === parameterHash) return;
  const short = (hash: string) => hash.slice(0, 12);
  throw new DataError(
    `${join(directory, runFiles.state)} is damaged or of another run: its parameters have the hash ${short(parameterHash)}…, but those of this run ` +
      `had ${short(result.parameterHash)}…. Restore it from a copy, or train the run again: ${result.epochs} epochs with the options in ${runFiles.manifest}.`,
  );
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
        `on rows of ${width} (shape [${train.eventShape.join(", ")}], from ${manifest.data.path}). Give data of that width.`,
    );
  }
  // A file may happen to hold no bright pixel: what stands for 1 is the model's matter, not the file's.
  const scaled = data.dtype === "u8" && train.dtype === "u8" ? { ...data, scale: train.scale } : data;
  return firstRows(scaled, flags.limit ?? scaled.count);
}

/** Names for the columns of decoded rows: those of the table, or x1, x2, … */
export const valueNames = (data: { readonly columns: readonly string[] | null }, width: number): readonly string[] =>
  data.columns ?? numbered("x", width);

export const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);

/** The labels of rows as a column of a CSV file, by name where they have names. */
export function labelColumn(data: Dataset): { name: string; values: ArrayLike<number | string> }[] {
  const { labels, labelNames } = data;
  if (labels === null) return [];
  return [{ name: "label", values: Array.from(labels, (label) => labelNames?.[label] ?? label) }];
}
