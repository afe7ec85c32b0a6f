import { essMean } from "./ess.ts";
import { logSumExp, variance } from "./moments.ts";
import { khatThreshold, psis } from "./psis.ts";

/** Log likelihood of each observation under each draw: row-major, [draws, observations]. */
export interface PointwiseLogLikelihood {
  readonly values: ArrayLike<number>;
  readonly draws: number;
  readonly observations: number;
}

interface PredictiveAccuracy {
  /** Expected log predictive density of new data, summed over observations; greater is better. */
  readonly elpd: number;
  /** Standard error of `elpd` from the spread over observations, √(n · variance). */
  readonly se: number;
  /** Effective number of parameters: how much better the fit predicts what it has seen. */
  readonly effectiveParameters: number;
  /** Contribution of each observation to `elpd`, length n. */
  readonly pointwise: Float64Array;
}

/** Expected log predictive density by leaving out one observation at a time (Vehtari, Gelman and Gabry 2017), in nats. */
export interface Loo extends PredictiveAccuracy {
  /** k-hat of each observation, length n. */
  readonly khat: Float64Array;
  /** Observations (from 0) whose k-hat exceeds the threshold for this many draws: leave those out and fit again. */
  readonly unreliable: readonly number[];
}

/** Expected log predictive density as the widely applicable information criterion has it (Watanabe 2010), in nats. */
export interface Waic extends PredictiveAccuracy {
  /** Observations (from 0) whose log likelihood varies by more than 0.4: WAIC is unreliable there, take LOO. */
  readonly unreliable: readonly number[];
}

export interface LooOptions {
  /** Effective draws per draw, of all observations or of each. Default 1. */
  readonly relativeEfficiency?: number | ArrayLike<number>;
}

/**
 * Effective draws per draw of each observation's likelihood, where the draws are those of `chains` chains one after the other: what
 * `loo` is to know of draws that depend on each other (Vehtari, Gelman, Gabry 2017, section 2.1). 1 where nothing can be said.
 */
export function relativeEfficiency(logLikelihood: PointwiseLogLikelihood, chains: number): Float64Array {
  const { draws, observations } = logLikelihood;
  const length = draws / chains;
  return Float64Array.from({ length: observations }, (_, i) => {
    const column = columnOf(logLikelihood, i);
    const greatest = column.reduce((a, b) => Math.max(a, b), -Infinity);
    const likelihood = column.map((value) => Math.exp(value - greatest));
    const split = Array.from({ length: chains }, (_, c) => likelihood.subarray(c * length, (c + 1) * length));
    return essMean(split) / draws || 1;
  });
}

/**
 * Leave-one-out cross-validation by Pareto smoothed importance sampling from the full posterior, with weights
 * 1 / p(y_i given θ) (Vehtari, Gelman, Gabry 2017, eq. 10).
 */
export function loo(logLikelihood: PointwiseLogLikelihood, { relativeEfficiency = 1 }: LooOptions = {}): Loo {
  const { draws, observations } = logLikelihood;
  const pointwise = new Float64Array(observations);
  const khat = new Float64Array(observations);
  let seen = 0;
  for (let i = 0; i < observations; i++) {
    const column = columnOf(logLikelihood, i);
    const efficiency = typeof relativeEfficiency === "number" ? relativeEfficiency : relativeEfficiency[i]!;
    const smoothed = psis(
      column.map((value) => -value),
      { relativeEfficiency: efficiency },
    );
    pointwise[i] = logSumExp(smoothed.logWeights.map((weight, s) => weight + column[s]!));
    khat[i] = smoothed.khat;
    seen += logMeanExp(column);
  }
  const threshold = khatThreshold(draws);
  return { ...totals(pointwise, seen), khat, unreliable: indicesWhere(khat, (k) => !(k <= threshold)) };
}

/**
 * The widely applicable information criterion on the scale of log densities: log mean likelihood less the variance of the log
 * likelihood, of each observation (Watanabe 2010; Gelman, Hwang, Vehtari 2014, eq. 11 to 13).
 */
export function waic(logLikelihood: PointwiseLogLikelihood): Waic {
  const { observations } = logLikelihood;
  const pointwise = new Float64Array(observations);
  const spread = new Float64Array(observations);
  let seen = 0;
  for (let i = 0; i < observations; i++) {
    const column = columnOf(logLikelihood, i);
    const density = logMeanExp(column);
    spread[i] = variance(column);
    pointwise[i] = density - spread[i]!;
    seen += density;
  }
  return { ...totals(pointwise, seen), unreliable: indicesWhere(spread, (value) => !(value <= 0.4)) };
}

function columnOf({ values, draws, observations }: PointwiseLogLikelihood, i: number): Float64Array {
  const column = new Float64Array(draws);
  for (let s = 0; s < draws; s++) column[s] = values[s * observations + i]!;
  return column;
}

const logMeanExp = (values: Float64Array): number => logSumExp(values) - Math.log(values.length);

function totals(pointwise: Float64Array, seen: number): PredictiveAccuracy {
  const elpd = pointwise.reduce((sum, value) => sum + value, 0);
  return { elpd, se: Math.sqrt(pointwise.length * variance(pointwise)), effectiveParameters: seen - elpd, pointwise };
}

const indicesWhere = (values: Float64Array, holds: (value: number) => boolean): number[] =>
  Array.from(values.keys()).filter((i) => holds(values[i]!));
