import type { Shape } from "../base/shape.ts";
import { cholesky as choleskyFactors, positive, positiveDefinite, real } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import * as linalg from "../tensor/linalg.ts";
import { type Key, normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { column } from "./category-table.ts";
import { distribution, parameterisations } from "./distribution.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";

const nu = { support: positive, rank: 0 } as const;
const location = { support: real, rank: 1 } as const;
const size = (matrix: Tensor): number[] => matrix.shape.slice(-1) as number[];

// With scale matrix L Lᵀ and z = L⁻¹ (x − location):
// log p(x) = lgamma((ν+n)/2) − lgamma(ν/2) − n/2 log(νπ) − Σ log L_ii − (ν+n)/2 log(1 + zᵀz/ν)
function logProb(x: Tensor, nu: Tensor, location: Tensor, l: Tensor): Tensor {
  const n = l.shape.at(-1)!;
  const z = linalg.triangularSolveVector(l, x.sub(location));
  const half = nu.add(n).mul(0.5);
  const constant = half.lgamma().sub(nu.mul(0.5).lgamma()).sub(nu.mul(Math.PI).log().mul(0.5 * n)); // biome-ignore format: the formula
  return constant.sub(linalg.diagonal(l).log().sum(-1)).sub(half.mul(z.square().sum(-1).div(nu).log1p())); // biome-ignore format: the formula
}

/** location + L z √(ν/2 / G), z from N(0, I), G from Gamma(ν/2, 1). */
function draw(key: Key<Tensor>, nu: Tensor, location: Tensor, l: Tensor, batch: Shape): Tensor {
  const noise = normal(key.site("normal"), [...batch, ...size(l)], "f64");
  const half = nu.mul(0.5);
  const stretch = half
    .log()
    .sub(logGammaDraw(key.site("gamma"), half, batch))
    .mul(0.5)
    .exp();
  return linalg.matvec(linalg.tril(l), noise).mul(column(stretch)).add(location);
}

const meanOf = (nu: Tensor, location: Tensor): Tensor => where(column(nu.gt(1)), location, Number.NaN);

/** ν / (ν − 2) times the diagonal of the scale matrix for ν > 2, infinite down to ν = 1. */
function varianceOf(nu: Tensor, diagonal: Tensor): Tensor {
  const finite = nu.gt(2);
  const factor = nu.div(where(finite, nu, 3).sub(2));
  const infinite = where(nu.gt(1), nu.mul(0).add(Infinity), Number.NaN);
  return column(where(finite, factor, infinite)).mul(diagonal);
}

const byScale = distribution({
  name: "multivariateStudentT",
  params: { nu, location, scale: { support: positiveDefinite, rank: 2 } },
  eventRank: 1,
  eventShape: ({ scale }) => size(scale),
  support: () => real,
  logProb: (x, { nu, location, scale }) => logProb(x, nu, location, linalg.cholesky(scale)),
  sample: (key, { nu, location, scale }, batch) => draw(key, nu, location, linalg.cholesky(scale), batch),
  reparameterised: "implicit",
  mean: ({ nu, location }) => meanOf(nu, location),
  variance: ({ nu, scale }) => varianceOf(nu, linalg.diagonal(scale)),
});

const byCholesky = distribution({
  name: "multivariateStudentT",
  params: { nu, location, cholesky: { support: choleskyFactors, rank: 2 } },
  eventRank: 1,
  eventShape: ({ cholesky }) => size(cholesky),
  support: () => real,
  logProb: (x, { nu, location, cholesky }) => logProb(x, nu, location, cholesky),
  sample: (key, { nu, location, cholesky }, batch) => draw(key, nu, location, cholesky, batch),
  reparameterised: "implicit",
  mean: ({ nu, location }) => meanOf(nu, location),
  variance: ({ nu, cholesky }) => varianceOf(nu, linalg.tril(cholesky).square().sum(-1)),
});

/**
 * A Student t vector with ν degrees of freedom, by its scale matrix [n, n] (the covariance is ν / (ν − 2) times it) or that one's lower Cholesky factor:
 * `multivariateStudentT(nu, location, scale)` or `multivariateStudentT({ nu, location, cholesky })`.
 */
export const multivariateStudentT = parameterisations(byScale, byCholesky);
