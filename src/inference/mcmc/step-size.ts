import { NonFiniteError } from "../../base/errors.ts";
import type { Generator } from "../../base/generator.ts";
import type { LogDensity } from "../log-density.ts";
import type { HamiltonianState } from "./kernel.ts";
import { completePoint, leapfrog, phasePoint } from "./phase-point.ts";

const LARGEST = 1e7;
const SMALLEST = 1e-300;

/** A step size, and what it took to find it. */
export interface FirstStepSize {
  readonly stepSize: number;
  readonly leapfrogs: number;
}

/**
 * A first step size: doubled or halved from that of the state until one leapfrog step's acceptance probability passes 0.8
 * (Hoffman and Gelman 2014, algorithm 4, with Stan's 0.8 for their 0.5).
 *
 * @throws NonFiniteError where every step is accepted, however long, or none is, however short
 */
export function firstStepSize(logDensity: LogDensity, state: HamiltonianState, generator: Generator): FirstStepSize {
  const from = phasePoint(logDensity.dim);
  const to = phasePoint(logDensity.dim);
  from.u.set(state.u);
  from.gradient.set(state.gradient);
  from.logDensity = state.logDensity;
  const passes = (stepSize: number): boolean => {
    state.metric.draw(generator, from.momentum);
    completePoint(from, state.metric);
    leapfrog(logDensity, state.metric, from, to, stepSize);
    return from.energy - to.energy > Math.log(0.8);
  };
  let { stepSize } = state;
  let leapfrogs = 1;
  const grow = passes(stepSize);
  for (;;) {
    const next = grow ? 2 * stepSize : 0.5 * stepSize;
    if (next > LARGEST)
      throw new NonFiniteError(
        `no step size up to ${LARGEST} is too long for this density: it does not fall off in some direction, so it cannot be ` +
          "normalised. Look for a parameter without a proper prior that the data say nothing of.",
      );
    if (next < SMALLEST)
      throw new NonFiniteError(
        "no step size is short enough for this density: it, or its gradient, is not continuous at the initial point. Give " +
          "other initial values, and look for jumps or clamped values in the model.",
      );
    leapfrogs++;
    const passed = passes(next);
    if (grow && !passed) return { stepSize, leapfrogs };
    stepSize = next;
    if (!grow && passed) return { stepSize, leapfrogs };
  }
}
