import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import type { DualAveraging } from "./dual-averaging.ts";
import { type Metric, unitMetric } from "./metric.ts";

/** Where a Hamiltonian chain stands, and what it moves with. Never changed: a step makes a new one. */
export interface HamiltonianState {
  /** Unconstrained coordinates [dim], with the log density and its gradient there. */
  readonly u: Float64Array;
  readonly logDensity: number;
  readonly gradient: Float64Array;
  readonly stepSize: number;
  readonly metric: Metric;
}

/** What one transition was like. */
export interface HamiltonianInfo {
  /** The Hamiltonian of the accepted point: what energy diagnostics (E-BFMI) read. */
  readonly energy: number;
  /** Doublings of the tree; 0 for HMC of fixed length. */
  readonly depth: number;
  /** Whether the energy error passed the limit, so that the trajectory left the region that its step size can follow. */
  readonly divergent: boolean;
  /** The mean Metropolis acceptance probability over the trajectory, which adaptation of the step size brings to its target. */
  readonly acceptance: number;
  /** Gradients that were evaluated. */
  readonly leapfrogs: number;
  /** Where a divergent trajectory met a log density that is not finite, [dim]. */
  readonly nonFinite?: Float64Array | null;
}

/** Adaptation of the step size: dual averaging towards an acceptance probability. */
export interface Adaptation {
  readonly averaging: DualAveraging;
  readonly target: number;
}

/** Transitions that are made in one go, at most. */
export const MOST_ROWS = 128;

/** What a run of transitions was like, a row for each: views that hold until the next run. */
export interface TransitionRows {
  readonly count: number;
  /** Where each led to, and the gradient there, [count, dim]. */
  readonly u: Float64Array;
  readonly gradient: Float64Array;
  /** See `HamiltonianInfo`; [count]. */
  readonly logDensity: Float64Array;
  readonly energy: Float64Array;
  /** What it was made with. */
  readonly stepSize: Float64Array;
  readonly acceptance: Float64Array;
  readonly depth: ArrayLike<number>;
  readonly leapfrogs: ArrayLike<number>;
  readonly divergent: ArrayLike<number>;
  /** The first that met a log density that is not finite, and where. */
  readonly nonFinite: { readonly row: number; readonly at: Float64Array } | null;
}

/** What a run of transitions leads to. */
export interface HamiltonianRun {
  readonly state: HamiltonianState;
  /** Null without adaptation. */
  readonly averaging: DualAveraging | null;
  readonly rows: TransitionRows;
}

/** A Markov chain's transition: functions without hidden state (scratch memory aside), random numbers being an argument. */
export interface Kernel<State, Info> {
  /** The state at `u` [dim], which is copied. */
  init(u: Float64Array): State;
  step(state: State, generator: Generator): [State, Info];
}

export interface HamiltonianKernel {
  /** The state at `u` [dim], which is copied. */
  init(u: Float64Array): HamiltonianState;
  /** So many transitions, from 1 to MOST_ROWS. With adaptation the step size follows each of them. */
  run(state: HamiltonianState, generator: Generator, count: number, adaptation: Adaptation | null): HamiltonianRun;
}

/** The state at `u` with step size 1 and the unit metric. */
export function startAt(logDensity: LogDensity, u: Float64Array): HamiltonianState {
  const gradient = new Float64Array(logDensity.dim);
  const value = logDensity.evaluate(u, gradient);
  return { u: u.slice(), logDensity: value, gradient, stepSize: 1, metric: unitMetric(logDensity.dim) };
}
