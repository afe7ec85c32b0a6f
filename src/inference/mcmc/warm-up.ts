import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import { type DualAveraging, dualAveraging, updateDualAveraging } from "./dual-averaging.ts";
import { estimateMetric, type GradientDraw, type MetricChoice } from "./estimate-metric.ts";
import type { HamiltonianInfo, HamiltonianState } from "./kernel.ts";
import { diagonalMetric } from "./metric.ts";
import { firstStepSize } from "./step-size.ts";
import { windowEnds } from "./windows.ts";

export interface WarmUpOptions {
  /** Iterations. */
  readonly length: number;
  readonly targetAcceptance: number;
  readonly metric: MetricChoice;
}

/** Adaptation of step size and metric, in the course of a chain's first transitions. */
export interface WarmUp {
  /** The state with a first metric and step size. */
  begin(state: HamiltonianState): HamiltonianState;
  /** After a transition: the state with the step size, and perhaps the metric, of the next one. */
  update(state: HamiltonianState, info: HamiltonianInfo): HamiltonianState;
}

/**
 * The step size by dual averaging towards the target acceptance (Hoffman and Gelman 2014), begun anew with each metric; the metric
 * at the end of each window, from the draws of the last two windows and their gradients (see `estimateMetric`; Stan uses the draws
 * alone). On ill-scaled and correlated targets this saves most of the warm-up's gradients: see docs/decisions.
 */
export function warmUp(logDensity: LogDensity, options: WarmUpOptions, generator: Generator): WarmUp {
  const ends = windowEnds(options.length);
  let recent: GradientDraw[] = [];
  /** Of those, how many stem from the window before. */
  let older = 0;
  let iteration = 0;
  let window = 0;
  let averaging: DualAveraging = dualAveraging(1);
  const restart = (state: HamiltonianState): HamiltonianState => {
    const { stepSize } = firstStepSize(logDensity, state, generator);
    averaging = dualAveraging(stepSize);
    return { ...state, stepSize };
  };
  return {
    // Where the gradient is steep at the start, the coordinate's scale is small; no scale is taken to be above 1.
    begin: (state) =>
      restart({ ...state, metric: diagonalMetric(state.gradient.map((g) => 1 / Math.max(1, Math.abs(g)))) }),
    update: (state, info) => {
      iteration++;
      averaging = updateDualAveraging(averaging, info.acceptance, options.targetAcceptance);
      if (window < ends.length) recent.push(state);
      if (iteration === ends[window]) {
        window++;
        const metric = estimateMetric(recent, logDensity.dim, options.metric);
        recent = window < ends.length ? recent.slice(older) : [];
        older = recent.length;
        if (metric) return restart({ ...state, metric, stepSize: Math.exp(averaging.logAverage) });
      }
      const last = iteration === options.length;
      return { ...state, stepSize: Math.exp(last ? averaging.logAverage : averaging.logStepSize) };
    },
  };
}
