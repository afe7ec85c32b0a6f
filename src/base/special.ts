/**
 * Scalar special functions in double precision: the meaning of the ops of the same names, for the reference backend
 * and for host-side numbers. Plain and slow on purpose; relative error about 1e-14 away from zeros.
 */

/** 1 / (1 + e^−x), without overflow and exact in both tails. */
export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** log(1 + e^x) = max(x, 0) + log1p(e^−|x|). */
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** x^y as C and IEEE 754 have it: 1^y = 1 and (−1)^±∞ = 1 too, where JavaScript says NaN. */
export const pow = (x: number, y: number): number => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y);

/** Coefficients B_2k / (2k (2k−1)) of Stirling's series for log Γ (DLMF 5.11.1). */
const STIRLING = [
  1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400, 43867 / 244188,
]; // biome-ignore format: one series

/** log |Γ(x)|. The argument is shifted up to where Stirling's series holds; negative x by reflection. */
export function lgamma(x: number): number {
  if (Number.isNaN(x)) return x;
  if (!Number.isFinite(x)) return Infinity;
  if (x <= 0) {
    if (Number.isInteger(x)) return Infinity;
    // Γ(x) ≈ 1/x, where the sine would lose its bits among the denormals.
    if (x > -1e-290) return -Math.log(-x);
    return Math.log(Math.PI / distanceSine(x)) - lgamma(1 - x);
  }
  if (x === 1 || x === 2) return 0;
  if (Math.abs(x - 1) < 0.2) return lgammaNearOne(x - 1);
  if (Math.abs(x - 2) < 0.2) return Math.log1p(x - 2) + lgammaNearOne(x - 2);
  let shifted = x;
  let product = 1;
  while (shifted < 12) product *= shifted++;
  const r = 1 / (shifted * shifted);
  let series = 0;
  for (let k = STIRLING.length - 1; k >= 0; k--) series = series * r + STIRLING[k]!;
  return (
    (shifted - 0.5) * Math.log(shifted) - shifted + 0.5 * Math.log(2 * Math.PI) + series / shifted - Math.log(product)
  );
}

/** log Γ(1 + t) = −γ t + Σ_{k≥2} ζ(k) (−t)^k / k (DLMF 5.7.3). The slow tail ζ(k) ≈ 1 is summed as t − log(1 + t). */
function lgammaNearOne(t: number): number {
  let sum = t * (1 - EULER_GAMMA) - Math.log1p(t);
  let power = t * t;
  for (let k = 2; k < 40; k++) {
    sum += (zetaMinusOne(k) * power * (k % 2 ? -1 : 1)) / k;
    power *= t;
  }
  return sum;
}

const EULER_GAMMA = 0.5772156649015329;

/** ζ(k) − 1, by direct sum to N and Euler and Maclaurin's tail. */
function zetaMinusOne(k: number): number {
  const N = 24;
  let sum = 0;
  for (let n = N - 1; n >= 2; n--) sum += n ** -k;
  const third = k * (k + 1) * (k + 2);
  const tail = N ** (1 - k) / (k - 1) + N ** -k / 2 + (k * N ** (-k - 1)) / 12;
  return sum + tail - (third * N ** (-k - 3)) / 720 + (third * (k + 3) * (k + 4) * N ** (-k - 5)) / 30240;
}

/** |sin πx|, from the exact distance to the nearest integer, so that it is right next to each. */
const distanceSine = (x: number): number => Math.sin(Math.PI * Math.abs(x - Math.round(x)));

/** Coefficients B_2k / 2k of the series of ψ (DLMF 5.11.2). */
const DIGAMMA_SERIES = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160];

/** ψ(x) = d/dx log Γ(x); NaN at the negative integers, ∓∞ at ±0. */
export function digamma(x: number): number {
  if (x === 0) return Object.is(x, -0) ? Infinity : -Infinity;
  if (x < 0) {
    if (Number.isInteger(x) || x === -Infinity) return Number.NaN;
    const r = x - Math.round(x);
    return digamma(1 - x) - Math.PI / Math.tan(Math.PI * r);
  }
  if (x === Infinity) return Infinity;
  let shifted = x;
  let sum = 0;
  while (shifted < 12) sum -= 1 / shifted++;
  const r = 1 / (shifted * shifted);
  let series = 0;
  for (let k = DIGAMMA_SERIES.length - 1; k >= 0; k--) series = (series + DIGAMMA_SERIES[k]!) * r;
  return sum + Math.log(shifted) - 0.5 / shifted - series;
}

/** erf by its Taylor series for |x| < 2.5, else 1 − erfc by the continued fraction (DLMF 7.6.2, 7.9.1). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x) || x === 0) return x;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  return Math.sign(x) * (1 - erfcTail(a));
}

/** erfc(x) for x ≥ 2 or so, by Lentz's continued fraction, evaluated backwards. */
function erfcTail(x: number): number {
  let f = x;
  for (let k = 80; k >= 1; k--) f = x + k / 2 / f;
  return Math.exp(-x * x) / (f * Math.sqrt(Math.PI));
}

/** The inverse of erf on (−1, 1): a start by Winitzki's formula, then Halley steps on erf or, in the tails, on log erfc. */
export function erfinv(y: number): number {
  if (Number.isNaN(y) || Math.abs(y) > 1) return Number.NaN;
  if (Math.abs(y) === 1) return y * Infinity;
  if (y === 0) return y;
  const a = Math.abs(y);
  const c = 0.147;
  const l = Math.log1p(-a * a);
  const h = 2 / (Math.PI * c) + l / 2;
  let x = Math.sqrt(Math.sqrt(h * h - l / c) - h);
  for (let i = 0; i < 4; i++) {
    const slope = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x);
    const error = x > 2 ? 1 - a - erfcTail(x) : erf(x) - a;
    const newton = error / slope;
    x -= newton / (1 + x * newton);
  }
  return Math.sign(y) * x;
}
