import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DataError, OptionError } from "../base/errors.ts";
import { flushFile, flushFolder, removeLeftovers, writeAtomically } from "./atomic-file.ts";

/** The files of a run directory. The directory is the record of a run: nothing about the run is kept elsewhere. */
export const runFiles = {
  manifest: "manifest.json",
  metrics: "metrics.jsonl",
  state: "state.safetensors",
  report: "report.html",
} as const;

/** What was run: options, seed, versions, data. Any JSON object. */
export type Manifest = Readonly<Record<string, unknown>>;

/** One line of metrics.jsonl; `step` orders the lines and tells which of them a checkpoint covers. */
export interface MetricRow {
  readonly step: number;
  readonly [name: string]: unknown;
}

/**
 * Makes a run directory (and its parents) and writes its manifest.
 *
 * @param options.overwrite  remove the run that the directory holds; other files in it are left alone
 * @throws                   OptionError when the directory holds a run already and `overwrite` is not set, or cannot be
 *                           made
 */
export function createRun(directory: string, manifest: Manifest, options: { readonly overwrite?: boolean } = {}): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new OptionError(
      `${directory} cannot be made (${(error as Error).message}). Choose another directory for the run (--out).`,
    );
  }
  const present = Object.values(runFiles).filter((name) => existsSync(join(directory, name)));
  if (present.length > 0 && !options.overwrite) {
    throw new OptionError(
      `${directory} already holds a run (${present.join(", ")}). Choose another directory (--out), continue that run ` +
        `(--resume ${directory}), or replace it (--overwrite).`,
    );
  }
  // The manifest goes last, so that a kill in between never pairs it with another run's state.
  for (const name of [runFiles.state, runFiles.metrics, runFiles.report])
    rmSync(join(directory, name), { force: true });
  flushFolder(directory);
  removeLeftovers(directory, Object.values(runFiles));
  writeManifest(directory, manifest);
}

/**
 * Prepares the directory of an interrupted run for going on: removes what a kill left half-written.
 *
 * @throws DataError when the directory holds no run
 */
export function openRun(directory: string): Manifest {
  const manifest = readManifest(directory);
  removeLeftovers(directory, Object.values(runFiles));
  return manifest;
}

/** Replaces manifest.json atomically. */
export function writeManifest(directory: string, manifest: Manifest): void {
  writeAtomically(join(directory, runFiles.manifest), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * The manifest of a run directory.
 *
 * @throws DataError  when there is no manifest, or it is no JSON object
 */
export function readManifest(directory: string): Manifest {
  const path = join(directory, runFiles.manifest);
  if (!existsSync(path)) {
    throw new DataError(
      existsSync(directory)
        ? `${directory} holds no run: it has no ${runFiles.manifest}. Give the directory that "train --out" or "fit --out" wrote.`
        : `${directory} does not exist. Give the directory of a run, as "train --out" or "fit --out" wrote it.`,
    );
  }
  const manifest = parseObject(readFileSync(path, "utf8"));
  if (!manifest) throw new DataError(`${path} is damaged: it is not a JSON object. Restore it from a copy of the run.`);
  return manifest;
}

/**
 * Appends lines to metrics.jsonl. They are in the file when this returns, and safe against a power cut from the next
 * checkpoint on. NaN and infinities become null, as JSON has none. After an interruption call `truncateMetrics` first:
 * the last line may be half-written.
 */
export function appendMetric(directory: string, ...rows: readonly MetricRow[]): void {
  appendFileSync(join(directory, runFiles.metrics), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/**
 * The rows of metrics.jsonl; none where there is no such file. A half-written last line is passed over.
 *
 * @param upToStep  leave out rows of later steps
 * @throws          DataError when a line before the last is no row
 */
export function readMetrics(directory: string, upToStep = Number.POSITIVE_INFINITY): MetricRow[] {
  return metricLines(directory)
    .map(({ row }) => row)
    .filter((row) => row.step <= upToStep);
}

/** Drops the rows after a checkpoint's step, and a half-written last line, so that a resumed run repeats none. */
export function truncateMetrics(directory: string, step: number): void {
  const path = join(directory, runFiles.metrics);
  if (!existsSync(path)) return;
  const kept = metricLines(directory).filter(({ row }) => row.step <= step);
  writeAtomically(path, kept.map(({ line }) => `${line}\n`).join(""));
}

/**
 * Replaces state.safetensors atomically: until the new state is complete and on disk the old one stays in place. The
 * metrics written so far reach the disk first, so that no checkpoint is newer than its metrics.
 */
export function checkpoint(directory: string, state: Uint8Array): void {
  const metrics = join(directory, runFiles.metrics);
  if (existsSync(metrics)) flushFile(metrics);
  writeAtomically(join(directory, runFiles.state), state);
}

/** The last complete checkpoint, or null where the run was stopped before its first. */
export function readState(directory: string): Uint8Array | null {
  const path = join(directory, runFiles.state);
  return existsSync(path) ? readFileSync(path) : null;
}

/** Writes report.html atomically and returns its path. */
export function writeReport(directory: string, html: string): string {
  const path = join(directory, runFiles.report);
  writeAtomically(path, html);
  return path;
}

/** The object that a text states as JSON, or null. A prefix of an object's JSON is never JSON itself. */
function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

const isRow = (value: Record<string, unknown> | null): value is MetricRow & Record<string, unknown> =>
  typeof value?.step === "number";

function metricLines(directory: string): { line: string; row: MetricRow }[] {
  const path = join(directory, runFiles.metrics);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  const found: { line: string; row: MetricRow }[] = [];
  lines.forEach((line, index) => {
    const row = parseObject(line);
    if (isRow(row)) found.push({ line, row });
    else if (index < lines.length - 1) {
      throw new DataError(
        `${path}, line ${index + 1}: ${JSON.stringify(line.slice(0, 80))} is not a JSON object with a step. ` +
          "Remove that line, or restore the file from a copy of the run.",
      );
    }
  });
  return found;
}
