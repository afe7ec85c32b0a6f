import type { Shape } from "../base/shape.ts";
import { iota, where } from "../tensor/functions.ts";
import { diagonal, diagonalMatrix } from "../tensor/linalg.ts";
import { type Key, normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { column } from "./category-table.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";

/** df / 2, (df − 1) / 2, …: [..., n]. */
const halves = (df: Tensor, n: number): Tensor =>
  column(df)
    .sub(iota(df, [n], 0, "f64"))
    .mul(0.5);

/** log Γ_n(df / 2) = n (n − 1) / 4 log π + Σ_{j < n} lgamma((df − j) / 2), where df > n − 1; below, where lgamma has values too, NaN. */
export const logMultivariateGamma = (df: Tensor, n: number): Tensor =>
  where(df.gt(n - 1), halves(df, n).lgamma().sum(-1).add(((n * (n - 1)) / 4) * Math.log(Math.PI)), Number.NaN); // biome-ignore format: the formula

/**
 * Lower triangular A [...batch, n, n] with A Aᵀ from the Wishart distribution of scale I (Bartlett 1933): standard normals below the
 * diagonal, on it roots of χ² with df, df − 1, … degrees of freedom.
 */
export function bartlett(key: Key<Tensor>, df: Tensor, n: number, batch: Shape): Tensor {
  const roots = logGammaDraw(key.site("diagonal"), halves(df, n), [...batch, n])
    .add(Math.LN2)
    .mul(0.5)
    .exp();
  const noise = normal(key.site("below"), [...batch, n, n], "f64");
  return where<Tensor>(iota(noise, [n, n], 0).gt(iota(noise, [n, n], 1)), noise, diagonalMatrix(roots));
}

/** v_ii v_jj: [..., n, n]. */
export function diagonalProducts(v: Tensor): Tensor {
  const d = diagonal(v);
  return column(d).mul(d.reshape([...d.shape.slice(0, -1), 1, d.shape.at(-1)!]));
}

/** A number for each matrix, to go with its elements. */
export const perMatrix = (x: Tensor): Tensor => x.reshape([...x.shape, 1, 1]);
