import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import { dualAveraging } from "./dual-averaging.ts";
import { estimateMetric, type GradientDraws, type MetricChoice } from "./estimate-metric.ts";
import type { Adaptation, HamiltonianRun, HamiltonianState, TransitionRows } from "./kernel.ts";
import { diagonalMetric } from "./metric.ts";
import { firstStepSize } from "./step-size.ts";
import { windowEnds } from "./windows.ts";

export interface WarmUpOptions {
  /** Iterations. */
  readonly length: number;
  readonly targetAcceptance: number;
  readonly metric: MetricChoice;
}

/** Draws of the last windows and their gradients, [count, dim]. */
class Recent {
  count = 0;
  private readonly u: Float64Array;
  private readonly gradient: Float64Array;
  private readonly dim: number;

  constructor(dim: number, capacity: number) {
    this.dim = dim;
    this.u = new Float64Array(capacity * dim);
    this.gradient = new Float64Array(capacity * dim);
  }

  push({ u, gradient, count }: TransitionRows): void {
    this.u.set(u, this.count * this.dim);
    this.gradient.set(gradient, this.count * this.dim);
    this.count += count;
  }

  /** Forgets the first so many. */
  drop(first: number): void {
    this.u.copyWithin(0, first * this.dim, this.count * this.dim);
    this.gradient.copyWithin(0, first * this.dim, this.count * this.dim);
    this.count -= first;
  }

  get draws(): GradientDraws {
    const end = this.count * this.dim;
    return { u: this.u.subarray(0, end), gradient: this.gradient.subarray(0, end) };
  }
}

/**
 * Adaptation of step size and metric in the course of a chain's first transitions. The step size by dual averaging towards the target
 * acceptance (Hoffman and Gelman 2014), begun anew with each metric; the metric at the end of each window, from the draws of the last two
 * windows and their gradients (see `estimateMetric`; Stan uses the draws alone). On ill-scaled and correlated targets this saves most
 * of the warm-up's gradients: see docs/decisions.
 */
export class WarmUp {
  private readonly logDensity: LogDensity;
  private readonly options: WarmUpOptions;
  private readonly generator: Generator;
  /** Iterations after which the metric is estimated. */
  private readonly ends: readonly number[];
  private readonly recent: Recent;
  /** Of the recent draws, how many stem from the window before. */
  private older = 0;
  private iteration = 0;
  private window = 0;
  private averaging = dualAveraging(1);

  constructor(logDensity: LogDensity, options: WarmUpOptions, generator: Generator) {
    this.logDensity = logDensity;
    this.options = options;
    this.generator = generator;
    this.ends = windowEnds(options.length);
    const lengths = this.ends.map((end, i) => end - (this.ends[i - 1] ?? 0));
    const longest = Math.max(0, ...lengths.map((length, i) => length + (lengths[i - 1] ?? 0)));
    this.recent = new Recent(logDensity.dim, longest);
  }

  /** The state with a first metric and step size. */
  begin(state: HamiltonianState): HamiltonianState {
    // Where the gradient is steep at the start, the coordinate's scale is small; no scale is taken to be above 1.
    const metric = diagonalMetric(state.gradient.map((g) => 1 / Math.max(1, Math.abs(g))));
    return this.restart({ ...state, metric });
  }

  /** Transitions that can be made before the metric changes or the warm-up ends; none when it has ended. */
  get left(): number {
    return (this.ends[this.window] ?? this.options.length) - this.iteration;
  }

  get adaptation(): Adaptation {
    return { averaging: this.averaging, target: this.options.targetAcceptance };
  }

  /** After at most `left` transitions: the state with the step size, and perhaps the metric, of the next one. */
  after({ state, averaging, rows }: HamiltonianRun): HamiltonianState {
    const { recent, ends, options } = this;
    this.iteration += rows.count;
    this.averaging = averaging!;
    const { logAverage } = this.averaging;
    if (this.window < ends.length) recent.push(rows);
    if (this.iteration === ends[this.window]) {
      this.window++;
      const metric = estimateMetric(recent.draws, this.logDensity.dim, options.metric);
      recent.drop(this.older);
      this.older = recent.count;
      if (metric) return this.restart({ ...state, metric, stepSize: Math.exp(logAverage) });
    }
    return this.iteration === options.length ? { ...state, stepSize: Math.exp(logAverage) } : state;
  }

  private restart(state: HamiltonianState): HamiltonianState {
    const { stepSize } = firstStepSize(this.logDensity, state, this.generator);
    this.averaging = dualAveraging(stepSize);
    return { ...state, stepSize };
  }
}
