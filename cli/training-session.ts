import { join } from "node:path";
import {
  AnsatzError,
  type DataSplits,
  type Dataset,
  type EpochMetrics,
  type Fit,
  readMetrics,
  readState,
  runFiles,
  type TrainingSummary,
  trainVae,
  type Vae,
  type VaeConfig,
  type VaeEvent,
  type VaeOptions,
} from "../src/node.ts";
import { withHashes } from "./data-source.ts";
import { countOf, describeRows } from "./describe.ts";
import type { Interruption } from "./interrupt.ts";
import { type RunManifest, type RunStatus, type TrainResult, updateManifest } from "./manifest.ts";
import { remark, wrapped } from "./output.ts";
import { pictureModel } from "./picture-model.ts";
import { createProgress } from "./progress.ts";
import { picturesOf } from "./report-figures.ts";
import { progressOf, recordFit } from "./run-recorder.ts";
import { writeRunReport } from "./run-report.ts";
import { runtimeFor } from "./runtime.ts";
import type { Stopwatch } from "./stopwatch.ts";
import type { TrainFlags } from "./train-flags.ts";
import { sayResult } from "./train-result.ts";

export interface SessionJob {
  readonly directory: string;
  readonly splits: DataSplits;
  /** For a new fit all that was given, for a resumed one its epochs. */
  readonly options: VaeOptions;
  readonly deterministic: boolean;
  /** The checkpoint to go on from. */
  readonly state: Uint8Array | null;
  /** Writes the manifest, when all checks are passed and the first step is next. */
  readonly begin: (vae: Vae) => Promise<RunManifest>;
  readonly flags: TrainFlags;
  readonly watch: Stopwatch;
  readonly interruption: Interruption;
}

/** What a session has seen of its fit. */
interface Course {
  readonly fit: Fit;
  manifest: RunManifest;
  readonly stepsPerEpoch: number;
  imagesPerSecond: number | null;
  collapse: string | null;
  summary: TrainingSummary | null;
  /** Seconds from the process's start to its first finished step. */
  secondsToFirstStep: number | null;
}

/** Trains until the end, an interruption or a failure; whichever it is, manifest and report say how far the run got. */
export async function trainingSession(job: SessionJob): Promise<void> {
  const { directory, flags, interruption } = job;
  const { course, failure } = await trainRecorded(job);
  // Before the first step nothing has been written: the data or the options do not fit.
  if (course === null) throw failure;
  if (failure === null) {
    const manifest = await conclude(job, course, "done", null);
    sayResult(directory, manifest, flags.json ?? false);
  } else if (interruption.code !== null && failure === interruption.signal.reason) {
    const manifest = await conclude(job, course, "interrupted", null);
    sayResult(directory, manifest, flags.json ?? false);
    process.exitCode = interruption.code;
  } else {
    // A full disk ends a run too, and then nothing more can be written: what is told is the failure itself.
    const isWritten = await conclude(job, course, "failed", failure).then(() => true, () => false); // biome-ignore format: short
    if (isWritten && failure instanceof AnsatzError) failure.message += ` The run until then is in ${directory}.`;
    throw failure;
  }
}

/** Writes the last of a run: its report, and how it ended into its manifest. */
async function conclude(job: SessionJob, course: Course, status: RunStatus, failure: unknown): Promise<RunManifest> {
  const { directory, splits, watch } = job;
  const { timings } = course.manifest;
  const result = resultOf(directory, course, status);
  const first = course.secondsToFirstStep;
  const spent = (): Record<string, number> => ({
    ...summed(timings, watch.seconds),
    training: result.secondsTraining,
    ...(first === null ? {} : { "start to first step": first }),
  });
  const error = failure === null ? null : failure instanceof Error ? failure.message : String(failure);
  const ended = { ...course.manifest, status, result: { ...result }, error, timings: spent() };
  // Who presses Ctrl-C again does not wait for the report.
  if (status !== "done") updateManifest(directory, ended, {});
  await watch.time("report", async () => {
    writeRunReport(directory, ended, await picturesOf(pictureModel(course.fit.vae), splits.test ?? splits.train));
  });
  return updateManifest(directory, ended, { timings: spent() });
}

async function trainRecorded(job: SessionJob): Promise<{ course: Course | null; failure: unknown }> {
  const { directory, splits, options, state, flags, watch, interruption } = job;
  const record = recordFit(directory, flags.checkpointEvery);
  const { stderr } = process;
  const progress = createProgress({
    stream: stderr,
    isTTY: stderr.isTTY ?? false,
    total: options.epochs ?? 0,
    unit: "epochs",
  });
  let course: Course | null = null;
  const since = performance.now();
  const onEvent = async (event: VaeEvent, fit: Fit): Promise<void> => {
    if (event.kind === "start") {
      watch.add("compiling", (performance.now() - since) / 1000);
      const manifest = await job.begin(fit.vae);
      const stepsPerEpoch = Math.max(1, event.steps / Math.max(1, event.epochs));
      course = {
        fit,
        manifest,
        stepsPerEpoch,
        imagesPerSecond: null,
        collapse: null,
        summary: null,
        secondsToFirstStep: null,
      };
    }
    if (event.kind === "start" && stderr.isTTY) remark(wrapped(opening(splits.train, fit.vae.config, event)));
    record(event, fit);
    if (course === null) return;
    if (event.kind === "step") {
      course.imagesPerSecond = event.imagesPerSecond;
      if (course.secondsToFirstStep === null) await afterFirstStep(job, course);
      progress.update(event);
    } else if (event.kind === "epoch") progress.epochEnd(event);
    else if (event.kind === "done") course.summary = event;
    else if (event.kind === "collapsed") course.collapse = event.message;
  };
  try {
    const runtime = await runtimeFor({ deterministic: job.deterministic, threads: flags.threads });
    await trainVae(splits, options, { onEvent, signal: interruption.signal, resume: state ?? undefined, runtime });
    return { course, failure: null };
  } catch (failure) {
    return { course, failure };
  } finally {
    progress.done();
  }
}

/** What the first step need not wait for. */
async function afterFirstStep({ directory, splits }: SessionJob, course: Course): Promise<void> {
  course.secondsToFirstStep = performance.now() / 1000;
  const { data } = course.manifest;
  if (data.train.sha256 !== null) return;
  course.manifest = updateManifest(directory, course.manifest, { data: await withHashes(data, splits) });
}

/** What is about to be trained: above all what the defaults were decided to be. */
function opening(data: Dataset, config: VaeConfig, { parameters, step }: VaeEvent & { kind: "start" }): string {
  const { likelihood, binarize, encoder, decoder, latent } = config;
  const widths = [data.width, ...encoder, latent, ...decoder, data.width].join("-");
  const binary = binarize === "none" ? "" : `, binarized ${binarize === "dynamic" ? "anew at each step" : "at 0.5"}`;
  return (
    `${data.name}: ${describeRows(data.count, data.eventShape)}. ${likelihood} likelihood${binary}; network ${widths}, ` +
    `${countOf(parameters, "parameter")}${step > 0 ? `; going on from step ${step}` : ""}.`
  );
}

function resultOf(directory: string, course: Course, status: RunStatus): TrainResult {
  const { fit, manifest, summary, collapse } = course;
  const last = readMetrics(directory).findLast((row) => row.kind === "epoch") as EpochMetrics | undefined;
  const about = {
    rate: last?.rate ?? null,
    distortion: last?.distortion ?? null,
    backend: manifest.sessions.at(-1)!.backend.name,
    seed: manifest.seed,
    parameterHash: fit.vae.parameterHash,
    status,
    run: directory,
    report: join(directory, runFiles.report),
    warnings: [...manifest.warnings, ...(collapse === null ? [] : [collapse])],
  };
  if (summary) {
    const { testNegElbo, trainNegElbo, epochs, secondsTraining, imagesPerSecond } = summary;
    return { testNegElbo, trainNegElbo, epochs, secondsTraining, imagesPerSecond, ...about };
  }
  const state = readState(directory);
  const { step, seconds } = state ? progressOf(state, join(directory, runFiles.state)) : { step: 0, seconds: 0 };
  return {
    testNegElbo: last?.testNegElbo ?? null,
    trainNegElbo: last?.trainNegElbo ?? null,
    epochs: Math.floor(step / course.stepsPerEpoch),
    secondsTraining: seconds,
    imagesPerSecond: course.imagesPerSecond,
    ...about,
  };
}

const summed = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(b).map(([stage, seconds]) => [stage, (a[stage] ?? 0) + seconds]));
