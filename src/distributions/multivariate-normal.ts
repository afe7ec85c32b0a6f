import { cholesky as choleskyFactors, positiveDefinite, real } from "../constraints/support.ts";
import { transpose } from "../tensor/functions.ts";
import * as linalg from "../tensor/linalg.ts";
import { normal } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { distribution, type ParamValue, parameterisations } from "./distribution.ts";

const LOG_2PI = Math.log(2 * Math.PI);
const mean = { support: real, rank: 1 } as const;
const half = (z: Tensor): Tensor => z.square().sum(-1).mul(-0.5);
const constant = (matrix: Tensor): number => -0.5 * LOG_2PI * matrix.shape.at(-1)!;
const size = (matrix: Tensor): number[] => matrix.shape.slice(-1) as number[];
/** A number for the mean stands for all its elements. */
const meanOf = (mean: Tensor, matrix: Tensor): Tensor => mean.add(linalg.diagonal(matrix).mul(0));

// With covariance L Lᵀ and z = L⁻¹ (x − mean): log p(x) = −½ zᵀz − Σ log L_ii − (n/2) log 2π
function logProbByCholesky(x: Tensor, mean: Tensor, l: Tensor): Tensor {
  const z = linalg.triangularSolveVector(l, x.sub(mean));
  return half(z).sub(linalg.diagonal(l).log().sum(-1)).add(constant(l));
}

const drawByCholesky = (noise: Tensor, mean: Tensor, l: Tensor): Tensor => linalg.matvec(linalg.tril(l), noise).add(mean); // biome-ignore format: short

const byCovariance = distribution({
  name: "multivariateNormal",
  params: { mean, covariance: { support: positiveDefinite, rank: 2 } },
  eventRank: 1,
  eventShape: ({ covariance }) => size(covariance),
  support: () => real,
  logProb: (x, { mean, covariance }) => logProbByCholesky(x, mean, linalg.cholesky(covariance)),
  sample: (key, { mean, covariance }, batch) =>
    drawByCholesky(normal(key, [...batch, ...size(covariance)], "f64"), mean, linalg.cholesky(covariance)),
  reparameterised: "explicit",
  mean: ({ mean, covariance }) => meanOf(mean, covariance),
  variance: ({ covariance }) => linalg.diagonal(covariance),
});

const byCholesky = distribution({
  name: "multivariateNormal",
  params: { mean, cholesky: { support: choleskyFactors, rank: 2 } },
  eventRank: 1,
  eventShape: ({ cholesky }) => size(cholesky),
  support: () => real,
  logProb: (x, { mean, cholesky }) => logProbByCholesky(x, mean, cholesky),
  sample: (key, { mean, cholesky }, batch) =>
    drawByCholesky(normal(key, [...batch, ...size(cholesky)], "f64"), mean, cholesky),
  reparameterised: "explicit",
  mean: ({ mean, cholesky }) => meanOf(mean, cholesky),
  variance: ({ cholesky }) => linalg.tril(cholesky).square().sum(-1),
});

// With precision R Rᵀ: z = Rᵀ (x − mean), log p(x) = −½ zᵀz + Σ log R_ii − (n/2) log 2π, and draws are mean + R⁻ᵀ noise
const byPrecision = distribution({
  name: "multivariateNormal",
  params: { mean, precision: { support: positiveDefinite, rank: 2 } },
  eventRank: 1,
  eventShape: ({ precision }) => size(precision),
  support: () => real,
  logProb: (x, { mean, precision }) => {
    const r = linalg.cholesky(precision);
    const z = linalg.matvec(transpose(r), x.sub(mean));
    return half(z).add(linalg.diagonal(r).log().sum(-1)).add(constant(precision));
  },
  sample: (key, { mean, precision }, batch) => {
    const noise = normal(key, [...batch, ...size(precision)], "f64");
    return linalg.triangularSolveVector(linalg.cholesky(precision), noise, { transpose: true }).add(mean);
  },
  reparameterised: "explicit",
  mean: ({ mean, precision }) => meanOf(mean, precision),
  variance: ({ precision }) => linalg.diagonal(linalg.inverseFromCholesky(linalg.cholesky(precision))),
});

type Named = Readonly<Partial<Record<"mean" | "covariance" | "precision" | "cholesky", ParamValue>>>;

/** A number for the mean as the vector of which it is every element. */
function vectorOf(mean: ParamValue | undefined, matrix: ParamValue | undefined): ParamValue | undefined {
  const n = matrix instanceof Tensor ? matrix.shape.at(-1) : Array.isArray(matrix) ? matrix.length : undefined;
  if (n === undefined) return mean;
  if (typeof mean === "number") return Array(n).fill(mean) as number[];
  return mean instanceof Tensor && mean.shape.length === 0 ? mean.broadcastTo([n]) : mean;
}

const byAny = parameterisations(byCovariance, byPrecision, byCholesky);
const call = (first: ParamValue | Named, ...rest: readonly ParamValue[]) => {
  if (typeof first !== "object" || Array.isArray(first) || first instanceof Tensor) {
    return byAny(vectorOf(first as ParamValue, rest[0])!, ...rest);
  }
  const named = first as Named;
  const vector = vectorOf(named.mean, named.covariance ?? named.precision ?? named.cholesky);
  return byAny({ ...named, ...(vector !== undefined && { mean: vector }) } as {
    mean: ParamValue;
    covariance: ParamValue;
  });
};
Object.defineProperty(call, "name", { value: byAny.name });

/**
 * A Gaussian vector, by the covariance, its inverse or its lower Cholesky factor, each of shape [n, n]:
 * `multivariateNormal(mean, covariance)`, `multivariateNormal({ mean, precision })`, `multivariateNormal({ mean, cholesky })`. Of a
 * matrix the lower triangle is read; a number for the mean stands for all of its elements.
 */
export const multivariateNormal = Object.assign(call, byAny) as unknown as typeof byAny;
