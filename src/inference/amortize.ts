import { NonFiniteError, OptionError, SupportError } from "../base/errors.ts";
import { amortizedFamilies } from "../families/amortized.ts";
import type { DataFor } from "../model/data.ts";
import type { Model, Returned } from "../model/model.ts";
import { type Layout, layoutOf, type ParameterSpec } from "../nn/layout.ts";
import type { Estimator } from "../objectives/sgvb.ts";
import { adam } from "../optimizers/adam.ts";
import type { Clip } from "../optimizers/clip.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import { cosineSchedule, type Schedule } from "../optimizers/schedule.ts";
import { f32, f64, program, u32 } from "../program/program.ts";
import { full, shuffle } from "../tensor/functions.ts";
import { randomWords } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aevb } from "./aevb.ts";
import { AmortizedFit, type Fitted } from "./amortized-fit.ts";
import { globalSpecs, parameterSpecs, plateLayout } from "./amortized-plate.ts";
import { type Parts, plateProblem } from "./amortized-program.ts";
import { explainNonFinite } from "./diagnose.ts";
import { minibatchAt, stepsPerEpoch } from "./minibatch.ts";
import { checkOptionNames, type OptionNames, problemOptionNames } from "./option-names.ts";
import { type EncoderOptions, freeEncoder, networkEncoder } from "./plate-encoder.ts";
import { type Problem, type ProblemOptions, problemOf } from "./problem.ts";

/** What `amortize` reports while it fits: the negative ELBO in nats after each epoch. */
export type AmortizeEvent = { readonly kind: "epoch"; readonly epoch: number; readonly negElbo: number };

/** Options of `amortize`. */
export interface AmortizeOptions extends ProblemOptions {
  /** Name of the plate, at the model's outer level, whose elements' latent sites get q(z_i given element i). */
  readonly plate: string;
  /** The network that makes q's parameters; null gives each element parameters of its own. */
  readonly encoder: EncoderOptions | null;
  /** Covariance of q(z_i) on unconstrained coordinates. Default diagonal. */
  readonly q?: "diagonal" | "full";
  /** KL(q(z_i) ‖ p(z_i)) in closed form where p(z_i) is Gaussian (the default), or by the draws. */
  readonly estimator?: Estimator;
  /** Draws of z_i for each element and step. Default 1. */
  readonly draws?: number;
  /** Elements in a step. Default 100, or all where they are fewer. */
  readonly batch?: number;
  /** Default 100. */
  readonly epochs?: number;
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Default Adam. */
  readonly optimizer?: Optimizer;
  /** Default from the learning rate down to 0 along a cosine. */
  readonly schedule?: Schedule;
  readonly clip?: Clip | null;
  /** Whether the priors of parameters count: "map" (the default) or "ml". */
  readonly by?: "ml" | "map";
  /** A fit whose parameters of the model are taken as they are: only q is learned. */
  readonly given?: AmortizedFit;
  /** Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: AmortizeEvent) => void;
}

const optionNames: OptionNames<AmortizeOptions> = {
  ...problemOptionNames,
  plate: true,
  encoder: true,
  q: true,
  estimator: true,
  draws: true,
  batch: true,
  epochs: true,
  learningRate: true,
  optimizer: true,
  schedule: true,
  clip: true,
  by: true,
  given: true,
  seed: true,
  signal: true,
  onEvent: true,
};

const positiveInteger = (name: string, value: number): void => {
  if (!(Number.isInteger(value) && value >= 1))
    throw new OptionError(`${name} is ${value}, but it takes an integer of at least 1`);
};

const oneOf = (name: string, value: string | undefined, allowed: readonly string[]): void => {
  if (value !== undefined && !allowed.includes(value))
    throw new OptionError(
      `${name} is ${JSON.stringify(value)}, but it must be ${allowed.map((a) => `"${a}"`).join(" or ")}`,
    );
};

/**
 * Amortized variational inference for a plate of any model (Kingma and Welling 2014; Rezende, Mohamed and Wierstra 2014): the
 * continuous latent sites of element i get q(z_i), a Gaussian on unconstrained coordinates whose parameters a network computes
 * from what is observed in element i. Network and `param` sites are learned together by stochastic gradients of the ELBO, the
 * latter by maximum likelihood or maximum posterior density. Latent sites outside of the plate get independent Gaussians. Discrete
 * sites are summed out. A variational autoencoder is this with a network as its likelihood.
 *
 * @throws OptionError     on a plate or options that do not fit the model
 * @throws SupportError    where data lie outside a likelihood's support, or are missing
 * @throws NonFiniteError  when the bound stops being finite
 */
export async function amortize<D, R extends Returned>(
  model: Model<D, R>,
  data: DataFor<D>,
  options: AmortizeOptions,
): Promise<AmortizedFit> {
  checkOptionNames("amortize", options, optionNames);
  const { epochs = 100, draws = 1, seed = 0, given } = options;
  oneOf("by", options.by, ["ml", "map"]);
  oneOf("estimator", options.estimator, ["analytic", "generic"]);
  positiveInteger("epochs", epochs);
  positiveInteger("draws", draws);
  const { learningRate = 1 } = options;
  if (!(learningRate > 0 && Number.isFinite(learningRate)))
    throw new OptionError(`learningRate is ${learningRate}, but it takes a number above 0`);
  const runtime = options.runtime ?? given?.problem.runtime;
  const problem = (await problemOf(model, data, { ...options, runtime })) as unknown as Problem;
  const layout = plateLayout(problem, options.plate);
  const { size } = layout;
  const batch = Math.min(options.batch ?? 100, size);
  positiveInteger("batch", batch);
  oneOf("q", options.q, Object.keys(amortizedFamilies));
  const family = amortizedFamilies[options.q ?? "diagonal"](layout.latent);
  if (options.encoder === undefined) {
    throw new OptionError(
      "amortize needs encoder: options of a network, such as { hidden: [64] }, or null for a free q(z_i)",
    );
  }
  const encoder = options.encoder
    ? networkEncoder(problem, layout, family, options.encoder)
    : freeEncoder(layout, family);
  const ofModel = parameterSpecs(problem, layout);
  const learned = layoutOf([...encoder.specs, ...globalSpecs(layout), ...(given ? [] : ofModel)]);
  const held = given ? heldOf(ofModel, given) : null;
  const fitted: Fitted = {
    model: model as never,
    plate: options.plate,
    problem,
    layout,
    family,
    encoder,
    dtype: problem.dtype,
    parameters: layoutOf([...learned.places, ...(held?.layout.places ?? [])]),
    values: new Float64Array(),
    trace: [],
    isFree: options.encoder === null,
    seed,
  };
  const parts = {
    learned,
    held: held?.layout ?? null,
    estimator: options.estimator ?? "analytic",
    draws,
    by: options.by ?? "map",
  } as const;
  const { values, trace } = await train(fitted, parts, held?.values ?? new Float64Array(), {
    ...options,
    epochs,
    batch,
    seed,
  });
  return new AmortizedFit({ ...fitted, values: Float64Array.from([...values, ...(held?.values ?? [])]), trace });
}

/** The parameters of the model as another fit has them. */
function heldOf(specs: readonly ParameterSpec[], given: AmortizedFit): { layout: Layout; values: Float64Array } {
  const layout = layoutOf(specs);
  const values = new Float64Array(layout.size);
  for (const { name, offset, size } of layout.places) {
    const from = given.unconstrained[name];
    if (!from || from.length !== size) {
      throw new OptionError(`the given fit has ${from?.length ?? "no"} values of param("${name}"), and ${size} are needed: give a fit of the same model`); // biome-ignore format: one sentence
    }
    values.set(from, offset);
  }
  return { layout, values };
}

async function train(
  fitted: Fitted,
  parts: Parts,
  held: Float64Array,
  options: AmortizeOptions & { readonly epochs: number; readonly batch: number; readonly seed: number },
): Promise<{ values: Float64Array; trace: number[] }> {
  const { problem, layout, dtype } = fitted;
  const { epochs, batch, seed, learningRate = 0.001, optimizer = adam(), schedule = cosineSchedule, signal } = options;
  const { runtime, deterministic } = problem;
  const algorithm = aevb({ optimizer, schedule, clip: options.clip ?? null });
  const flat = (dtype === "f32" ? f32 : f64)([parts.learned.size]);
  const slots = Object.fromEntries(optimizer.slots.map((name) => [`slot.${name}`, flat]));
  const shared = { runtime, deterministic };
  const [step, order] = await Promise.all([
    program({
      ...shared,
      state: { parameters: flat, step: u32([]), ...slots },
      inputs: {
        ...problem.inputs,
        ...(parts.held && { held: (dtype === "f32" ? f32 : f64)([parts.held.size]) }),
        order: u32([layout.size]),
        learningRate: f64([]),
        totalSteps: f64([]),
      },
      body: ({ state, inputs, rng }) => {
        const all = inputs as unknown as Record<string, Tensor>;
        const { parameters, step: done } = state as unknown as Record<string, Tensor>;
        const count = full(done!, [], layout.size, "u32");
        const perEpoch = stepsPerEpoch(count, batch, false);
        const start = done!.sub(done!.div(perEpoch).mul(perEpoch)).mul(batch);
        const kept = Object.fromEntries(optimizer.slots.map((name) => [name, (state as Record<string, Tensor>)[`slot.${name}`]!])); // biome-ignore format: one line
        const [next, info] = algorithm.step(
          { parameters: parameters!, slots: kept, step: done! },
          plateProblem(fitted, parts, all),
          minibatchAt(start, count, batch, all.order!),
          { learningRate: all.learningRate!, totalSteps: all.totalSteps! },
          rng.site("train"),
        );
        const after = Object.entries(next.slots).map(([name, x]) => [`slot.${name}`, x]);
        return {
          state: { parameters: next.parameters, step: next.step, ...Object.fromEntries(after) },
          outputs: { negElbo: info.negElbo },
        };
      },
    }),
    program({
      ...shared,
      state: { order: u32([layout.size]) },
      inputs: { epoch: u32([]) },
      body: ({ rng, inputs }) => ({
        state: { order: shuffle(randomWords(rng.site("order").fold(inputs.epoch), [layout.size])) },
      }),
    }),
  ]);
  const first = await program({
    ...shared,
    state: { parameters: step.state.parameters! },
    body: ({ rng }) => ({ state: { parameters: algorithm.init({ layout: parts.learned, dtype }, rng.site("init")) } }),
  });
  await first.run({}, 1, { seed });
  const perEpoch = Math.ceil(layout.size / batch);
  const trace: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    signal?.throwIfAborted();
    await order.run({ epoch }, 1, { seed });
    const inputs = {
      ...problem.data,
      ...(parts.held && { held }),
      order: order.state.order,
      learningRate,
      totalSteps: epochs * perEpoch,
    };
    const { metrics } = await step.run(inputs as never, perEpoch, { seed, signal });
    const bounds = metrics.negElbo!;
    const bad = bounds.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) {
      const cause = await explainNonFinite(problem, new Float64Array(problem.dim));
      if (cause instanceof SupportError) throw cause;
      throw new NonFiniteError(
        `the bound became ${bounds[bad]} at step ${epoch * perEpoch + bad} (epoch ${epoch + 1} of ${epochs}): ` +
          "lower learningRate, clip the gradient, or look for data of large scale",
      );
    }
    const mean = bounds.reduce((sum, x, i) => sum + x * Math.min(batch, layout.size - i * batch), 0) / layout.size;
    trace.push(mean);
    options.onEvent?.({ kind: "epoch", epoch: epoch + 1, negElbo: mean });
  }
  return { values: Float64Array.from(step.state.parameters!.read() as ArrayLike<number>), trace };
}
