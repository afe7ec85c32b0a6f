import { concat, gather, iota, where } from "../tensor/functions.ts";
import { triangularSolve } from "../tensor/linalg.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { constants, LOG_2PI, part, standardLogProb, type VariationalFamily } from "./variational-family.ts";

/** The strictly lower triangle packed by rows, (1,0) (2,0) (2,1) …, as a matrix with zeros elsewhere. */
function strictlyLower(packed: Tensor, dim: number): Tensor {
  const [count, shape] = [(dim * (dim - 1)) / 2, [dim, dim]];
  if (count === 0) return constants(packed, 1, 0).reshape(shape);
  const [i, j] = [iota(packed, shape, 0, "f64"), iota(packed, shape, 1, "f64")];
  // The place after the last holds the zero of all the others.
  const place = where(j.lt(i), i.mul(i.sub(1)).mul(0.5).add(j), count);
  return gather(concat([packed, constants(packed, 1, 0)]), place.cast("u32"));
}

// q(x) = N(mean, L Lᵀ),  x = mean + L z        parameters: mean, log diag L, strict lower triangle of L by rows
/** The full-rank Gaussian, by the Cholesky factor of its covariance. */
export function fullRank(dim: number): VariationalFamily {
  const below = (dim * (dim - 1)) / 2;
  const meanOf = (params: Tensor) => part(params, 0, dim);
  const logDiagonal = (params: Tensor) => part(params, dim, dim);
  const factor = (params: Tensor) => {
    const shape = [dim, dim];
    const onDiagonal = iota(params, shape, 0).eq(iota(params, shape, 1));
    const lower = below ? strictlyLower(part(params, 2 * dim, below), dim) : constants(params, 1, 0).reshape(shape);
    return where(onDiagonal, logDiagonal(params).exp(), lower);
  };
  const draw = (params: Tensor, noise: Tensor) => noise.matmul(factor(params).transpose()).add(meanOf(params));
  return {
    name: "full-rank",
    dim,
    size: 2 * dim + below,
    noiseSize: dim,
    strata: 1,
    closedUnder: "affine",
    learningRate: 0.1,
    initial: (mean, scale) => Float64Array.from([...mean, ...scale.map(Math.log), ...new Float64Array(below)]),
    draw,
    logShares: null,
    logProb: (params, x) => {
      const solved = triangularSolve(factor(params), x.sub(meanOf(params)).transpose());
      return standardLogProb(solved.transpose()).sub(logDiagonal(params).sum());
    },
    drawWithLogProb: (params, noise) => ({
      x: draw(params, noise),
      logProb: standardLogProb(noise).sub(logDiagonal(params).sum()),
    }),
    entropy: (params) => logDiagonal(params).sum().add(0.5 * dim * (1 + LOG_2PI)), // biome-ignore format: short
    moments: (params) => {
      const entry = (i: number, j: number): number =>
        i === j ? Math.exp(params[dim + i]!) : params[2 * dim + (i * (i - 1)) / 2 + j]!;
      const covariance = new Float64Array(dim * dim);
      for (let i = 0; i < dim; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = 0;
          for (let k = 0; k <= j; k++) sum += entry(i, k) * entry(j, k);
          covariance[i * dim + j] = sum;
          covariance[j * dim + i] = sum;
        }
      }
      return { mean: params.slice(0, dim), covariance };
    },
    mapped: (params, { location, factor, diagonal }) => {
      const own = (i: number, j: number): number =>
        i === j ? Math.exp(params[dim + i]!) : params[2 * dim + (i * (i - 1)) / 2 + j]!;
      const outer = (i: number, k: number) => (diagonal ? (i === k ? factor[i]! : 0) : factor[i * dim + k]!);
      const out = params.slice();
      for (let i = 0; i < dim; i++) {
        let mean = location[i]!;
        for (let k = 0; k <= i; k++) mean += outer(i, k) * params[k]!;
        out[i] = mean;
        out[dim + i] = Math.log(outer(i, i)) + params[dim + i]!;
        // The product of two lower triangles is one.
        for (let j = 0; j < i; j++) {
          let sum = 0;
          for (let k = j; k <= i; k++) sum += outer(i, k) * own(k, j);
          out[2 * dim + (i * (i - 1)) / 2 + j] = sum;
        }
      }
      return out;
    },
  };
}
