import type { Chains } from "./chains.ts";
import { mean } from "./moments.ts";

/** Up to here lags are summed one by one; a chain that needs more is slow enough to be worth a Fourier transform. */
const DIRECT_LAGS = 64;

/**
 * The autocovariance at each lag t, (1/n) Σ_i (x_i − x̄)(x_{i+t} − x̄), averaged over chains, each about its own mean. Lags are
 * computed when they are asked for: a chain that mixes asks for few.
 */
export function meanAutocovariance(chains: Chains): (lag: number) => number {
  const centred = chains.map((chain) => {
    const centre = mean(chain);
    return chain.map((value) => value - centre);
  });
  let byFourier: Float64Array | null = null;
  return (lag) => {
    if (lag >= DIRECT_LAGS) byFourier ??= allLags(centred);
    if (byFourier) return byFourier[lag]!;
    let sum = 0;
    for (const chain of centred) {
      for (let i = lag; i < chain.length; i++) sum += chain[i]! * chain[i - lag]!;
    }
    return sum / (chains.length * chains[0]!.length);
  };
}

/** All lags at once: the inverse transform of the power spectrum (Wiener and Khinchin), zero-padded so that none wraps. */
function allLags(centred: Chains): Float64Array {
  const draws = centred[0]!.length;
  let size = 1;
  while (size < 2 * draws) size *= 2;
  const power = new Float64Array(size);
  // Two real chains go through one complex transform: |F(a)|² + |F(b)|² is the even part of |F(a + ib)|². The odd part ends in
  // the imaginary part of the result, which is dropped.
  for (let c = 0; c < centred.length; c += 2) {
    const real = new Float64Array(size);
    const imaginary = new Float64Array(size);
    real.set(centred[c]!);
    if (c + 1 < centred.length) imaginary.set(centred[c + 1]!);
    fourier(real, imaginary);
    for (let k = 0; k < size; k++) power[k]! += real[k]! ** 2 + imaginary[k]! ** 2;
  }
  const imaginary = new Float64Array(size);
  // Of an even spectrum the forward transform is the inverse one up to its factor.
  fourier(power, imaginary);
  return power.subarray(0, draws).map((value) => value / (size * centred.length * draws));
}

/** The discrete Fourier transform in place, radix 2 (Cooley and Tukey 1965); the length must be a power of 2. */
function fourier(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j]!, real[i]!];
      [imaginary[i], imaginary[j]] = [imaginary[j]!, imaginary[i]!];
    }
  }
  for (let length = 2; length <= size; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      // One sine and cosine per twiddle factor, not a recurrence, which would lose digits.
      const cosine = Math.cos((-2 * Math.PI * k) / length);
      const sine = Math.sin((-2 * Math.PI * k) / length);
      for (let even = k; even < size; even += length) {
        const odd = even + half;
        const re = real[odd]! * cosine - imaginary[odd]! * sine;
        const im = real[odd]! * sine + imaginary[odd]! * cosine;
        real[odd] = real[even]! - re;
        imaginary[odd] = imaginary[even]! - im;
        real[even]! += re;
        imaginary[even]! += im;
      }
    }
  }
}
