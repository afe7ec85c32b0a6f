import type { TypedArray } from "../base/dtype.ts";
import { OptionError } from "../base/errors.ts";
import type { RunResult } from "../engine/program.ts";
import type { Buffer } from "../engine/runtime.ts";
import { dataSpec } from "./context.ts";
import type { Fit } from "./events.ts";
import type { RowsInput } from "./rows.ts";
import type { Vae } from "./vae.ts";
import { encodeVae, type Progress, type StoredVae } from "./vae-file.ts";

const loadFitPrograms = () => import("./fit-programs.ts");

/** A copy of all that a fit changes. */
export interface Snapshot {
  readonly parameters: TypedArray;
  readonly slots: Readonly<Record<string, TypedArray>>;
  readonly progress: Progress;
}

const unstarted: Progress = { step: 0, examples: 0, rate: 0, distortion: 0, seconds: 0 };

/** The programs and the state of a fit. What it computes depends on seed and step alone, not on how steps are grouped. */
export class RunningFit implements Fit {
  readonly vae: Vae;
  readonly count: number;
  readonly batch: number;
  readonly perEpoch: number;
  readonly data: Buffer;
  readonly slots: Readonly<Record<string, Buffer>>;
  progress: Progress = unstarted;
  private readonly programs: Awaited<ReturnType<typeof compile>>;
  /** The epoch that the order in memory belongs to. */
  private orderedEpoch = -1;

  constructor(
    vae: Vae,
    data: Buffer,
    batch: number,
    slots: Readonly<Record<string, Buffer>>,
    programs: Awaited<ReturnType<typeof compile>>,
  ) {
    const { dropLast } = vae.config;
    this.vae = vae;
    this.data = data;
    this.count = data.shape[0]!;
    this.batch = batch;
    this.perEpoch = dropLast ? Math.floor(this.count / batch) : Math.ceil(this.count / batch);
    this.slots = slots;
    this.programs = programs;
  }

  /**
   * Compiles the fit's programs; the parameters are drawn, or those of a checkpoint.
   *
   * @throws OptionError when `dropLast` leaves no batch
   */
  static async create(vae: Vae, train: RowsInput, resume: StoredVae | null): Promise<RunningFit> {
    const { buffer, count } = vae.place(train);
    const { batch, dropLast, dtype } = vae.config;
    if (dropLast && count < batch) {
      throw new OptionError(
        `dropLast leaves nothing to train on: a batch has ${batch} rows, the data have ${count}. Lower batch.`,
      );
    }
    const programs = await loadFitPrograms();
    const { size } = vae.parameters.shape.length ? { size: vae.parameters.shape[0]! } : { size: 1 };
    const slots = Object.fromEntries(
      programs.slotNames(vae.config).map((name) => [name, vae.context.runtime.buffer(dtype, [size])]),
    );
    const used = Math.min(batch, count);
    const fit = new RunningFit(vae, buffer, used, slots, await compile(vae, slots, buffer, used));
    if (resume) {
      for (const name of Object.keys(slots)) {
        if (!resume.slots[name])
          throw new OptionError(`the checkpoint lacks the optimizer's vector "${name}": it holds a model, not a fit`);
      }
      fit.restore({ parameters: resume.parameters, slots: resume.slots, progress: resume.progress ?? unstarted });
    } else {
      const initial = await programs.initialProgram(vae.context, vae.parameters);
      await initial.run({}, 1, { seed: vae.config.seed });
    }
    return fit;
  }

  /** Counted from 0. */
  get epoch(): number {
    return Math.floor(this.progress.step / this.perEpoch);
  }
  get backend(): string {
    return this.programs.step.explain().backend;
  }
  get order(): Buffer {
    return this.programs.order.state.order;
  }

  /** Runs steps of the current epoch: `steps` must not reach beyond it. */
  async run(steps: number): Promise<RunResult["metrics"]> {
    const { config } = this.vae;
    const { seed, epochs, lr } = config;
    if (this.orderedEpoch !== this.epoch) {
      await this.programs.order.run({ epoch: this.epoch }, 1, { seed });
      this.orderedEpoch = this.epoch;
    }
    const { step } = this.programs;
    step.state.step.write([this.progress.step]);
    const inputs = { data: this.data, order: this.order, learningRate: lr, totalSteps: epochs * this.perEpoch };
    const started = performance.now();
    const { metrics } = await step.run(inputs, steps, { seed });
    const seconds = (performance.now() - started) / 1000;
    const natural = this.natural(metrics);
    this.advance(natural, steps, seconds);
    return natural;
  }

  /** Bounds of a standardised model as bounds on the natural values. */
  private natural(metrics: RunResult["metrics"]): RunResult["metrics"] {
    const { logSpread } = this.vae;
    if (logSpread === 0) return metrics;
    const { negElbo, distortion } = metrics;
    const add = (x: number) => x + logSpread;
    return { ...metrics, negElbo: negElbo!.map(add), distortion: distortion!.map(add) };
  }

  /** Rows that the step with this number sees. */
  rowsOf(step: number): number {
    return Math.min(this.batch, this.count - (step % this.perEpoch) * this.batch);
  }

  /** Sums in the order of the steps, so that they do not depend on where runs are cut. */
  private advance({ rate, distortion }: RunResult["metrics"], steps: number, seconds: number): void {
    const first = this.progress.step;
    const sums = first % this.perEpoch === 0 ? { ...unstarted } : { ...this.progress };
    let [examples, rates, distortions] = [sums.examples, sums.rate, sums.distortion];
    for (let i = 0; i < steps; i++) {
      const rows = this.rowsOf(first + i);
      examples += rows;
      rates += rate![i]! * rows;
      distortions += distortion![i]! * rows;
    }
    this.progress = {
      step: first + steps,
      examples,
      rate: rates,
      distortion: distortions,
      seconds: this.progress.seconds + seconds,
    };
  }

  snapshot(): Snapshot {
    const slots = Object.fromEntries(Object.entries(this.slots).map(([name, buffer]) => [name, buffer.read()]));
    return { parameters: this.vae.parameters.read(), slots, progress: this.progress };
  }

  restore({ parameters, slots, progress }: Snapshot): void {
    this.vae.parameters.write(parameters);
    for (const [name, buffer] of Object.entries(this.slots)) buffer.write(slots[name]!);
    this.progress = progress;
  }

  checkpoint(): Uint8Array {
    const { config, data, context } = this.vae;
    return encodeVae({ config, data, ...this.snapshot() }, context.architecture.layout);
  }
}

async function compile(vae: Vae, slots: Readonly<Record<string, Buffer>>, data: Buffer, batch: number) {
  const { context, parameters } = vae;
  const programs = await loadFitPrograms();
  const count = data.shape[0]!;
  const [order, step] = await Promise.all([
    programs.orderProgram(context, count),
    programs.stepProgram(context, parameters, slots, dataSpec(context, data.dtype, count), batch),
  ]);
  return { order, step };
}
