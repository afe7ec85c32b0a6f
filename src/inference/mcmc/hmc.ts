import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import { type HamiltonianInfo, type HamiltonianKernel, type HamiltonianState, startAt } from "./kernel.ts";
import { completePoint, leapfrog, phasePoint } from "./phase-point.ts";
import { StepByStep } from "./step-by-step.ts";

export interface HmcOptions {
  /** Length of a trajectory in units of the metric, where a standard normal has period 2π. Default π/2. */
  readonly trajectory?: number;
  /** Leapfrog steps at most. Default 1023. */
  readonly maxLeapfrogs?: number;
  /** Each trajectory's step size is uniform on ε (1 ± jitter), against periodic orbits. Default 0.2. */
  readonly jitter?: number;
  /** An energy error beyond this counts as divergent. Default 1000. */
  readonly maxEnergyError?: number;
}

/**
 * Hamiltonian Monte Carlo with trajectories of fixed length (Duane et al. 1987; Neal 2011, "MCMC using Hamiltonian dynamics"),
 * jittered step sizes and Metropolis acceptance of the end point.
 */
export function hmc(logDensity: LogDensity, options: HmcOptions = {}): HamiltonianKernel {
  const { trajectory = Math.PI / 2, maxLeapfrogs = 1023, jitter = 0.2, maxEnergyError = 1000 } = options;
  const { dim } = logDensity;
  const points = [phasePoint(dim), phasePoint(dim)] as const;

  const step = (state: HamiltonianState, generator: Generator): [HamiltonianState, HamiltonianInfo] => {
    const { metric } = state;
    let [from, to] = points;
    from.u.set(state.u);
    from.gradient.set(state.gradient);
    from.logDensity = state.logDensity;
    metric.draw(generator, from.momentum);
    completePoint(from, metric);
    const { energy } = from;
    const stepSize = state.stepSize * (1 + jitter * (2 * generator.uniform() - 1));
    const wanted = Math.max(1, Math.min(maxLeapfrogs, Math.round(trajectory / state.stepSize)));
    let divergent = false;
    let leapfrogs = 0;
    while (leapfrogs < wanted && !divergent) {
      leapfrog(logDensity, metric, from, to, stepSize);
      leapfrogs++;
      divergent = to.energy - energy > maxEnergyError;
      const previous = from;
      from = to;
      to = previous;
    }
    const acceptance = divergent ? 0 : Math.min(1, Math.exp(energy - from.energy));
    const accepted = generator.uniform() < acceptance;
    const nonFinite = divergent && !Number.isFinite(from.logDensity) ? from.u.slice() : null;
    const info = { energy: accepted ? from.energy : energy, depth: 0, divergent, acceptance, leapfrogs, nonFinite };
    if (!accepted) return [state, info];
    return [{ ...state, u: from.u.slice(), logDensity: from.logDensity, gradient: from.gradient.slice() }, info];
  };
  return new StepByStep({ init: (u) => startAt(logDensity, u), step }, dim);
}
