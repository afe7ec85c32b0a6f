import { OptionError } from "../base/errors.ts";
import { Generator } from "../base/generator.ts";
import { showShape, sizeOf } from "../base/shape.ts";
import { type Draws, drawsOf, type SiteDraws } from "./draws.ts";
import { constrain, type StoredSupport, unconstrainedSize } from "./host-transforms.ts";

/** Which part of the unconstrained vector a site is made of, and how. */
export interface StoredCoordinates {
  readonly name: string;
  /** Of the site's value, plates included. */
  readonly shape: readonly number[];
  readonly offset: number;
  /** Null where the ends of the support depend on other sites: then no new draws can be made of it without the model. */
  readonly support: StoredSupport | null;
}

/** A numeric array by its shape. */
export interface StoredArray {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/**
 * q in unconstrained coordinates, as data. Families that can be drawn from without the model:
 *
 *  - `meanField` N(mean, diag(sd²)): `mean` and `sd` [dim]
 *  - `fullRank`  N(mean, L Lᵀ): `mean` [dim], `factor` L [dim, dim], lower triangular
 *  - `lowRank`   N(mean, F Fᵀ + diag(sd²)): `mean` and `sd` [dim], `factor` F [dim, rank]
 *
 * Other families keep their parameters under names of their own.
 */
export interface StoredApproximation {
  readonly family: string;
  readonly dim: number;
  readonly sites: readonly StoredCoordinates[];
  readonly tensors: Readonly<Record<string, StoredArray>>;
}

/** Families that `drawStored` knows, and the arrays each has. */
const gaussianFamilies: Readonly<Record<string, readonly string[]>> = {
  meanField: ["mean", "sd"],
  fullRank: ["mean", "factor"],
  lowRank: ["mean", "sd", "factor"],
};

/** Whether `drawStored` can draw from it. */
export const canDraw = ({ family, sites }: StoredApproximation): boolean =>
  Object.hasOwn(gaussianFamilies, family) && sites.every(({ support }) => support !== null);

/**
 * New draws of the latent sites from a stored q, as one chain. The same seed gives the same draws.
 *
 * @throws OptionError for a family that is not Gaussian, for supports that depend on other sites, and where arrays are missing
 */
export function drawStored(approximation: StoredApproximation, count: number, seed: number): Draws {
  const { dim, sites } = approximation;
  const u = unconstrainedDraws(approximation, count, seed);
  const values = sites.map(({ name, shape, offset, support }): [string, SiteDraws] => {
    if (!support) {
      throw new OptionError(
        `the support of "${name}" depends on other sites, so that new draws need the model. The stored draws have it.`,
      );
    }
    if (offset + unconstrainedSize(support, shape) > dim) {
      throw new OptionError(
        `"${name}", ${support.kind} of shape ${showShape(shape)}, starts at coordinate ${offset} of ${dim} and does ` +
          "not fit. The file was written by something else, or is damaged.",
      );
    }
    const size = sizeOf(shape);
    const out = new Float64Array(count * size);
    for (let s = 0; s < count; s++) constrain(support, shape, u, s * dim + offset, out, s * size);
    return [name, { shape, values: out }];
  });
  return drawsOf(1, count, Object.fromEntries(values));
}

/** mean + L z, or mean + sd z, or mean + sd z + F e; [count, dim]. */
function unconstrainedDraws(approximation: StoredApproximation, count: number, seed: number): Float64Array {
  const { family, dim } = approximation;
  if (!Object.hasOwn(gaussianFamilies, family)) {
    throw new OptionError(
      `new draws from the family "${family}" need the model; without it they can be made from ` +
        `${Object.keys(gaussianFamilies).join(", ")}. Use the draws that the file holds.`,
    );
  }
  const arrays = Object.fromEntries(gaussianFamilies[family]!.map((name) => [name, arrayOf(approximation, name)]));
  const mean = arrays.mean!.values;
  const sd = arrays.sd?.values;
  const factor = arrays.factor?.values;
  const columns = factor ? factor.length / dim : 0;
  // The stream and its order are those of the fit's own draws, so that a loaded posterior repeats them.
  const noise = new Generator(seed, "approximation").normals(new Float64Array(count * dim));
  const common =
    family === "lowRank"
      ? new Generator(seed, "approximation", "factor").normals(new Float64Array(count * columns))
      : noise;
  const u = new Float64Array(count * dim);
  for (let s = 0; s < count; s++) {
    for (let i = 0; i < dim; i++) {
      let sum = mean[i]!;
      if (sd) sum += sd[i]! * noise[s * dim + i]!;
      // Above the diagonal a Cholesky factor is 0.
      const last = family === "fullRank" ? i + 1 : columns;
      for (let j = 0; j < last; j++) sum += factor![i * columns + j]! * common[s * columns + j]!;
      u[s * dim + i] = sum;
    }
  }
  return u;
}

function arrayOf({ family, dim, tensors }: StoredApproximation, name: string): StoredArray {
  const array = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  const expected = name !== "factor" ? [dim] : family === "fullRank" ? [dim, dim] : [dim, array?.shape[1] ?? 1];
  if (!array || array.shape.length !== expected.length || expected.some((size, axis) => size !== array.shape[axis])) {
    const found = array ? `has shape ${showShape(array.shape)}` : "is missing";
    throw new OptionError(
      `the array "${name}" of the family "${family}" ${found}; ${showShape(expected)} was expected.`,
    );
  }
  return array;
}
