import type { FloatType } from "../nn/initialiser.ts";
import { initialParameters, type Layout, pack, type Tensors, unpack } from "../nn/layout.ts";
import type { BoundTerms } from "../objectives/sgvb.ts";
import type { Clip } from "../optimizers/clip.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import type { Schedule } from "../optimizers/schedule.ts";
import { gradient } from "../program/program.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Minibatch } from "./minibatch.ts";

/** What is learned: parameters, and a bound for rows of a data set. */
export interface AevbProblem {
  readonly layout: Layout;
  readonly dtype: FloatType;
  /** Rate and distortion of the given rows (u32 [batch]); all that is random comes from the key. */
  bound(parameters: Tensors, rows: Tensor, key: Key<Tensor>): BoundTerms;
  /** −log p(θ) / N, a scalar: makes maximum likelihood MAP. */
  readonly negLogPrior: ((parameters: Tensors) => Tensor) | null;
}

export interface AevbOptions {
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly clip: Clip | null;
}

export interface AevbState {
  readonly parameters: Tensor;
  readonly slots: Tensors;
  /** Steps done, u32 scalar. */
  readonly step: Tensor;
}

/** Means over the minibatch in nats per example, f64 scalars. */
export interface AevbInfo {
  readonly negElbo: Tensor;
  readonly rate: Tensor;
  readonly distortion: Tensor;
}

export interface AevbRates {
  /** Learning rate before the schedule, f64 scalar. */
  readonly learningRate: Tensor;
  /** Steps of the whole fit, f64 scalar. */
  readonly totalSteps: Tensor;
}

/** Σ weights · rate, and so on: each example's bound is summed in f64. */
export function boundMeans({ rate, distortion }: BoundTerms, { weights }: Minibatch): AevbInfo {
  const mean = (x: Tensor): Tensor => x.cast("f64").mul(weights).sum();
  const [meanRate, meanDistortion] = [mean(rate), mean(distortion)];
  return { negElbo: meanRate.add(meanDistortion), rate: meanRate, distortion: meanDistortion };
}

/** The mean bound's gradient by the flat parameters. Pieces go straight to their places in the vector. */
export function boundGradient(problem: AevbProblem, parameters: Tensor, batch: Minibatch, key: Key<Tensor>) {
  const named = unpack(parameters, problem.layout);
  const terms = problem.bound(named, batch.rows, key);
  const info = boundMeans(terms, batch);
  return { terms, info, gradient: pack(gradient(info.negElbo, Object.values(named))) };
}

function priorGradient({ layout, negLogPrior }: AevbProblem, parameters: Tensor): Tensor {
  const named = unpack(parameters, layout);
  return pack(gradient(negLogPrior!(named), Object.values(named)));
}

/**
 * Auto-Encoding Variational Bayes (Kingma and Welling 2014, algorithm 1): stochastic gradient descent on the negative bound of
 * a minibatch, by encoder and decoder together. Pure functions over tensors of a program.
 */
export function aevb({ optimizer, schedule, clip }: AevbOptions) {
  return {
    init: (problem: Pick<AevbProblem, "layout" | "dtype">, key: Key<Tensor>): Tensor =>
      initialParameters(problem.layout, key, problem.dtype),

    /** One update; what is random is keyed by the step's number and by data row. */
    step(
      state: AevbState,
      problem: AevbProblem,
      batch: Minibatch,
      rates: AevbRates,
      key: Key<Tensor>,
    ): [AevbState, AevbInfo] {
      const { parameters, slots, step } = state;
      const found = boundGradient(problem, parameters, batch, key.fold(step));
      const total = problem.negLogPrior ? found.gradient.add(priorGradient(problem, parameters)) : found.gradient;
      const done = step.cast("f64");
      const updated = optimizer.update({
        parameters,
        gradient: clip ? clip(total) : total,
        slots,
        learningRate: rates.learningRate.mul(schedule(done, rates.totalSteps)),
        step: done.add(1),
      });
      return [{ ...updated, step: step.add(1) }, found.info];
    },
  };
}
