/**
 * A log density on R^dim as the host sees it: unconstrained coordinates, log-Jacobians included, up to a constant. Synchronous,
 * because samplers and line searches call it thousands of times in a row.
 */
export interface LogDensity {
  readonly dim: number;
  /** The log density at `u` [dim]; its gradient is written into `gradient` [dim]. `u` is only read, and not kept. */
  evaluate(u: Float64Array, gradient: Float64Array): number;
}
