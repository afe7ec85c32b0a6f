import { normalTail } from "./normal-tail.ts";

/** Sites whose tilted moments have a closed form. */
export type ClosedForm =
  /** Φ(slope · t + offset) */
  | { readonly kind: "probit"; readonly slope: number; readonly offset: number }
  /** e^left below the threshold, e^right above it. */
  | { readonly kind: "step"; readonly threshold: number; readonly left: number; readonly right: number };

/** Normaliser, mean and variance of the cavity times a site: what a site hands to the approximation. */
export interface Tilted {
  logNormaliser: number;
  mean: number;
  variance: number;
}

const tail = { logCdf: 0, hazard: 0 };

/**
 * Moments of N(t; mean, variance) times a site's power, in closed form; false where that power has none (a probit's, unless it is 1).
 * Probit: Rasmussen and Williams 2006, section 3.9.
 */
export function tiltedClosed(form: ClosedForm, mean: number, variance: number, power: number, into: Tilted): boolean {
  if (form.kind === "probit") {
    if (power !== 1) return false;
    const { slope, offset } = form;
    const spread = Math.sqrt(1 + slope * slope * variance);
    const z = (slope * mean + offset) / spread;
    normalTail(z, tail);
    const ratio = (slope * variance) / spread;
    into.logNormaliser = tail.logCdf;
    into.mean = mean + ratio * tail.hazard;
    into.variance = variance - ratio * ratio * tail.hazard * (z + tail.hazard);
    return true;
  }
  const sd = Math.sqrt(variance);
  const u = (form.threshold - mean) / sd;
  const [left, right] = [power * form.left, power * form.right];
  // Seen from the side with more weight: Z = e^high (Φ(x) + ρ Φ(−x)), ρ = e^(low − high) ≤ 1, x towards that side.
  const upper = right >= left;
  const x = upper ? -u : u;
  const [high, low] = upper ? [right, left] : [left, right];
  const rest = Math.exp(low - high);
  normalTail(x, tail);
  // φ(x) / (Φ(x) + ρ Φ(−x)), where Φ(−x) = 1 − Φ(x).
  const cdf = Math.exp(tail.logCdf);
  const whole = rest > 0 ? cdf + rest * (1 - cdf) : 1;
  const slope = rest > 0 ? ((1 - rest) * cdf * tail.hazard) / whole : tail.hazard;
  into.logNormaliser = high + (rest > 0 ? Math.log(whole) : tail.logCdf);
  into.mean = mean + (upper ? sd : -sd) * slope;
  into.variance = variance * (1 - slope * (x + slope));
  return true;
}
