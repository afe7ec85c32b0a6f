import type { CustomRule } from "../ops/vocabulary.ts";
import { div, where } from "../tensor/functions.ts";
import { Tensor } from "../tensor/tensor.ts";
import { polynomial } from "./special/polynomial.ts";

export const LOG_2PI = 1.8378770664093453;

/**
 * Mills' ratio M(t) = Φ(−t) / φ(t), t ≥ 0, is P(s) / (t + 1.5) with s = (t − 5) / (t + 5): the change of variable of
 * Shepherd and Laframboise 1981, Mathematics of Computation 36. Chebyshev fit by `python3 scripts/fit-mills-ratio.py`,
 * relative error 4e-16.
 */
// biome-ignore format: coefficients
const MILLS = [
  1.2532526806495525, -0.40928492036921904, 0.2232522817068801, -0.0763007275543842, -0.006199811215187734,
  0.03216007334926938, -0.026757580359882845, 0.013366792018315863, -0.003926124296420845, 0.00018782170369224644,
  0.0003813093670645573, -0.00013316945101087566, -1.6478521511342737e-05, 2.1117758631275812e-05,
  -1.0218595745974913e-06, -2.9721351288100246e-06, 4.1629587188058153e-07, 4.425822394508752e-07,
  -7.877716229229247e-08, -7.00618176065904e-08, 1.0862064541787426e-08, 1.005142061311086e-08,
  -8.650687249452231e-10, -8.786335128863878e-10,
];

/** 1 / M(t) = φ(t) / Φ(−t), the normal hazard, for t ≥ 0. */
const inverseMills = (t: Tensor): Tensor => t.add(1.5).div(polynomial(MILLS, div<Tensor>(-10, t.add(5)).add(1)));

/** log φ(z) = −½ z² − ½ log 2π */
const logNormalPdf = (z: Tensor): Tensor =>
  z
    .square()
    .mul(-0.5)
    .sub(0.5 * LOG_2PI);

/** d log Φ(z) / dz = φ(z) / Φ(z). Below 0 without subtracting two large numbers. */
export function normalHazard(z: Tensor): Tensor {
  const inverse = inverseMills(where(z.lt(0), z.neg(), z)); // |z|, whose slope at 0 is 1
  const density = logNormalPdf(z).exp();
  return where(z.lt(0), inverse, density.div(density.div(inverse).neg().add(1))); // above 0, Φ = 1 − φ M
}

/** One function for all traces, so that equal programs stay equal. */
const slope: CustomRule = (b, g, _y, [z]) => [new Tensor(b, g).mul(normalHazard(new Tensor(b, z!))).node];

/**
 * log Φ(z), the log distribution function of N(0, 1), elementwise: relative error about 1e-15 in both tails, where it
 * is −z²/2 − log(|z| √2π) below and −φ(z)/z above. Its derivative is the hazard φ/Φ, also exact in the tails.
 */
export function logNormalCdf(z: Tensor): Tensor {
  const tail = logNormalPdf(z).sub(inverseMills(z.abs()).log()); // log Φ(−|z|)
  const value = where(z.lt(0), tail, tail.exp().neg().log1p());
  return z.of(z.trace.customVjp(value.node, [z.node], slope));
}

/** log(1 − Φ(z)) */
export const logNormalSurvival = (z: Tensor): Tensor => logNormalCdf(z.neg());
