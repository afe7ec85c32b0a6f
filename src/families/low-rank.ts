import { OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import { cholesky, identity, logDetCholesky, triangularSolve } from "../tensor/linalg.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { LOG_2PI, part, scaledHead, type VariationalFamily } from "./variational-family.ts";

// q(x) = N(mean, D² + F Fᵀ),  x = mean + D z + F w        parameters: mean, log diag D, F [dim, rank] by rows
// With C = I + Fᵀ D⁻² F of size rank: log det Σ = 2 Σ log D + log det C, and
// (x − m)ᵀ Σ⁻¹ (x − m) = |y|² − |C^{−½} Fᵀ D⁻¹ y|², y = D⁻¹ (x − m)  (Woodbury; Ong, Nott and Smith 2018)
/**
 * A Gaussian whose covariance is diagonal plus a matrix of low rank: `rank` directions of correlation.
 *
 * @throws OptionError unless rank is an integer of at least 1
 */
export function lowRank(dim: number, { rank }: { readonly rank: number }): VariationalFamily {
  if (!(Number.isInteger(rank) && rank >= 1))
    throw new OptionError(`lowRank takes a rank that is an integer from 1 on, not ${rank}`);
  const meanOf = (params: Tensor) => part(params, 0, dim);
  const logSd = (params: Tensor) => part(params, dim, dim);
  const loadings = (params: Tensor) => part(params, 2 * dim, dim * rank).reshape([dim, rank]);
  /** D⁻¹ F and the Cholesky factor of C. */
  const capacitance = (params: Tensor) => {
    const scaled = loadings(params).mul(logSd(params).neg().exp().reshape([dim, 1]));
    const factor = cholesky(scaled.transpose().matmul(scaled).add(identity(params, rank)));
    return { scaled, factor };
  };
  const logDeterminant = (params: Tensor, factor: Tensor) => logSd(params).sum().mul(2).add(logDetCholesky(factor)); // biome-ignore format: short
  return {
    name: "low-rank",
    dim,
    size: dim * (2 + rank),
    noiseSize: dim + rank,
    strata: 1,
    closedUnder: "diagonal",
    learningRate: 0.05,
    initial: (mean, scale, seed) => {
      // Loadings that are exactly 0 would have no gradient.
      const generator = new Generator(seed, "low-rank");
      const start = Float64Array.from(
        { length: dim * rank },
        (_, at) => 0.01 * scale[Math.floor(at / rank)]! * generator.normal(),
      );
      return Float64Array.from([...mean, ...scale.map(Math.log), ...start]);
    },
    draw: (params, noise) =>
      logSd(params)
        .exp()
        .mul(noise.narrow(1, 0, dim))
        .add(noise.narrow(1, dim, rank).matmul(loadings(params).transpose()))
        .add(meanOf(params)),
    logShares: null,
    logProb: (params, x) => {
      const { scaled, factor } = capacitance(params);
      const y = x.sub(meanOf(params)).mul(logSd(params).neg().exp());
      const explained = triangularSolve(factor, y.matmul(scaled).transpose()).square().sum(0);
      return y
        .square()
        .sum(1)
        .sub(explained)
        .add(logDeterminant(params, factor).add(dim * LOG_2PI))
        .mul(-0.5);
    },
    drawWithLogProb: null,
    entropy: (params) =>
      logDeterminant(params, capacitance(params).factor)
        .add(dim * (1 + LOG_2PI))
        .mul(0.5),
    moments: (params) => {
      const covariance = new Float64Array(dim * dim);
      const loading = (i: number, k: number) => params[2 * dim + i * rank + k]!;
      for (let i = 0; i < dim; i++) {
        for (let j = 0; j < dim; j++) {
          let sum = i === j ? Math.exp(2 * params[dim + i]!) : 0;
          for (let k = 0; k < rank; k++) sum += loading(i, k) * loading(j, k);
          covariance[i * dim + j] = sum;
        }
      }
      return { mean: params.slice(0, dim), covariance };
    },
    mapped: (params, map) => {
      if (!map.diagonal) return null;
      const out = scaledHead(params, map);
      for (let at = 0; at < dim * rank; at++) out[2 * dim + at]! *= map.factor[Math.floor(at / rank)]!;
      return out;
    },
  };
}
