import { LOG_2PI, part, scaledHead, standardLogProb, type VariationalFamily } from "./variational-family.ts";

// q(x) = Π_j N(x_j; mean_j, sd_j),  x = mean + sd ∘ z        parameters: mean, log sd
/** The mean-field Gaussian: independent coordinates. */
export const meanField = (dim: number): VariationalFamily => ({
  name: "mean-field",
  dim,
  size: 2 * dim,
  noiseSize: dim,
  strata: 1,
  closedUnder: "diagonal",
  learningRate: 0.1,
  initial: (mean, scale) => Float64Array.from([...mean, ...scale.map(Math.log)]),
  draw: (params, noise) =>
    part(params, dim, dim)
      .exp()
      .mul(noise)
      .add(part(params, 0, dim)),
  logShares: null,
  logProb: (params, x) => {
    const logSd = part(params, dim, dim);
    return standardLogProb(x.sub(part(params, 0, dim)).mul(logSd.neg().exp())).sub(logSd.sum());
  },
  drawWithLogProb: (params, noise) => ({
    x: part(params, dim, dim)
      .exp()
      .mul(noise)
      .add(part(params, 0, dim)),
    logProb: standardLogProb(noise).sub(part(params, dim, dim).sum()),
  }),
  entropy: (params) => part(params, dim, dim).sum().add(0.5 * dim * (1 + LOG_2PI)), // biome-ignore format: short
  moments: (params) => ({
    mean: params.slice(0, dim),
    covariance: Float64Array.from({ length: dim * dim }, (_, at) =>
      at % (dim + 1) === 0 ? Math.exp(2 * params[dim + at / (dim + 1)]!) : 0,
    ),
  }),
  mapped: (params, map) => (map.diagonal ? scaledHead(params, map) : null),
});
