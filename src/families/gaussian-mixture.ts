import { OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { LOG_2PI, part, type VariationalFamily } from "./variational-family.ts";

export interface MixtureOptions {
  readonly components: number;
  /** How far from each other the components begin, in standard deviations. Default 1. */
  readonly spread?: number;
}

// q(x) = Σ_k w_k Π_j N(x_j; mean_kj, sd_kj)        parameters: logits of w [K], means [K, dim], log sds [K, dim]
/**
 * A mixture of Gaussians with independent coordinates within each. Objectives take their expectation over the components exactly and
 * draw from each of them, so that the weights have gradients too (Morningstar et al. 2021, "Automatic differentiation variational
 * inference with mixtures").
 *
 * @throws OptionError unless there are at least two components
 */
export function gaussianMixture(dim: number, { components: K, spread = 1 }: MixtureOptions): VariationalFamily {
  if (!(Number.isInteger(K) && K >= 2))
    throw new OptionError(`gaussianMixture takes two components or more, not ${K}; for one there is meanField`);
  const means = (params: Tensor) => part(params, K, K * dim).reshape([K, 1, dim]);
  const logSds = (params: Tensor) => part(params, K + K * dim, K * dim).reshape([K, 1, dim]);
  const logShares = (params: Tensor) => {
    const logits = part(params, 0, K);
    return logits.sub(logits.logsumexp());
  };
  return {
    name: "mixture",
    dim,
    size: K * (1 + 2 * dim),
    noiseSize: dim,
    strata: K,
    closedUnder: "diagonal",
    learningRate: 0.05,
    initial: (mean, scale, seed) => {
      const generator = new Generator(seed, "mixture");
      const params = new Float64Array(K * (1 + 2 * dim));
      for (let at = 0; at < K * dim; at++) {
        const j = at % dim;
        params[K + at] = mean[j]! + spread * scale[j]! * generator.normal();
        params[K + K * dim + at] = Math.log(scale[j]!);
      }
      return params;
    },
    draw: (params, noise) => {
      const n = noise.shape[0]! / K;
      return logSds(params).exp().mul(noise.reshape([K, n, dim])).add(means(params)).reshape([K * n, dim]); // biome-ignore format: short
    },
    logShares,
    logProb: (params, x) => {
      const z = x.reshape([1, x.shape[0]!, dim]).sub(means(params)).mul(logSds(params).neg().exp());
      const each = z.square().add(LOG_2PI).mul(-0.5).sub(logSds(params)).sum(2);
      return each.add(logShares(params).reshape([K, 1])).logsumexp(0);
    },
    drawWithLogProb: null,
    entropy: null,
    moments: (params) => {
      const shares = softmaxOf(params.subarray(0, K));
      const mean = new Float64Array(dim);
      const covariance = new Float64Array(dim * dim);
      const meanOf = (k: number, j: number) => params[K + k * dim + j]!;
      for (let k = 0; k < K; k++) for (let j = 0; j < dim; j++) mean[j]! += shares[k]! * meanOf(k, j);
      for (let k = 0; k < K; k++) {
        for (let i = 0; i < dim; i++) {
          for (let j = 0; j < dim; j++) {
            const own = i === j ? Math.exp(2 * params[K + K * dim + k * dim + i]!) : 0;
            covariance[i * dim + j]! += shares[k]! * (own + (meanOf(k, i) - mean[i]!) * (meanOf(k, j) - mean[j]!));
          }
        }
      }
      return { mean, covariance };
    },
    mapped: (params, { location, factor, diagonal }) => {
      if (!diagonal) return null;
      const out = params.slice();
      for (let at = 0; at < K * dim; at++) {
        out[K + at] = location[at % dim]! + factor[at % dim]! * params[K + at]!;
        out[K + K * dim + at]! += Math.log(factor[at % dim]!);
      }
      return out;
    },
  };
}

function softmaxOf(logits: Float64Array): Float64Array {
  const greatest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = logits.map((l) => Math.exp(l - greatest));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}
