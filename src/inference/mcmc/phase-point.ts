import type { LogDensity } from "../log-density.ts";
import type { Metric } from "./metric.ts";

/** A point of a Hamiltonian trajectory. Made once and used again: its arrays are overwritten. */
export interface PhasePoint {
  readonly u: Float64Array;
  readonly gradient: Float64Array;
  readonly momentum: Float64Array;
  /** M⁻¹ p. */
  readonly velocity: Float64Array;
  /** M⁻¹ ∇log π, the natural gradient: with it a step needs one product with M⁻¹ instead of two. */
  readonly natural: Float64Array;
  logDensity: number;
  /** −log π(u) + ½ pᵀ M⁻¹ p; +∞ where that is not finite. */
  energy: number;
  /** How many places of a trajectory refer to it. */
  references: number;
}

export const phasePoint = (dim: number): PhasePoint => ({
  u: new Float64Array(dim),
  gradient: new Float64Array(dim),
  momentum: new Float64Array(dim),
  velocity: new Float64Array(dim),
  natural: new Float64Array(dim),
  logDensity: 0,
  energy: 0,
  references: 0,
});

function setEnergy(point: PhasePoint): void {
  const { momentum, velocity } = point;
  let twice = 0;
  for (let i = 0; i < momentum.length; i++) twice += momentum[i]! * velocity[i]!;
  const energy = 0.5 * twice - point.logDensity;
  point.energy = Number.isFinite(energy) ? energy : Infinity;
}

/** Velocity, natural gradient and energy of a point whose place, gradient and momentum are known. */
export function completePoint(point: PhasePoint, metric: Metric): void {
  metric.multiply(point.momentum, point.velocity);
  metric.multiply(point.gradient, point.natural);
  setEnergy(point);
}

/**
 * One leapfrog step (Neal 2011, "MCMC using Hamiltonian dynamics", eqs. 2.28 to 2.30), from one point into another: half a step
 * of the momentum, one of the place, half a step of the momentum. A negative step size goes back in time.
 */
export function leapfrog(
  logDensity: LogDensity,
  metric: Metric,
  from: PhasePoint,
  to: PhasePoint,
  stepSize: number,
): void {
  const half = 0.5 * stepSize;
  const { u, gradient, momentum, velocity, natural } = to;
  const dim = u.length;
  for (let i = 0; i < dim; i++) {
    momentum[i] = from.momentum[i]! + half * from.gradient[i]!;
    const v = from.velocity[i]! + half * from.natural[i]!;
    velocity[i] = v;
    u[i] = from.u[i]! + stepSize * v;
  }
  to.logDensity = logDensity.evaluate(u, gradient);
  metric.multiply(gradient, natural);
  for (let i = 0; i < dim; i++) {
    momentum[i] = momentum[i]! + half * gradient[i]!;
    velocity[i] = velocity[i]! + half * natural[i]!;
  }
  setEnergy(to);
}
