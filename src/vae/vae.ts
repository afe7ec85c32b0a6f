import type { Backend } from "../backends/backend.ts";
import type { TypedArray } from "../base/dtype.ts";
import { OptionError, ShapeError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { type Buffer, defaultRuntime, type Runtime } from "../engine/runtime.ts";
import type { Layout } from "../nn/layout.ts";
import type { Architecture } from "./architecture.ts";
import { CHUNK, IMPORTANCE, type ProgramContext } from "./context.ts";
import type { Encoding } from "./encoding.ts";
import type { LogLikelihood } from "./log-likelihood.ts";
import type { VaeConfig } from "./options.ts";
import { type Placed, placeRows } from "./placement.ts";
import { datasetFrom, type Matrix, type RowsInput } from "./rows.ts";
import { sha256 } from "./sha256.ts";
import { logSpreadOf, toNatural } from "./standard.ts";
import { encodeVae, type VaeData } from "./vae-file.ts";

/** Where the programs of an autoencoder live. */
export interface VaePlace {
  /** Memory to live in; by default the one that all programs share. */
  readonly runtime?: Runtime;
  /** For tests: another backend than wasm. */
  readonly backend?: Backend;
}

/** Nats of each row: negElbo = rate + distortion. */
export interface Scores {
  readonly negElbo: Float64Array;
  readonly rate: Float64Array;
  readonly distortion: Float64Array;
}

export interface DrawOptions {
  /** Monte Carlo draws for each row. */
  readonly draws?: number;
  /** Of all random numbers. Default: that of the fit. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface BoundOptions extends DrawOptions {
  /** Other passes see other noise, and other binarised images. Default 0. */
  readonly pass?: number;
}

/** Means over a data set in nats per row. */
export interface MeanBound {
  readonly negElbo: number;
  readonly rate: number;
  readonly distortion: number;
}

// The model language and the networks come when the first model is made: a page that only offers training need not load them.
const loadArchitecture = () => import("./architecture.ts");
const loadPrograms = () => import("./programs.ts");

/** The parameters of a stored configuration. */
export async function layouts(): Promise<(config: VaeConfig, data: VaeData) => Layout> {
  const { architectureOf } = await loadArchitecture();
  return (config, { eventShape }) => architectureOf(config, sizeOf(eventShape)).layout;
}

/**
 * A variational autoencoder: encoder, decoder and prior with their parameters. Rows may be given in any form of `RowsInput`, in
 * the units of the training data; decoded values are natural ones (images between 0 and 1). Programs are compiled when they
 * are first needed, and calls wait for each other.
 */
export class Vae {
  readonly config: VaeConfig;
  readonly data: VaeData;
  readonly context: ProgramContext;
  /** The flat parameter vector, shared with the fit while it runs. */
  readonly parameters: Buffer;
  /** What −log p of standardised values lacks to be that of the natural ones; 0 where they are the same. */
  readonly logSpread: number;
  private readonly programs = new Map<string, Promise<unknown>>();
  private readonly placed = new WeakMap<object, Placed>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(architecture: Architecture, config: VaeConfig, data: VaeData, runtime: Runtime, backend?: Backend) {
    const width = sizeOf(data.eventShape);
    const { scale } = data;
    const { dtype, binarize } = config;
    this.config = config;
    this.data = data;
    this.logSpread = logSpreadOf(data.standard);
    this.context = {
      architecture,
      config,
      observation: { scale, binarize, isCategorical: config.likelihood === "categorical", dtype },
      width,
      runtime,
      backend,
    };
    this.parameters = runtime.buffer(dtype, [architecture.layout.size]);
  }

  /** A model of this configuration, its parameters all 0. */
  static async create(config: VaeConfig, data: VaeData, runtime: Runtime, backend?: Backend): Promise<Vae> {
    const { architectureOf } = await loadArchitecture();
    return new Vae(architectureOf(config, sizeOf(data.eventShape)), config, data, runtime, backend);
  }

  /**
   * A model from the bytes that `save` gave, or from a checkpoint of a fit.
   *
   * @param source  what errors call the bytes
   * @throws DataError when the bytes are damaged or not a model
   */
  static async load(
    bytes: Uint8Array,
    { runtime, backend, source }: VaePlace & { readonly source?: string } = {},
  ): Promise<Vae> {
    const { decodeVae } = await import("./vae-file-read.ts");
    const stored = decodeVae(bytes, await layouts(), source);
    const vae = await Vae.create(stored.config, stored.data, runtime ?? (await defaultRuntime()), backend);
    vae.parameters.write(stored.parameters);
    return vae;
  }

  /** The model as a safetensors file: parameters by name, configuration as JSON in the metadata. */
  save(): Uint8Array {
    const { config, data, parameters } = this;
    const stored = { config, data, parameters: parameters.read(), progress: null, slots: {} };
    return encodeVae(stored, this.context.architecture.layout);
  }

  /** SHA-256 over the bytes of the parameter vector: equal exactly when two models are. */
  get parameterHash(): string {
    const values = this.parameters.read();
    return sha256(new Uint8Array(values.buffer, 0, values.byteLength));
  }

  /**
   * The posterior of each row: one pass of the encoder. Dynamically binarised models get the gray values themselves.
   *
   * @throws SupportError, DataError where the rows are not what the likelihood takes
   */
  encode(input: RowsInput): Promise<Encoding> {
    return this.exclusively(async () => {
      const { count, outputs } = await this.encodeAll(input);
      const { encodingOf } = await loadPrograms();
      return encodingOf(count, this.config.latent, outputs);
    });
  }

  /** The mean of p(x given z) for each row of z, [rows, latent]: natural values, or the most probable category. */
  decode(z: Matrix | readonly ArrayLike<number>[]): Promise<Matrix> {
    return this.exclusively(() => this.decodeAll(z));
  }

  /** The decoded posterior mean of each row. */
  reconstruct(input: RowsInput): Promise<Matrix> {
    return this.exclusively(async () => {
      const { count, outputs } = await this.encodeAll(input);
      return this.decodeAll({ rows: count, columns: this.config.latent, values: outputs.mean as Float32Array });
    });
  }

  /** New rows: z from the prior, decoded. `mean` is the decoder's mean, `draw` a draw from p(x given z). */
  async sample(
    count: number,
    { seed = this.config.seed }: { readonly seed?: number } = {},
  ): Promise<{ readonly [K in "z" | "mean" | "draw"]: Matrix }> {
    if (!Number.isSafeInteger(count) || count < 1)
      throw new OptionError(`sample takes a number of rows of at least 1, not ${count}`);
    return this.exclusively(async () => {
      const program = await this.program("sample", (p) => p.sampleProgram(this.context));
      const all = await this.inChunks(count, CHUNK, async (start) => {
        await program.run({ parameters: this.parameters, start }, 1, { seed });
        return program.outputs;
      });
      const matrix = (name: string): Matrix => ({
        rows: count,
        columns: all[name]!.length / count,
        values: all[name] as Float32Array,
      });
      for (const name of ["mean", "draw"]) toNatural(this.data.standard, all[name] as Float32Array);
      return { z: matrix("z"), mean: matrix("mean"), draw: matrix("draw") };
    });
  }

  /** The negative ELBO of each row, and its two parts. */
  score(input: RowsInput, options: BoundOptions = {}): Promise<Scores> {
    return this.exclusively(async () => {
      const { program, at, seed, pass } = await this.boundOf(input, options);
      const all = await this.inChunks(at.count, CHUNK, async (start) => {
        options.signal?.throwIfAborted();
        program.state.position.write([start]);
        await program.run({ parameters: this.parameters, data: at.buffer, pass }, 1, { seed });
        return { rates: program.outputs.rates, distortions: program.outputs.distortions };
      });
      const rate = Float64Array.from(all.rates!);
      const distortion = Float64Array.from(all.distortions!, (x) => x + this.logSpread);
      return { negElbo: rate.map((r, i) => r + distortion[i]!), rate, distortion };
    });
  }

  /** The mean bound over all rows: one call into WebAssembly. */
  meanBound(input: RowsInput, options: BoundOptions = {}): Promise<MeanBound> {
    return this.exclusively(async () => {
      const { program, at, seed, pass } = await this.boundOf(input, options);
      program.state.position.write([0]);
      const steps = Math.ceil(at.count / CHUNK);
      const given = { parameters: this.parameters, data: at.buffer, pass };
      const { metrics } = await program.run(given, steps, { seed, signal: options.signal });
      const mean = (name: "rate" | "distortion"): number =>
        metrics[name]!.reduce((sum, x, i) => sum + x * Math.min(CHUNK, at.count - i * CHUNK), 0) / at.count;
      const [rate, distortion] = [mean("rate"), mean("distortion") + this.logSpread];
      return { negElbo: rate + distortion, rate, distortion };
    });
  }

  /**
   * log p(x) of each row by importance sampling from q(z given x) (Rezende, Mohamed and Wierstra 2014, appendix E): in bounded
   * memory, encoding each row once. A lower bound in expectation, tighter with more samples.
   *
   * @param samples  draws for each row, default 500
   */
  async logLikelihood(
    input: RowsInput,
    options: { readonly samples?: number; readonly seed?: number; readonly signal?: AbortSignal } = {},
  ): Promise<LogLikelihood> {
    const { samples = 500, seed = this.config.seed, signal } = options;
    if (!Number.isSafeInteger(samples) || samples < 1)
      throw new OptionError(`samples is ${samples}, but it takes an integer of at least 1`);
    return this.exclusively(async () => {
      const at = this.place(input);
      const encoder = await this.program(`importance encode ${at.spec.dtype}${at.spec.shape}`, (p) =>
        p.importanceEncodeProgram(this.context, at.spec),
      );
      const sampler = await this.program("importance", (p) => p.importanceProgram(this.context));
      const { chunk, top, total, squares } = sampler.state;
      const { parameters } = this;
      const all = await this.inChunks(at.count, IMPORTANCE.examples, async (start) => {
        await encoder.run({ parameters, data: at.buffer, start }, 1, { seed });
        chunk.write([0]);
        top.view().fill(-Infinity);
        total.view().fill(0);
        squares.view().fill(0);
        await sampler.run({ ...encoder.outputs, parameters, samples } as never, Math.ceil(samples / IMPORTANCE.draws), {
          seed,
          signal,
        });
        return { top, total, squares };
      });
      for (let i = 0; i < at.count; i++) all.top![i]! -= this.logSpread;
      const { logLikelihoodOf } = await loadPrograms();
      return logLikelihoodOf(all as Record<"top" | "total" | "squares", Float64Array>, samples);
    });
  }

  /** Checks rows against the model and puts them into its memory, data sets only once. */
  place(input: RowsInput): Placed {
    const known = this.placed.get(input);
    if (known) return known;
    const placed = placeRows(this.context, this.data, input);
    // A data set does not change; other arrays may.
    if ("count" in input) this.placed.set(input, placed);
    return placed;
  }

  private async boundOf(
    input: RowsInput,
    { draws = this.config.draws, seed = this.config.seed, pass = 0 }: BoundOptions,
  ) {
    const at = this.place(input);
    const name = `bound ${draws} ${at.spec.dtype}${at.spec.shape}`;
    return { program: await this.program(name, (p) => p.boundProgram(this.context, at.spec, draws)), at, seed, pass };
  }

  private async encodeAll(input: RowsInput) {
    const at = this.place(input);
    const name = `encode ${at.spec.dtype}${at.spec.shape}`;
    const program = await this.program(name, (p) => p.encodeProgram(this.context, at.spec));
    const outputs = await this.inChunks(at.count, CHUNK, async (start) => {
      await program.run({ parameters: this.parameters, data: at.buffer, start });
      return program.outputs;
    });
    return { count: at.count, outputs };
  }

  private async decodeAll(input: Matrix | readonly ArrayLike<number>[]): Promise<Matrix> {
    const { latent, dtype } = this.config;
    const rows = Array.isArray(input) ? (input as readonly ArrayLike<number>[]) : null;
    const given = rows ? datasetFrom(rows, "z") : null;
    const {
      values,
      rows: count,
      columns,
    } = given ? { values: given.values, rows: given.count, columns: given.width } : (input as Matrix);
    if (columns !== latent) throw new ShapeError(`decode takes rows of ${latent} latent values, not ${columns}`);
    const program = await this.program("decode", (p) => p.decodeProgram(this.context));
    const z = this.context.runtime.buffer(dtype, [CHUNK, latent]);
    const { x } = await this.inChunks(count, CHUNK, async (start) => {
      z.view().set(values.subarray(start * latent, Math.min(start + CHUNK, count) * latent) as never);
      await program.run({ parameters: this.parameters, z });
      return program.outputs;
    });
    return { rows: count, columns: this.context.width, values: toNatural(this.data.standard, x as Float32Array) };
  }

  /** Runs a program chunk by chunk and joins its outputs, cut to `count` rows. */
  private async inChunks(
    count: number,
    size: number,
    run: (start: number) => Promise<Readonly<Record<string, Buffer>>>,
  ): Promise<Record<string, TypedArray>> {
    const all: Record<string, TypedArray> = {};
    for (let start = 0; start < count; start += size) {
      const used = Math.min(size, count - start);
      for (const [name, buffer] of Object.entries(await run(start))) {
        if (buffer.shape[0] !== size) continue;
        const width = sizeOf(buffer.shape.slice(1));
        const part = buffer.view();
        all[name] ??= new (part.constructor as new (n: number) => TypedArray)(count * width);
        all[name].set(part.subarray(0, used * width) as never, start * width);
      }
    }
    return all;
  }

  /** A program by name, compiled at the first request. */
  private program<T>(name: string, make: (programs: typeof import("./programs.ts")) => Promise<T>): Promise<T> {
    const known = this.programs.get(name) as Promise<T> | undefined;
    if (known) return known;
    const made = loadPrograms().then(make);
    this.programs.set(name, made);
    return made;
  }

  /** Programs hold their state in memory, so one call at a time. */
  private exclusively<T>(task: () => Promise<T>): Promise<T> {
    const result = this.turn.then(task);
    this.turn = result.catch(() => {});
    return result;
  }
}
