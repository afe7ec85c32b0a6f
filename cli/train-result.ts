import { join } from "node:path";
import { runFiles } from "../src/node.ts";
import { countOf, describeBackend, describeRows, shellWord } from "./describe.ts";
import type { RunManifest, TrainResult } from "./manifest.ts";
import { say, sayJson, warn, wrapped } from "./output.ts";
import { formatNats, formatRate, formatTimeLeft } from "./progress.ts";

/** Prints the result of a run: for people, or as one line of JSON. */
export function sayResult(directory: string, manifest: RunManifest, json: boolean): void {
  const { result } = manifest;
  if (result === null) return;
  if (!json) say((process.stderr.isTTY ? "\n" : "") + summary(directory, manifest, result));
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
  if (result.testNegElbo !== null)
    rows.push(["test negative ELBO", `${formatNats(result.testNegElbo)} nats per example`]);
  if (result.trainNegElbo !== null)
    rows.push(["train negative ELBO", `${formatNats(result.trainNegElbo)} nats per example`]);
  rows.push(["backend", describeBackend(sessions.at(-1)!.backend)]);
  rows.push(["run", directory], ["report", join(directory, runFiles.report)]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  lines.push(...rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`), "");
  for (const text of result.warnings) lines.push(wrapped(`warning: ${text}`), "");
  const next =
    result.status === "done"
      ? [
          `npx ansatz sample ${run} --count 16 --out samples.npy`,
          `npx ansatz score ${run} --out scores.csv`,
          `npx ansatz nll ${run}`,
          `npx ansatz train --resume ${run} --epochs ${2 * Number(options.epochs)}`,
        ]
      : [`npx ansatz train --resume ${run}`];
  lines.push(result.status === "done" ? "Next:" : "To go on:", ...next.map((command) => `  ${command}`));
  return lines.join("\n");
}

const duration = (seconds: number): string =>
  seconds < 1
    ? `${Math.round(1000 * seconds)} ms`
    : seconds < 120
      ? `${seconds.toFixed(1)} s`
      : `${formatTimeLeft(seconds)} min`;
