import type { Buffer, TensorSpec } from "../engine/runtime.ts";
import { aevb } from "../inference/aevb.ts";
import { minibatchAt, stepsPerEpoch } from "../inference/minibatch.ts";
import { adagrad } from "../optimizers/adagrad.ts";
import { adam } from "../optimizers/adam.ts";
import { type Clip, clipByNorm, clipByValue } from "../optimizers/clip.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import { rmsprop } from "../optimizers/rmsprop.ts";
import {
  constantSchedule, cosineSchedule, linearSchedule, type Schedule, stepSchedule, withWarmup,
} from "../optimizers/schedule.ts"; // biome-ignore format: one import
import { sgd } from "../optimizers/sgd.ts";
import { f64, program, u32, upTo } from "../program/program.ts";
import { shuffle } from "../tensor/functions.ts";
import { randomWords } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { aevbProblem } from "./architecture.ts";
import type { ProgramContext } from "./context.ts";
import { parseForm } from "./option-spec.ts";
import type { VaeConfig } from "./options.ts";

const optimizers: Record<VaeConfig["optimizer"], (config: VaeConfig) => Optimizer> = {
  adam: (config) => adam({ ...config, weightDecay: 0 }),
  adamw: adam,
  adagrad,
  rmsprop: ({ beta2, epsilon }) => rmsprop({ decay: beta2, epsilon }),
  sgd,
};

function scheduleOf({ schedule, warmup }: VaeConfig): Schedule {
  const { word, numbers } = parseForm(schedule);
  const plain = {
    constant: constantSchedule,
    cosine: cosineSchedule,
    linear: linearSchedule,
    step: stepSchedule(numbers[0]!, numbers[1]!),
  }[word as "constant" | "cosine" | "linear" | "step"];
  return warmup > 0 ? withWarmup(plain, warmup) : plain;
}

function clipOf({ clip }: VaeConfig): Clip | null {
  const { word, numbers } = parseForm(clip);
  return word === "norm" ? clipByNorm(numbers[0]!) : word === "value" ? clipByValue(numbers[0]!) : null;
}

/** The algorithm that a configuration asks for. */
export const algorithmOf = (config: VaeConfig) =>
  aevb({ optimizer: optimizers[config.optimizer](config), schedule: scheduleOf(config), clip: clipOf(config) });

export const slotNames = (config: VaeConfig): readonly string[] => optimizers[config.optimizer](config).slots;

const shared = ({ runtime, backend, config }: ProgramContext) => ({
  runtime,
  backend,
  deterministic: config.deterministic,
});

/** Draws the first parameters. */
export const initialProgram = (c: ProgramContext, parameters: Buffer) =>
  program({
    ...shared(c),
    state: { parameters },
    body: ({ rng, inputs: _ }) => ({
      state: {
        parameters: algorithmOf(c.config).init(
          { layout: c.architecture.layout, dtype: c.config.dtype },
          rng.site("init"),
        ),
      },
    }),
  });

/** A new order of the training rows for an epoch. */
export const orderProgram = (c: ProgramContext, count: number) =>
  program({
    ...shared(c),
    state: { order: u32([count]) },
    inputs: { epoch: u32([]) },
    body: ({ rng, inputs }) => ({
      state: { order: shuffle(randomWords(rng.site("order").fold(inputs.epoch), [count])) },
    }),
  });

/** One training step: minibatch, binarisation, bound, gradient and update. */
export const stepProgram = (
  c: ProgramContext,
  parameters: Buffer,
  slots: Readonly<Record<string, Buffer>>,
  data: TensorSpec,
  batch: number,
) =>
  program({
    ...shared(c),
    state: { ...slots, parameters, step: u32([]) },
    inputs: { data, order: u32([upTo(data.shape[0]!)]), learningRate: f64([]), totalSteps: f64([]) },
    body: ({ state, inputs, rng, count }) => {
      const { parameters, step, ...slots } = state as Readonly<Record<string, Tensor>> & typeof state;
      const { problem, minibatch } = trainingBatch(c, inputs.data, count("data"), inputs.order, step, batch);
      const [next, info] = algorithmOf(c.config).step(
        { parameters, slots, step },
        problem,
        minibatch,
        inputs,
        rng.site("train"),
      );
      return { state: { ...next.slots, parameters: next.parameters, step: next.step }, outputs: { ...info } };
    },
  });

/** The problem and the rows of one step. */
export function trainingBatch(
  c: ProgramContext,
  data: Tensor,
  count: Tensor,
  order: Tensor,
  step: Tensor,
  batch: number,
) {
  const perEpoch = stepsPerEpoch(count, batch, c.config.dropLast);
  const start = step.sub(step.div(perEpoch).mul(perEpoch)).mul(batch);
  return {
    problem: aevbProblem(c.architecture, c.config, c.observation, data, count),
    minibatch: minibatchAt(start, count, batch, order),
  };
}
