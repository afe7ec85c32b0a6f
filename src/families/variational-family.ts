import { full, gather, iota, where } from "../tensor/functions.ts";
import { type Key, normal, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Moments {
  /** [dim]. */
  readonly mean: Float64Array;
  /** [dim, dim]. */
  readonly covariance: Float64Array;
}

/** x = location + factor · y, with a lower triangular factor [dim, dim] or its diagonal [dim]. */
export interface AffineMap {
  readonly location: Float64Array;
  readonly factor: Float64Array;
  readonly diagonal: boolean;
}

/**
 * Densities q on R^dim that share a form, with all their parameters in one flat vector. A draw is a smooth function of the parameters
 * and of standard normal noise.
 */
export interface VariationalFamily {
  readonly name: string;
  readonly dim: number;
  /** Numbers in the parameter vector. */
  readonly size: number;
  /** Standard normal numbers that one draw takes. */
  readonly noiseSize: number;
  /** Into how many parts q is split, each of which is drawn from by itself: the components of a mixture. 1 elsewhere. */
  readonly strata: number;
  /** Whether q stays in the family under any affine map, or only under those that act on each coordinate alone. */
  readonly closedUnder: "affine" | "diagonal";
  /** A step of Adam that suits parameters which begin at `initial(0, 1)`, for a target of about unit scale. */
  readonly learningRate: number;
  /** Parameters of a q with about this mean and these standard deviations, both [dim]. */
  initial(mean: Float64Array, scale: Float64Array, seed: number): Float64Array;
  /** Draws [strata · n, dim], stratum by stratum, from noise of shape [strata · n, noiseSize]. */
  draw(params: Tensor, noise: Tensor): Tensor;
  /** n draws [n, dim] from a key, in place of `draw`, where a draw is no function of normal noise. */
  readonly drawByKey?: (params: Tensor, key: Key<Tensor>, n: number) => Tensor;
  /** log of each stratum's share of q, [strata]; null where there is one. */
  readonly logShares: ((params: Tensor) => Tensor) | null;
  /** log q at the rows of x, [n]. */
  logProb(params: Tensor, x: Tensor): Tensor;
  /** A draw with log q there, where that costs less than `logProb`. */
  readonly drawWithLogProb:
    | ((params: Tensor, noise: Tensor) => { readonly x: Tensor; readonly logProb: Tensor })
    | null;
  /** −E_q log q in closed form, []. */
  readonly entropy: ((params: Tensor) => Tensor) | null;
  /** Mean and covariance in closed form. */
  readonly moments: ((params: Float64Array) => Moments) | null;
  /** The parameters of x where `params` are those of y; null where x is not in the family. */
  mapped(params: Float64Array, map: AffineMap): Float64Array | null;
}

export const LOG_2PI = Math.log(2 * Math.PI);

/** Elements `from` … `from + size − 1` of the parameter vector. */
export const part = (params: Tensor, from: number, size: number): Tensor => params.narrow(0, from, size);

/** Σ_j log N(z_j; 0, 1) for each row of z. */
export const standardLogProb = (z: Tensor): Tensor => z.square().add(LOG_2PI).mul(-0.5).sum(-1);

/** Draws with log q at each, in the cheapest way that the family offers. */
export function drawWithLogProb(
  family: VariationalFamily,
  params: Tensor,
  noise: Tensor,
): { readonly x: Tensor; readonly logProb: Tensor } {
  if (family.drawWithLogProb) return family.drawWithLogProb(params, noise);
  const x = family.draw(params, noise);
  return { x, logProb: family.logProb(params, x) };
}

/** n draws from each stratum, [strata · n, dim], that carry the gradient in the parameters. */
export function drawFrom(family: VariationalFamily, params: Tensor, key: Key<Tensor>, n: number): Tensor {
  if (family.drawByKey) return family.drawByKey(params, key.site("noise"), n);
  return family.draw(params, normal(key.site("noise"), [family.strata * n, family.noiseSize], "f64"));
}

/** n independent draws from q, [n, dim]: each from a stratum that was drawn by its share. */
export function sample(family: VariationalFamily, params: Tensor, key: Key<Tensor>, n: number): Tensor {
  const { strata, dim } = family;
  const drawn = drawFrom(family, params, key, n);
  if (strata === 1) return drawn;
  const shares = family.logShares!(params).exp();
  // The stratum is how many partial sums of the shares lie below a uniform number.
  const i = iota(params, [strata, strata], 0);
  const j = iota(params, [strata, strata], 1);
  const partial = where(j.le(i), shares.reshape([1, strata]), 0).sum(1);
  const u = uniform(key.site("stratum"), [n], "f64");
  const below = partial
    .reshape([1, strata])
    .lt(u.reshape([n, 1]))
    .cast("f64")
    .sum(1);
  const stratum = below.minimum(strata - 1);
  const row = stratum.mul(n).add(iota(params, [n], 0, "f64"));
  return gather(drawn, row.cast("u32")).reshape([n, dim]);
}

/** A constant vector of the parameters' type. */
export const constants = (like: Tensor, size: number, value: number): Tensor => full(like, [size], value);

/** Mean and log standard deviations at the head of the vector, mapped coordinate by coordinate; the rest as it is. */
export function scaledHead(params: Float64Array, { location, factor }: AffineMap): Float64Array {
  const dim = location.length;
  return params.map((p, i) => {
    if (i < dim) return location[i]! + factor[i]! * p;
    return i < 2 * dim ? p + Math.log(factor[i - dim]!) : p;
  });
}
