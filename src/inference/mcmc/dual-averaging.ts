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

/** γ and t₀ as in Hoffman and Gelman (2014), section 3.2.1; κ is ¾. */
export const AVERAGING = { shrinkage: 0.05, offset: 10 };

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
  const weight = 1 / (count + AVERAGING.offset);
  const shortfall = (1 - weight) * state.shortfall + weight * (target - Math.min(1, acceptance));
  const root = Math.sqrt(count);
  const logStepSize = state.center - (root / AVERAGING.shrinkage) * shortfall;
  const forget = 1 / (root * Math.sqrt(root));
  const logAverage = forget * logStepSize + (1 - forget) * state.logAverage;
  return { center: state.center, logStepSize, logAverage, shortfall, count };
}
