import type { TypedArray } from "../base/dtype.ts";
import { OptionError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { logSumExp, mean, variance } from "../diagnostics/moments.ts";
import type { Buffer } from "../engine/runtime.ts";
import type { GaussianVector } from "../families/gaussian-vector.ts";
import type { Model, Returned } from "../model/model.ts";
import { type Layout, type Tensors, unpack } from "../nn/layout.ts";
import { logWeights, repeatRows, sgvb } from "../objectives/sgvb.ts";
import type { SiteDraws } from "../posterior/draws.ts";
import { f32, f64, program, u32 } from "../program/program.ts";
import { full, stack } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { outsideValues, type PlateLayout, type PlateRun, plateLayout, runPlate } from "./amortized-plate.ts";
import { latentNoise } from "./latent-noise.ts";
import { minibatchAt } from "./minibatch.ts";
import type { PlateEncoder } from "./plate-encoder.ts";
import { type Inputs, type Problem, problemOf } from "./problem.ts";

/** What a fit consists of. */
export interface Fitted {
  readonly model: Model<never, Returned>;
  readonly plate: string;
  readonly problem: Problem;
  readonly layout: PlateLayout;
  readonly family: GaussianVector<string>;
  readonly encoder: PlateEncoder;
  readonly dtype: "f32" | "f64";
  /** Of q's parameters and the model's. */
  readonly parameters: Layout;
  readonly values: Float64Array;
  readonly trace: readonly number[];
  /** Whether each element has parameters of its own. */
  readonly isFree: boolean;
  readonly seed: number;
}

/** Other data of the same model; default those of the fit. */
export type OtherData = Readonly<Record<string, unknown>>;

/** Nats of each element, negElbo = rate + distortion: what stands outside of the plate is left out. */
export interface ElementScores {
  readonly negElbo: Float64Array;
  readonly rate: Float64Array;
  readonly distortion: Float64Array;
  /** Mean of negElbo over the elements. */
  readonly mean: number;
}

/** q(z_i) of each element, on unconstrained coordinates: arrays are [elements, …]. */
export interface ElementPosteriors {
  readonly count: number;
  readonly latent: number;
  /** [count, latent]. */
  readonly mean: Float64Array;
  readonly sd: Float64Array;
  /** Lower Cholesky factors of the covariances, [count, latent, latent]. */
  readonly cholesky: Float64Array;
  /** The sites on their own scales at q's mean (their median, where they are scalars), [count, ...] by name. */
  readonly sites: Readonly<Record<string, SiteDraws>>;
}

const CHUNK = 128;
/** Rows times draws of one step of importance sampling. */
const WEIGHTS = 1024;

/** An amortized posterior: q(z_i given element i), with the model's parameters. */
export class AmortizedFit {
  readonly problem: Problem;
  readonly layout: PlateLayout;
  /** Mean negative ELBO of an element in each epoch, while the parameters moved. */
  readonly trace: readonly number[];
  private readonly fitted: Fitted;
  private read: Readonly<Record<string, SiteDraws>> | null = null;

  constructor(fitted: Fitted) {
    this.fitted = fitted;
    this.problem = fitted.problem;
    this.layout = fitted.layout;
    this.trace = fitted.trace;
  }

  /** All parameters, of q and of the model, as they were learned. */
  get unconstrained(): Readonly<Record<string, Float64Array>> {
    const { parameters, values } = this.fitted;
    return Object.fromEntries(
      parameters.places.map(({ name, offset, size }) => [name, values.subarray(offset, offset + size)]),
    );
  }

  /** The model's parameters on their own scales. */
  async parameters(): Promise<Readonly<Record<string, SiteDraws>>> {
    if (this.read) return this.read;
    const { problem, layout } = this.fitted;
    if (!layout.params.length) return {};
    const made = await this.compile(
      problem,
      1,
      ({ traced, named }) => outsideValues(traced, { params: layout.params, globals: [] }, named, null).values,
    );
    await made.run({ position: 0, pass: 0 });
    this.read = Object.fromEntries(
      Object.entries(made.outputs).map(([name, buffer]) => [name, { shape: buffer.shape, values: Float64Array.from(buffer.read() as ArrayLike<number>) }]), // biome-ignore format: one line
    );
    return this.read;
  }

  /** q(z_i) of each element: for an encoder one pass, also for data that it was not fitted to. */
  async encode(data?: OtherData): Promise<ElementPosteriors> {
    const { family, dtype } = this.fitted;
    const { problem, size, latent } = await this.on(data);
    const rows = Math.min(CHUNK, size);
    const made = await this.compile(problem, rows, ({ run, q }) => {
      const zero = full(Object.values(q)[0]!, [rows, latent], 0, dtype);
      const unit = (j: number) => {
        const one = full(zero, [rows, 1], 1);
        return one.of(one.trace.pad(one.node, [0, j], [0, latent - j - 1]));
      };
      const middle = family.draw(q, zero);
      const columns = Array.from({ length: latent }, (_, j) => family.draw(q, unit(j)).sub(middle));
      const sites = Object.entries(run.values(middle)).map(([name, x]): [string, Tensor] => [`site.${name}`, x]);
      return { mean: middle, sd: family.sd(q), cholesky: stack(columns, 2), ...Object.fromEntries(sites) };
    });
    const all = await inChunks(made, size, rows, 0);
    const { mean: means, sd, cholesky, ...rest } = all;
    const sites = Object.entries(rest).map(([name, { shape, values }]) => [name.slice(5), { shape: [size, ...shape.slice(1)], values }]); // biome-ignore format: one line
    return {
      count: size,
      latent,
      mean: means!.values,
      sd: sd!.values,
      cholesky: cholesky!.values,
      sites: Object.fromEntries(sites),
    };
  }

  /**
   * The negative ELBO of each element, with KL by the draws, so that it is log p(x_i) exactly where q(z_i) is the posterior.
   *
   * @param draws  Monte Carlo draws for each element, default 100
   */
  async score(
    data?: OtherData,
    { draws = 100, seed = this.fitted.seed }: { readonly draws?: number; readonly seed?: number } = {},
  ): Promise<ElementScores> {
    const { problem, size } = await this.on(data);
    const { family } = this.fitted;
    const [rows, perPass] = passes(size, draws);
    const made = await this.compile(
      problem,
      rows,
      ({ run, q, noise }) => ({ ...sgvb("generic", perPass, family, q, noise, run.model) }),
      perPass,
    );
    const total = Math.ceil(draws / perPass);
    const rate = new Float64Array(size);
    const distortion = new Float64Array(size);
    for (let pass = 0; pass < total; pass++) {
      const found = await inChunks(made, size, rows, pass, seed);
      for (let i = 0; i < size; i++) {
        rate[i]! += found.rate!.values[i]! / total;
        distortion[i]! += found.distortion!.values[i]! / total;
      }
    }
    const negElbo = rate.map((r, i) => r + distortion[i]!);
    return { negElbo, rate, distortion, mean: mean(negElbo) };
  }

  /**
   * log p(x_i) of each element by importance sampling from q(z_i) (Rezende, Mohamed and Wierstra 2014, appendix E), the parameters
   * and what stands outside of the plate being as they were learned.
   *
   * @param samples  draws for each element, default 500
   */
  async logLikelihood(
    data?: OtherData,
    { samples = 500, seed = this.fitted.seed }: { readonly samples?: number; readonly seed?: number } = {},
  ): Promise<{ readonly logProb: Float64Array; readonly mean: number; readonly standardError: number }> {
    const { problem, size } = await this.on(data);
    const { family } = this.fitted;
    const [rows, perPass] = passes(size, samples);
    const made = await this.compile(
      problem,
      rows,
      ({ run, q, noise }) => {
        const repeated = Object.fromEntries(Object.entries(q).map(([name, x]) => [name, repeatRows(x, perPass)]));
        const all = logWeights(family, repeated, noise, run.model).cast("f64").reshape([perPass, rows]);
        return { logWeight: all.transpose() };
      },
      perPass,
    );
    const total = Math.ceil(samples / perPass);
    const each = Array.from({ length: size }, () => new Float64Array(total * perPass));
    for (let pass = 0; pass < total; pass++) {
      const { values } = (await inChunks(made, size, rows, pass, seed)).logWeight!;
      for (const [i, weights] of each.entries()) {
        weights.set(values.subarray(i * perPass, (i + 1) * perPass), pass * perPass);
      }
    }
    const logProb = Float64Array.from(each, (weights) => logSumExp(weights) - Math.log(weights.length));
    return { logProb, mean: mean(logProb), standardError: Math.sqrt(variance(logProb) / size) };
  }

  /** The problem at these data. */
  private async on(data: OtherData | undefined): Promise<{ problem: Problem; size: number; latent: number }> {
    const { model, problem, layout, isFree, dtype, plate } = this.fitted;
    if (!data) return { problem, size: layout.size, latent: layout.latent };
    if (isFree) {
      throw new OptionError(
        "this fit has parameters of q for each element of its own data, and none for other data: amortize with an encoder",
      );
    }
    const { runtime, deterministic } = problem;
    const other = (await problemOf(model as never, data as never, {
      runtime,
      deterministic,
      dtype,
    })) as unknown as Problem;
    const { size, latent } = plateLayout(other, plate);
    if (latent !== layout.latent) {
      throw new OptionError(
        `an element of these data has ${latent} latent coordinates, but the fit was to ${layout.latent}: give data of the same widths`,
      );
    }
    return { problem: other, size, latent };
  }

  /** A program over `rows` elements from a position, at the learned parameters. */
  private async compile<O extends Readonly<Record<string, Tensor>>>(
    problem: Problem,
    rows: number,
    body: (at: Compiled) => O,
    draws = 1,
  ): Promise<Chunked> {
    const { parameters, values, family, encoder, dtype, plate } = this.fitted;
    const layout = plateLayout(problem, plate);
    const { runtime, deterministic, inputs: specs, data } = problem;
    const flat = runtime.buffer(dtype, [parameters.size]);
    flat.write(dtype === "f32" ? Float32Array.from(values) : values);
    const made = await program({
      runtime,
      deterministic,
      inputs: { ...specs, flat: (dtype === "f32" ? f32 : f64)([parameters.size]), position: u32([]), pass: u32([]) },
      body: ({ inputs, rng }) => {
        const all = inputs as unknown as Inputs;
        const named = unpack(all.flat!, parameters);
        const batch = minibatchAt(all.position!, full(all.position!, [], layout.size, "u32"), rows, null).rows;
        const key = rng.site("evaluation").fold(all.pass!);
        const run = runPlate(problem, layout, named, all, repeatRows(batch, draws), draws, key);
        const q = encoder.encode(named, run.observed, all, batch);
        const noise = latentNoise(key.site("noise"), batch, draws, layout.latent, dtype);
        return { outputs: body({ run, traced: run.traced, named, q, noise, key, family }) };
      },
    });
    return {
      outputs: made.outputs as Readonly<Record<string, Buffer>>,
      run: async ({ position, pass, seed }) => {
        await made.run({ ...data, flat, position, pass } as never, 1, { seed });
      },
    };
  }
}

interface Compiled {
  readonly run: PlateRun;
  readonly traced: PlateRun["traced"];
  readonly named: Tensors;
  /** Parameters of q, [rows, …]. */
  readonly q: Tensors;
  /** [draws · rows, latent]. */
  readonly noise: Tensor;
  readonly key: Key<Tensor>;
  readonly family: GaussianVector<string>;
}

interface Chunked {
  readonly outputs: Readonly<Record<string, Buffer>>;
  run(at: { readonly position: number; readonly pass: number; readonly seed?: number }): Promise<void>;
}

/** How many elements, and draws for each, go through a program at a time. */
function passes(size: number, draws: number): [rows: number, perPass: number] {
  const rows = Math.min(CHUNK, size);
  return [rows, Math.min(draws, Math.max(1, Math.floor(WEIGHTS / rows)))];
}

/** Runs a program chunk by chunk and joins the rows of its outputs. */
async function inChunks(
  made: Chunked,
  size: number,
  rows: number,
  pass: number,
  seed?: number,
): Promise<Record<string, { shape: readonly number[]; values: Float64Array }>> {
  const all: Record<string, { shape: readonly number[]; values: Float64Array }> = {};
  for (let position = 0; position < size; position += rows) {
    await made.run({ position, pass, seed });
    const used = Math.min(rows, size - position);
    for (const [name, buffer] of Object.entries(made.outputs)) {
      const width = sizeOf(buffer.shape.slice(1));
      all[name] ??= { shape: [size, ...buffer.shape.slice(1)], values: new Float64Array(size * width) };
      const part = buffer.view() as TypedArray as Float64Array;
      all[name].values.set(part.subarray(0, used * width), position * width);
    }
  }
  return all;
}
