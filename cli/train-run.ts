import { join } from "node:path";
import { createRun, openRun, readState, runFiles, truncateMetrics, type Vae, type VaeOptions } from "../src/node.ts";
import { dataSource, loadSource, recordData, requireSameData, sourceOf } from "./data-source.ts";
import { countOf, shellWord } from "./describe.ts";
import { UsageError } from "./failure.ts";
import { onInterrupt } from "./interrupt.ts";
import {
  backendRecord,
  differences,
  manifestFormat,
  newSession,
  type RunManifest,
  readRunManifest,
  updateManifest,
} from "./manifest.ts";
import { remark, warn } from "./output.ts";
import { lockRun } from "./run-lock.ts";
import { makeNumberedRun, makeRun, refuseOtherRun, refuseUnbegun, removeIfEmpty } from "./run-place.ts";
import { progressOf } from "./run-recorder.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { TrainFlags } from "./train-flags.ts";
import { sayResult } from "./train-result.ts";
import { requireIntact } from "./trained-run.ts";
import { trainingSession } from "./training-session.ts";
import { version } from "./version.ts";

/** Starts a run of its own. */
export async function startRun(path: string, flags: TrainFlags, options: VaeOptions): Promise<void> {
  const watch = new Stopwatch();
  const source = dataSource(path, flags);
  const directory = flags.out === undefined ? makeNumberedRun(path) : makeRun(flags.out);
  const release = lockRun(directory);
  try {
    if (!flags.overwrite) refuseOtherRun(directory);
    const interruption = onInterrupt(announce);
    const splits = await watch.time("reading data", () => loadSource(source));
    const begin = async ({ config, context }: Vae): Promise<RunManifest> => {
      const now = new Date().toISOString();
      const manifest: RunManifest = {
        format: manifestFormat,
        ansatz: version,
        status: "running",
        command: ["ansatz", ...process.argv.slice(2)].map(shellWord).join(" "),
        given: options,
        options: config,
        seed: config.seed,
        deterministic: config.deterministic,
        data: recordData(source, splits),
        sessions: [newSession(0, await backendRecord(context.runtime, config.deterministic))],
        timings: {},
        warnings: [],
        result: null,
        error: null,
        startedAt: now,
        updatedAt: now,
      };
      createRun(directory, { ...manifest }, { overwrite: true });
      return manifest;
    };
    const deterministic = options.deterministic ?? false;
    await trainingSession({
      directory,
      splits,
      options,
      deterministic,
      state: null,
      begin,
      flags,
      watch,
      interruption,
    });
  } finally {
    release();
    removeIfEmpty(directory);
  }
}

/** Goes on with an interrupted or killed run, or trains a finished one for more epochs. */
export async function resumeRun(directory: string, flags: TrainFlags, epochs: number | null): Promise<void> {
  const watch = new Stopwatch();
  refuseUnbegun(directory);
  readRunManifest(directory);
  const release = lockRun(directory);
  try {
    openRun(directory);
    const before = readRunManifest(directory);
    const had = Number(before.options.epochs);
    if (epochs !== null && epochs < had) {
      throw new UsageError(
        `--epochs ${epochs} is fewer than the ${had} of ${directory}: a resumed run can only be made longer.`,
      );
    }
    if (before.status === "done" && before.result && (epochs === null || epochs === had)) {
      remark(
        `${directory} is complete: its ${countOf(had, "epoch")} ${had === 1 ? "is" : "are"} done. To train on, ask for more (--epochs ${2 * had}).`,
      );
      sayResult(directory, before, flags.json ?? false);
      return;
    }
    const interruption = onInterrupt(announce);
    const splits = await watch.time("reading data", () => loadSource(sourceOf(before.data)));
    await requireSameData(before.data, splits);
    const state = readState(directory);
    const step = state ? progressOf(state, join(directory, runFiles.state)).step : 0;
    const total = { epochs: epochs ?? had };
    const begin = async (vae: Vae): Promise<RunManifest> => {
      const { context } = vae;
      if (state) requireIntact(directory, before, vae);
      // Lines after the checkpoint will come again; before the first checkpoint all do.
      truncateMetrics(directory, state ? step : -1);
      const session = newSession(step, await backendRecord(context.runtime, before.deterministic));
      const news = resumeWarnings(before, session, total.epochs);
      for (const text of news) warn(text);
      return updateManifest(directory, before, {
        status: "running",
        options: { ...before.options, ...total },
        sessions: [...before.sessions, session],
        warnings: [...new Set([...before.warnings, ...news])],
        result: null,
        error: null,
      });
    };
    const options = state ? total : { ...before.given, ...total };
    const { deterministic } = before;
    await trainingSession({ directory, splits, options, deterministic, state, begin, flags, watch, interruption });
  } finally {
    release();
  }
}

function resumeWarnings(before: RunManifest, session: RunManifest["sessions"][number], epochs: number): string[] {
  const warnings: string[] = [];
  const found = differences(before.sessions.at(-1)!, session, before.deterministic);
  if (found.length > 0) {
    warnings.push(
      `This run goes on where ${found.join("; ")}: from step ${session.fromStep} on its bits may differ from those of a run ` +
        "in one go.",
    );
  }
  const { schedule, epochs: had } = before.options;
  if (epochs !== had && schedule !== "constant") {
    warnings.push(
      `The ${String(schedule)} schedule was begun for ${String(had)} epochs, and goes on as one for ${epochs}.`,
    );
  }
  return warnings;
}

const announce = (): void => {
  if (process.stderr.isTTY) remark("\nStopping and saving the run; Ctrl-C again ends at once.");
};
