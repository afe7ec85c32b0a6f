// Log densities in plain arithmetic, from their textbook formulas: what models are compared with.

export const sum = (xs: readonly number[]): number => xs.reduce((a, x) => a + x, 0);

export const normalLog = (x: number, mean: number, sd: number): number =>
  -0.5 * ((x - mean) / sd) ** 2 - Math.log(sd) - 0.5 * Math.log(2 * Math.PI);

export const halfCauchyLog = (x: number, scale: number): number =>
  Math.log(2 / (Math.PI * scale)) - Math.log(1 + (x / scale) ** 2);

export const poissonLog = (x: number, rate: number): number =>
  x * Math.log(rate) - rate - sum(Array.from({ length: x }, (_, i) => Math.log(i + 1)));

export const logSumExp = (xs: readonly number[]): number => {
  const most = Math.max(...xs);
  return most === -Infinity ? -Infinity : most + Math.log(sum(xs.map((x) => Math.exp(x - most))));
};

export const sigmoid = (u: number): number => 1 / (1 + Math.exp(-u));

/** All sequences of `length` out of 0, 1, …, `states` − 1. */
export function* sequences(length: number, states: number): Generator<number[]> {
  if (length === 0) yield [];
  else for (const rest of sequences(length - 1, states)) for (let k = 0; k < states; k++) yield [...rest, k];
}
