/** The arithmetic mean; NaN of nothing. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/**
 * Variance about the mean, in two passes, which does not cancel where the mean is large.
 *
 * @param correction  what the divisor is less than the count: 1 for the unbiased estimate, 0 for that of the values themselves
 */
export function variance(values: ArrayLike<number>, correction = 1): number {
  const centre = mean(values);
  let squares = 0;
  let rest = 0;
  for (let i = 0; i < values.length; i++) {
    const distance = values[i]! - centre;
    squares += distance * distance;
    rest += distance;
  }
  // The second term takes away what rounding left in the mean (Chan, Golub, LeVeque 1983).
  return (squares - (rest * rest) / values.length) / (values.length - correction);
}

/** log Σ exp(x_i), without overflow; −∞ of nothing. */
export function logSumExp(values: ArrayLike<number>): number {
  let greatest = -Infinity;
  for (let i = 0; i < values.length; i++) if (!(values[i]! <= greatest)) greatest = values[i]!;
  if (!Number.isFinite(greatest)) return greatest;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - greatest);
  return greatest + Math.log(sum);
}
