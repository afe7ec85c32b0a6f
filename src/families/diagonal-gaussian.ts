import { LOG_2PI, normal } from "../nn/outputs/normal.ts";
import type { GaussianVector } from "./gaussian-vector.ts";

// q(z) = Π_j N(z_j; mean_j, sd_j),  z = mean + sd · noise        logSd = log sd
/** N(mean, e^(2 logSd)) of d independent coordinates: parameters mean [d] and logSd [d]. */
export const diagonalGaussian = (d: number): GaussianVector<"mean" | "logSd"> => ({
  sizes: { mean: d, logSd: d },
  draw: ({ mean, logSd }, noise) => logSd.exp().mul(noise).add(mean),
  logProbOfDraw: ({ logSd }, noise) =>
    noise
      .square()
      .mul(-0.5)
      .sub(logSd)
      .sub(0.5 * LOG_2PI)
      .sum(-1),
  logProb: (z, params) => normal.logProb(z, params).sum(-1),
  // ½ Σ_j (mean_j² + sd_j² − 1) − log sd_j (Kingma and Welling 2014, appendix B)
  kl: ({ mean, logSd }, prior) => {
    const m = prior ? mean.sub(prior.mean).mul(prior.logSd.neg().exp()) : mean;
    const s = prior ? logSd.sub(prior.logSd) : logSd;
    return m.square().add(s.mul(2).exp()).sub(1).mul(0.5).sub(s).sum(-1);
  },
  entropy: ({ logSd }) => logSd.add(0.5 * (1 + LOG_2PI)).sum(-1),
  sd: ({ logSd }) => logSd.exp(),
});
