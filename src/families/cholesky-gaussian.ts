import { LOG_2PI } from "../nn/outputs/normal.ts";
import { concat, gather, iota, scatterAdd } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { GaussianVector } from "./gaussian-vector.ts";

/**
 * Row i and column j < i of each place t of a packed strictly lower triangle (1,0) (2,0) (2,1) …: i is the greatest integer with
 * i (i − 1) / 2 ≤ t. Square roots of squares are exact, so no place is off by one.
 */
function places(like: Tensor, count: number): { row: Tensor; column: Tensor } {
  const t = iota(like, [count], 0, "u32");
  const row = t.cast("f64").mul(8).add(1).sqrt().add(1).mul(0.5).floor();
  const first = row.mul(row.sub(1)).mul(0.5);
  return { row: row.cast("u32"), column: t.sub(first.cast("u32")) };
}

/** Σ_j lower_ij x_j for each row i of the triangle, [rows, d]. */
function lowerTimes(lower: Tensor, x: Tensor): Tensor {
  const [d, count] = [x.shape[1]!, lower.shape[1]!];
  const { row, column } = places(x, count);
  const products = lower.transpose().mul(gather(x.transpose(), column));
  return scatterAdd(products, row, d).transpose();
}

/** Σ_j lower_ij², [rows, d]. */
function squaredRows(lower: Tensor, d: number): Tensor {
  return scatterAdd(lower.square().transpose(), places(lower, lower.shape[1]!).row, d).transpose();
}

/** The noise that makes z: L x = z − mean by forward substitution. */
function noiseOf(
  z: Tensor,
  { mean, logDiagonal, lower }: Readonly<Record<"mean" | "logDiagonal" | "lower", Tensor>>,
): Tensor {
  const d = mean.shape[1]!;
  const scale = logDiagonal.neg().exp();
  const rest = z.sub(mean);
  const columns: Tensor[] = [];
  for (let i = 0, t = 0; i < d; t += i, i++) {
    let left = rest.narrow(1, i, 1);
    if (i > 0) left = left.sub(lower.narrow(1, t, i).mul(concat(columns, 1)).sum(1).reshape([z.shape[0]!, 1]));
    columns.push(left.mul(scale.narrow(1, i, 1)));
  }
  return concat(columns, 1);
}

// q(z) = N(mean, L Lᵀ),  z = mean + L noise,  log det L = Σ_j logDiagonal_j
// L is lower triangular: e^logDiagonal on the diagonal, `lower` packed by rows below it; d ≥ 2.
/** N(mean, L Lᵀ) of d coordinates, L lower triangular with e^logDiagonal on its diagonal: parameters mean [d], logDiagonal [d], lower [d (d − 1) / 2]. */
export const choleskyGaussian = (d: number): GaussianVector<"mean" | "logDiagonal" | "lower"> => ({
  sizes: { mean: d, logDiagonal: d, lower: (d * (d - 1)) / 2 },
  draw: ({ mean, logDiagonal, lower }, noise) => logDiagonal.exp().mul(noise).add(mean).add(lowerTimes(lower, noise)),
  logProbOfDraw: ({ logDiagonal }, noise) =>
    noise
      .square()
      .mul(-0.5)
      .sub(logDiagonal)
      .sub(0.5 * LOG_2PI)
      .sum(-1),
  logProb: (z, params) =>
    noiseOf(z, params)
      .square()
      .mul(-0.5)
      .sub(params.logDiagonal)
      .sub(0.5 * LOG_2PI)
      .sum(-1),
  // ½ Σ_i (mean_i² + Σ_j L_ij² − 1) − log L_ii, with mean and L in units of the prior's sd
  kl: ({ mean, logDiagonal, lower }, prior) => {
    const m = prior ? mean.sub(prior.mean).mul(prior.logSd.neg().exp()) : mean;
    const s = prior ? logDiagonal.sub(prior.logSd) : logDiagonal;
    const variance = s.mul(2).exp();
    const below = squaredRows(lower, d);
    const scaled = prior ? below.mul(prior.logSd.mul(-2).exp()) : below;
    return m.square().add(variance).add(scaled).sub(1).mul(0.5).sub(s).sum(-1);
  },
  entropy: ({ logDiagonal }) => logDiagonal.add(0.5 * (1 + LOG_2PI)).sum(-1),
  sd: ({ logDiagonal, lower }) => logDiagonal.mul(2).exp().add(squaredRows(lower, d)).sqrt(),
});
