import type { LogDensity } from "../../../src/inference/log-density.ts";

/** N(0, Λ⁻¹), precision Λ row by row. */
export function gaussian(precision: readonly (readonly number[])[]): LogDensity {
  const dim = precision.length;
  return {
    dim,
    evaluate(u, gradient) {
      let logDensity = 0;
      for (let i = 0; i < dim; i++) {
        let sum = 0;
        for (let j = 0; j < dim; j++) sum += precision[i]![j]! * u[j]!;
        gradient[i] = -sum;
        logDensity -= 0.5 * sum * u[i]!;
      }
      return logDensity;
    },
  };
}

/** Independent normals with these standard deviations. */
export const independent = (sds: readonly number[]): LogDensity =>
  gaussian(sds.map((sd, i) => sds.map((_, j) => (i === j ? sd ** -2 : 0))));

export const standardNormal = (dim: number): LogDensity => independent(new Array(dim).fill(1));

/** Unit variances and one correlation ρ between all: its inverse in closed form (Sherman and Morrison). */
export function equicorrelated(dim: number, rho: number): LogDensity {
  const off = -rho / ((1 - rho) * (1 + (dim - 1) * rho));
  const row = new Array(dim).fill(0);
  return gaussian(row.map((_, i) => row.map((_, j) => off + (i === j ? 1 / (1 - rho) : 0))));
}

/** Independent Student t with ν degrees of freedom: variance ν / (ν − 2). */
export const studentT = (dim: number, nu: number): LogDensity => ({
  dim,
  evaluate(u, gradient) {
    let logDensity = 0;
    for (let i = 0; i < dim; i++) {
      logDensity -= 0.5 * (nu + 1) * Math.log1p((u[i]! * u[i]!) / nu);
      gradient[i] = (-(nu + 1) * u[i]!) / (nu + u[i]! * u[i]!);
    }
    return logDensity;
  },
});

/** Neal's funnel (2003): v ~ N(0, 3²) is the last coordinate, the others N(0, exp(v)). */
export const funnel = (dim: number): LogDensity => ({
  dim,
  evaluate(u, gradient) {
    const v = u[dim - 1]!;
    const precision = Math.exp(-v);
    let squares = 0;
    for (let i = 0; i < dim - 1; i++) {
      squares += u[i]! * u[i]!;
      gradient[i] = -u[i]! * precision;
    }
    gradient[dim - 1] = -v / 9 + 0.5 * squares * precision - 0.5 * (dim - 1);
    return (-v * v) / 18 - 0.5 * squares * precision - 0.5 * (dim - 1) * v;
  },
});

const EFFECTS = [28, 8, -3, 7, -1, 1, 18, 12];
const ERRORS = [15, 10, 16, 11, 9, 11, 10, 18];

/**
 * Eight schools (Rubin 1981), mu ~ N(0, 5), tau ~ half-Cauchy(5), with theta = mu + tau t, t ~ N(0, 1): coordinates t (8), mu,
 * log tau.
 */
export const eightSchools: LogDensity = {
  dim: 10,
  evaluate(u, gradient) {
    const mu = u[8]!;
    const tau = Math.exp(u[9]!);
    const ratio = (tau * tau) / 25;
    let logDensity = (-mu * mu) / 50 - Math.log1p(ratio) + u[9]!;
    let ofMu = -mu / 25;
    let ofLogTau = 1 - (2 * ratio) / (1 + ratio);
    for (let j = 0; j < 8; j++) {
      const t = u[j]!;
      const z = (EFFECTS[j]! - mu - tau * t) / ERRORS[j]!;
      const slope = z / ERRORS[j]!;
      logDensity -= 0.5 * (t * t + z * z);
      gradient[j] = slope * tau - t;
      ofMu += slope;
      ofLogTau += slope * tau * t;
    }
    gradient[8] = ofMu;
    gradient[9] = ofLogTau;
    return logDensity;
  },
};
