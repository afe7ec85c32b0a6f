/** The step size's adaptation, as logarithms. Never changed: an update makes a new one. */
export interface DualAveraging {
  /** Where the iterates shrink to: log(10 ε₀). */
  readonly center: number;
  /** log ε of the next iteration. */
  readonly logStepSize: number;
  /** The averaged log ε, which is kept when adaptation ends. */
  readonly logAverage: number;
  /** Averaged shortfall of the acceptance probability. */
  readonly shortfall: number;
  readonly count: number;
}

/** γ, t₀ and κ as in Hoffman and Gelman (2014), section 3.2.1. */
const SHRINKAGE = 0.05;
const OFFSET = 10;
const DECAY = 0.75;

/** Starts from `stepSize`, or starts again: the first tries are ten times larger, as cheap ones are tested more cheaply. */
export const dualAveraging = (stepSize: number): DualAveraging => ({
  center: Math.log(10 * stepSize),
  logStepSize: Math.log(stepSize),
  logAverage: Math.log(stepSize),
  shortfall: 0,
  count: 0,
});

/** After a transition with this acceptance probability (Nesterov's dual averaging; Hoffman and Gelman 2014, eq. 6). */
export function updateDualAveraging(state: DualAveraging, acceptance: number, target: number): DualAveraging {
  const count = state.count + 1;
  const weight = 1 / (count + OFFSET);
  const shortfall = (1 - weight) * state.shortfall + weight * (target - Math.min(1, acceptance));
  const logStepSize = state.center - (Math.sqrt(count) / SHRINKAGE) * shortfall;
  const forget = count ** -DECAY;
  const logAverage = forget * logStepSize + (1 - forget) * state.logAverage;
  return { center: state.center, logStepSize, logAverage, shortfall, count };
}
