import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
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

/** A Markov chain's transition: functions without hidden state (scratch memory aside), random numbers being an argument. */
export interface Kernel<State, Info> {
  /** The state at `u` [dim], which is copied. */
  init(u: Float64Array): State;
  step(state: State, generator: Generator): [State, Info];
}

export type HamiltonianKernel = Kernel<HamiltonianState, HamiltonianInfo>;

/** The state at `u` with step size 1 and the unit metric. */
export function startAt(logDensity: LogDensity, u: Float64Array): HamiltonianState {
  const gradient = new Float64Array(logDensity.dim);
  const value = logDensity.evaluate(u, gradient);
  return { u: u.slice(), logDensity: value, gradient, stepSize: 1, metric: unitMetric(logDensity.dim) };
}
