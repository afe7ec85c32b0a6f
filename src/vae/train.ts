import { NonFiniteError, OptionError } from "../base/errors.ts";
import { type Dataset, requireSameRows } from "../data/dataset.ts";
import { defaultRuntime } from "../engine/runtime.ts";
import { configure } from "./configuration.ts";
import type { Fit, TrainingSummary, VaeEvent } from "./events.ts";
import { RunningFit } from "./fit.ts";
import type { VaeConfig, VaeOptionName, VaeOptions } from "./options.ts";
import { datasetFrom, factsOf, type RowsInput } from "./rows.ts";
import { standardOf } from "./standard.ts";
import { layouts, Vae, type VaePlace } from "./vae.ts";
import type { StoredVae } from "./vae-file.ts";

/** How a training is watched, saved and ended. */
export interface TrainingControl extends VaePlace {
  /** Called with each event; training waits for what it returns. A checkpoint may be taken in it at any event. */
  readonly onEvent?: (event: VaeEvent, fit: Fit) => void | Promise<void>;
  /** Stops between steps: after the event "aborted" the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** A checkpoint to go on from, with its options; `epochs` alone may be given anew. The result has the same bits. */
  readonly resume?: Uint8Array;
}

/** Training rows, or training and test rows. */
export type TrainingInput = RowsInput | { readonly train: RowsInput; readonly test: RowsInput | null };

/** A fitted model, with the figures of its fit. */
export interface TrainedVae {
  readonly vae: Vae;
  readonly summary: TrainingSummary;
}

/**
 * Trains a variational autoencoder by Auto-Encoding Variational Bayes (Kingma and Welling 2014).
 *
 * @throws OptionError on options that are unknown, out of range or contradict each other; SupportError and DataError on data
 *   that the likelihood does not take: all of these before the first step. NonFiniteError when the bound stops being finite:
 *   the model then has the parameters of the last good step
 */
export async function trainVae(
  input: TrainingInput,
  options: VaeOptions = {},
  control: TrainingControl = {},
): Promise<TrainedVae> {
  const { train, test } = splitsOf(input);
  // Reading a model is a part of its own: most fits begin anew.
  const { decodeVae } = control.resume ? await import("./vae-file-read.ts") : { decodeVae: null };
  const stored = control.resume && decodeVae ? decodeVae(control.resume, await layouts(), "the checkpoint") : null;
  const config = stored ? resumedConfig(stored, train, options) : configure(options, factsOf(train));
  const { name, eventShape, scale, count } = train;
  const runtime = control.runtime ?? (await defaultRuntime());
  const { standardize } = config;
  const standard = standardize === "columns" || standardize === "common" ? standardOf(train, standardize) : undefined;
  const data = stored?.data ?? { name, eventShape, scale, count, standard };
  const vae = await Vae.create(config, data, runtime, control.backend);
  // All rows are checked before the first step.
  vae.place(train);
  if (test) vae.place(test);
  const fit = await RunningFit.create(vae, train, stored);
  return run(fit, train, test, control);
}

function splitsOf(input: TrainingInput): { train: Dataset; test: Dataset | null } {
  const parts = "train" in input ? input : { train: input, test: null };
  const train = datasetFrom(parts.train, "training data");
  const test = parts.test && datasetFrom(parts.test, "test data", train.scale);
  if (test) requireSameRows(train, test);
  return { train, test };
}

function resumedConfig({ config, data }: StoredVae, train: Dataset, options: VaeOptions): VaeConfig {
  for (const name of Object.keys(options) as VaeOptionName[]) {
    if (
      name === "epochs" ||
      options[name] === undefined ||
      JSON.stringify(options[name]) === JSON.stringify(config[name])
    )
      continue;
    throw new OptionError(
      `a resumed fit keeps its options, but ${name} was ${JSON.stringify(config[name])} and now is ${JSON.stringify(options[name])}: ` +
        "leave it out, or start a new fit",
    );
  }
  if (data.count !== train.count || data.eventShape.join() !== train.eventShape.join() || data.scale !== train.scale) {
    const shown = (d: { count: number; eventShape: readonly number[]; scale: number }) =>
      `${d.count} rows of shape [${d.eventShape.join(", ")}], scale ${d.scale}`;
    throw new OptionError(
      `the fit was on ${shown(data)}, but ${train.source} has ${shown(train)}: resume on the same data`,
    );
  }
  return options.epochs === undefined ? config : { ...config, epochs: options.epochs };
}

/** Slices are about this long: a signal is heard and a step event told at least as often. */
const SLICE_SECONDS = 0.25;
/** Training steps between copies of a good state, in seconds. */
const SNAPSHOT_SECONDS = 10;

interface EpochBounds {
  readonly trainNegElbo: number;
  readonly testNegElbo: number | null;
}

async function run(
  fit: RunningFit,
  train: Dataset,
  test: Dataset | null,
  control: TrainingControl,
): Promise<TrainedVae> {
  const { vae, perEpoch } = fit;
  const { epochs } = vae.config;
  const steps = epochs * perEpoch;
  const at = (epoch = Math.min(fit.epoch + 1, epochs)) => ({ step: fit.progress.step, epoch });
  const emit = async (event: VaeEvent) => control.onEvent?.(event, fit);
  await emit({ kind: "start", ...at(), steps, epochs, parameters: vae.parameters.shape[0]!, backend: fit.backend });

  const started = fit.progress;
  let lastEpoch: EpochBounds | null = null;
  let good = fit.snapshot();
  let slice = 1;
  let before = fit.progress;

  /** The figures of the epoch that has just ended; its state becomes a good one. */
  const endEpoch = async (epoch: number): Promise<EpochBounds> => {
    const { step, examples, rate, distortion, seconds } = fit.progress;
    const current = fit.snapshot();
    // The last step of an epoch shows in no bound on training rows yet.
    if (!allFinite(current.parameters)) await stop(fit, good, step, train, emit);
    good = current;
    const testNegElbo = test ? (await vae.meanBound(test, { pass: epoch })).negElbo : null;
    const bounds: EpochBounds = { trainNegElbo: (rate + distortion) / examples, testNegElbo };
    const trained = seconds - before.seconds;
    const seen = examples - (before.step % perEpoch === 0 ? 0 : before.examples);
    const means = { rate: rate / examples, distortion: distortion / examples };
    const pace = { seconds: trained, imagesPerSecond: seen / trained };
    await emit({ kind: "epoch", step, epoch, epochs, ...bounds, ...means, ...pace });
    before = fit.progress;
    return bounds;
  };

  while (fit.progress.step < steps) {
    if (control.signal?.aborted) {
      await emit({ kind: "aborted", ...at() });
      throw control.signal.reason;
    }
    const epoch = fit.epoch;
    const { step: first, seconds } = fit.progress;
    const count = Math.min(slice, (epoch + 1) * perEpoch - first);
    const metrics = await fit.run(count);
    const took = fit.progress.seconds - seconds;
    slice = Math.max(1, Math.min(slice * 4, Math.ceil((count * SLICE_SECONDS) / Math.max(took, 1e-4))));
    const bad = metrics.negElbo!.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) await stop(fit, good, first + bad, train, emit);
    // An epoch is told before its last steps are: a checkpoint taken at any event has all epochs before it told.
    if (fit.epoch !== epoch) lastEpoch = await endEpoch(epoch + 1);
    else if (fit.progress.seconds - good.progress.seconds > SNAPSHOT_SECONDS) good = fit.snapshot();
    const mean = (name: string) => metrics[name]!.reduce((sum, x) => sum + x, 0) / count;
    const means = { negElbo: mean("negElbo"), rate: mean("rate"), distortion: mean("distortion") };
    const imagesPerSecond = (count * fit.batch) / took;
    const secondsLeft = ((steps - fit.progress.step) * fit.batch) / imagesPerSecond;
    await emit({ kind: "step", ...at(epoch + 1), steps, epochs, ...means, imagesPerSecond, secondsLeft });
  }

  const { warnOfCollapse } = await import("./collapse.ts");
  await warnOfCollapse(fit, test ?? train, emit);
  const { progress } = fit;
  const images = ((progress.step - started.step) / perEpoch) * (vae.config.dropLast ? perEpoch * fit.batch : fit.count);
  const summary: TrainingSummary = {
    step: progress.step,
    epochs: Math.floor(progress.step / perEpoch),
    trainNegElbo:
      lastEpoch?.trainNegElbo ?? (progress.examples ? (progress.rate + progress.distortion) / progress.examples : null),
    testNegElbo: lastEpoch ? lastEpoch.testNegElbo : test && (await vae.meanBound(test, { pass: epochs })).negElbo,
    secondsTraining: progress.seconds,
    imagesPerSecond: progress.seconds > started.seconds ? images / (progress.seconds - started.seconds) : 0,
    backend: fit.backend,
    parameterHash: vae.parameterHash,
  };
  await emit({ kind: "done", ...at(), ...summary });
  return { vae, summary };
}

const allFinite = (values: ArrayLike<number>): boolean => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!; // NaN unless all are finite
  return sum === 0;
};

/** Goes back to the last good step, tells why it was the last, and throws. */
async function stop(
  fit: RunningFit,
  good: ReturnType<RunningFit["snapshot"]>,
  bad: number,
  train: Dataset,
  emit: (event: VaeEvent) => Promise<void>,
): Promise<never> {
  // Loaded only now: most fits never need it.
  const { explainNonFinite } = await import("./non-finite.ts");
  const message = await explainNonFinite(fit, good, bad, train);
  await emit({ kind: "nonFinite", step: fit.progress.step, epoch: fit.epoch + 1, message });
  throw new NonFiniteError(message);
}
