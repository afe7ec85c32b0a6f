import { OptionError } from "../base/errors.ts";
import { correlationCholesky, positive } from "../constraints/support.ts";
import { and, iota, where } from "../tensor/functions.ts";
import { diagonal, diagonalMatrix, tril } from "../tensor/linalg.ts";
import { normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { column } from "./category-table.ts";
import { type Callable, type Distribution, distribution, type Given, type ParamValue } from "./distribution.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";

/** How far from 1 the squared length of a row may be. */
const TOLERANCE = 1e-8;

/** 0, 1, …, n − 1. */
const upTo = (like: Tensor, n: number): Tensor => iota(like, [n], 0, "f64");

/**
 * log of the integral of Π det^(η − 1) over all correlation matrices of size n (Lewandowski, Kurowicka and Joe 2009, eq. 17):
 * Σ_{k = 1}^{n − 1} (k/2) log π + lgamma(η + (n − 1 − k) / 2) − lgamma(η + (n − 1) / 2)
 */
const logNormaliser = (concentration: Tensor, n: number): Tensor =>
  column(concentration)
    .add(upTo(concentration, n - 1).mul(0.5))
    .lgamma()
    .sum(-1)
    .sub(concentration.add((n - 1) / 2).lgamma().mul(n - 1)) // biome-ignore format: one term a line
    .add(((n * (n - 1)) / 4) * Math.log(Math.PI));

/** The family for matrices of `n` rows. */
const ofSize = (n: number): Callable<"concentration"> =>
  distribution({
    name: `lkjCholesky(${n})`,
    params: { concentration: { support: positive, rank: 0, default: 1 } },
    eventRank: 2,
    eventShape: () => [n, n],
    support: () => correlationCholesky,
    // log p(L) = Σ_{i = 2}^n (n − i + 2η − 2) log L_ii − log normaliser, over the strictly lower triangle
    logProb: (x, { concentration }) => {
      const diagonals = diagonal(x).narrow(-1, 1, n - 1);
      const unit = tril(x).square().sum(-1).sub(1).abs().max(-1).le(TOLERANCE);
      const inside = and<Tensor>(unit, diagonals.neg().max(-1).lt(0));
      const logs = where<Tensor>(column(inside), diagonals, 1).log();
      const powers = column(concentration).mul(2).add(upTo(x, n - 1).neg().add(n - 4)); // biome-ignore format: the formula
      const value = powers.mul(logs).sum(-1).sub(logNormaliser(concentration, n));
      return where<Tensor>(inside, value, Number.NEGATIVE_INFINITY);
    },
    // The onion method by rows. Before its last element row i has a uniform direction and squared length Beta((i − 1)/2, η +
    // (n − i)/2): the length of i − 1 normals beside √(2 G), G gamma distributed, once the row is scaled to length 1.
    sample: (key, { concentration }, batch) => {
      const shapes = column(concentration).add(upTo(concentration, n).neg().add(n - 1).mul(0.5)); // biome-ignore format: the formula
      const last = logGammaDraw(key.site("diagonal"), shapes, [...batch, n])
        .add(Math.LN2)
        .mul(0.5)
        .exp();
      const noise = normal(key.site("direction"), [...batch, n, n], "f64");
      const [i, j] = [iota(noise, [n, n], 0), iota(noise, [n, n], 1)];
      const rows = where<Tensor>(i.gt(j), noise, diagonalMatrix(last));
      return rows.div(column(rows.square().sum(-1).sqrt()));
    },
    reparameterised: "implicit",
  });

/**
 * Lower Cholesky factors [n, n] of correlation matrices whose density is proportional to det^(concentration − 1): 1 is uniform
 * over the matrices, more prefers weak correlations (Lewandowski, Kurowicka and Joe 2009).
 *
 * @param size           rows of the matrix, an integer of at least 2
 * @param concentration  above 0, by default 1; or by name
 * @throws OptionError   when the size is none
 */
export function lkjCholesky(
  size: number,
  ...concentration: readonly [(ParamValue | Partial<Given<"concentration">>)?]
): Distribution<"concentration"> {
  if (!Number.isInteger(size) || size < 2) {
    throw new OptionError(
      `lkjCholesky: the size is ${size}, but it must be an integer of at least 2, the number of rows`,
    );
  }
  return ofSize(size)(...(concentration as readonly ParamValue[]));
}
