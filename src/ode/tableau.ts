/** An explicit Runge-Kutta method: stage i is f(t + c_i h, y + h Σ_j a_ij k_j), the step is y + h Σ b_i k_i. */
export interface Tableau {
  readonly c: readonly number[];
  readonly a: readonly (readonly number[])[];
  readonly b: readonly number[];
}

/** Methods for steps of given size, by the names in common use. */
export const fixedMethods = {
  /** Order 1. */
  euler: { c: [0], a: [[]], b: [1] },
  /** Order 2. */
  midpoint: { c: [0, 1 / 2], a: [[], [1 / 2]], b: [0, 1] },
  /** The classical method of order 4 (Kutta 1901). */
  rk4: { c: [0, 1 / 2, 1 / 2, 1], a: [[], [1 / 2], [0, 1 / 2], [0, 0, 1]], b: [1 / 6, 1 / 3, 1 / 3, 1 / 6] },
} as const satisfies Readonly<Record<string, Tableau>>;

/** A method with a second one inside, whose difference estimates the error of a step. */
export interface EmbeddedTableau extends Tableau {
  /** Weights of the error: b minus the weights of the method of lower order. */
  readonly error: readonly number[];
  /** The lower order plus 1: the error of a step is of order h to this power. */
  readonly order: number;
}

/**
 * Dormand and Prince (1980), "A family of embedded Runge-Kutta formulae", RK5(4)7M: order 5 with an estimate of order 4. Its last
 * stage is the first of the next step.
 */
// biome-ignore format: a tableau
export const dormandPrince: EmbeddedTableau = {
  c: [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1],
  a: [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
  ],
  b: [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0],
  error: [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40],
  order: 5,
};
