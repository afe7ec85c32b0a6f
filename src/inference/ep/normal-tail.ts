const LOG_SQRT_2PI = 0.5 * Math.log(2 * Math.PI);

/** φ(z) */
const density = (z: number): number => Math.exp(-0.5 * z * z - LOG_SQRT_2PI);

/** Φ(−t) / φ(t) for t ≥ 2, by Laplace's continued fraction 1/(t + 1/(t + 2/(t + 3/…))), from its end. */
function millsRatio(t: number): number {
  let tail = t;
  for (let k = Math.ceil(20 + 400 / (t * t)); k > 0; k--) tail = t + k / tail;
  return 1 / tail;
}

/** (Φ(z) − ½) / φ(z) = z + z³/3 + z⁵/15 + …, whose terms have one sign (Abramowitz and Stegun 26.2.11). */
function centralSeries(z: number): number {
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return sum;
}

/** log Φ(z) and the hazard φ(z) / Φ(z), both to about 14 digits in either tail. */
export function normalTail(z: number, into: { logCdf: number; hazard: number }): void {
  if (z < -2) {
    const ratio = millsRatio(-z);
    into.logCdf = -0.5 * z * z - LOG_SQRT_2PI + Math.log(ratio);
    into.hazard = 1 / ratio;
    return;
  }
  const phi = density(z);
  const upper = z > 2 ? phi * millsRatio(z) : 0.5 - phi * centralSeries(z);
  into.logCdf = Math.log1p(-upper);
  into.hazard = phi / (1 - upper);
}
