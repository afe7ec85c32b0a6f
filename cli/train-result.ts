import { join } from "node:path";
import { runFiles } from "../src/node.ts";
import { countOf, describeBackend, describeRows, shellWord } from "./describe.ts";
import type { RunManifest, RunStatus } from "./manifest.ts";
import { say, sayJson, warn } from "./output.ts";
import { formatNats, formatRate, formatTimeLeft } from "./progress.ts";

/** What train prints with --json, and what the manifest keeps as the run's result. Bounds in nats per example. */
export interface TrainResult {
  readonly testNegElbo: number | null;
  readonly trainNegElbo: number | null;
  /** Of the last epoch, on training rows: trainNegElbo = rate + distortion. */
  readonly rate: number | null;
  readonly distortion: number | null;
  readonly epochs: number;
  readonly secondsTraining: number;
  readonly imagesPerSecond: number | null;
  readonly backend: string;
  readonly seed: number;
  /** SHA-256 over the parameters. */
  readonly parameterHash: string;
  readonly status: RunStatus;
  readonly run: string;
  readonly report: string;
  readonly warnings: readonly string[];
}

/** Prints the result of a run: for people, or as one line of JSON. */
export function sayResult(directory: string, manifest: RunManifest, json: boolean): void {
  const { result } = manifest;
  if (result === null) return;
  if (!json) say(summary(directory, manifest, result));
  else {
    if (process.stderr.isTTY) for (const text of result.warnings) warn(text);
    sayJson({ ...result });
  }
}

function summary(directory: string, manifest: RunManifest, result: TrainResult): string {
  const { data, options, sessions } = manifest;
  const run = shellWord(directory);
  const ended = result.status === "done" ? "Trained" : `Stopped after ${result.epochs} of`;
  const rate = result.imagesPerSecond === null ? "" : ` (${formatRate(result.imagesPerSecond)})`;
  const lines = [
    `${ended} ${countOf(Number(options.epochs), "epoch")} on ${data.train.name} (` +
      `${describeRows(data.train.count, data.train.eventShape)}) in ${duration(result.secondsTraining)}${rate}.`,
    "",
  ];
  const rows: [string, string][] = [];
  if (result.testNegElbo !== null) rows.push(["test negative ELBO", `${formatNats(result.testNegElbo)} nats per example`]);
  if (result.trainNegElbo !== null) rows.push(["train negative ELBO", `${formatNats(result.trainNegElbo)} nats per example`]);
  rows.push(["backend", describeBackend(sessions.at(-1)!.backend)]);
  rows.push(["run", directory], ["report", join(directory, runFiles.report)]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  lines.push(...rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`), "");
  for (const text of result.warnings) lines.push(wrapped(`warning: ${text}`), "");
  const next =
    result.status === "done"
      ? [
          `ansatz sample ${run} --count 16 --out samples.npy`,
          `ansatz score ${run} --out scores.csv`,
          `ansatz nll ${run}`,
          `ansatz train --resume ${run} --epochs ${2 * Number(options.epochs)}`,
        ]
      : [`ansatz train --resume ${run}`];
  lines.push(result.status === "done" ? "Next:" : "To go on:", ...next.map((command) => `  ${command}`));
  return lines.join("\n");
}

const duration = (seconds: number): string =>
  seconds < 1 ? `${Math.round(1000 * seconds)} ms` : seconds < 120 ? `${seconds.toFixed(1)} s` : `${formatTimeLeft(seconds)} min`;

/** Text in lines of at most 100 columns, where words allow. */
function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last.length + word.length >= 100 && last !== "") lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join("\n");
}
