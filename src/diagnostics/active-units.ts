/** Above this variance of its posterior mean over the data a latent dimension counts as used (Burda et al. 2016). */
export const ACTIVE_VARIANCE = 0.01;

/** Variance over rows of each column of a row-major array: of posterior means, how much each latent dimension says. */
export function columnVariances(values: ArrayLike<number>, columns: number): number[] {
  const rows = values.length / columns;
  return Array.from({ length: columns }, (_, column) => {
    let mean = 0;
    for (let row = 0; row < rows; row++) mean += values[row * columns + column]! / rows;
    let variance = 0;
    for (let row = 0; row < rows; row++) variance += (values[row * columns + column]! - mean) ** 2 / rows;
    return variance;
  });
}
