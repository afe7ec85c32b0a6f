import { lgamma } from "../base/special.ts";

/** The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22, 8.17.4), a and b positive. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = a * Math.log(x) + b * Math.log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b);
  // Lentz's algorithm for 1 / (1 + d₁/(1 + d₂/(1 + …))).
  let fraction = 1;
  let c = 1;
  let d = 0;
  for (let n = 1; n < 10_000; n++) {
    const m = n >> 1;
    const coefficient =
      n % 2 === 0
        ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
        : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + coefficient * d || 1e-300);
    c = 1 + coefficient / c || 1e-300;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return Math.exp(front) / (a * fraction);
}

/** x with I_x(a, b) = p, by bisection: some 50 evaluations, which always arrive. */
export function betaQuantile(p: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, a, b) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
