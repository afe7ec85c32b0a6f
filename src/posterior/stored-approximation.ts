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
 * q in unconstrained coordinates, as data. `form` says how `drawStored` draws from it without the model, and which arrays it
 * has for that:
 *
 *  - `diagonalGaussian` N(mean, diag(sd²)): `mean` and `sd` [dim]
 *  - `gaussian`         N(mean, L Lᵀ): `mean` [dim], `factor` L [dim, dim], lower triangular
 *  - `lowRankGaussian`  N(mean, F Fᵀ + diag(sd²)): `mean` and `sd` [dim], `factor` F [dim, rank]
 *  - `gaussianMixture`  Σ_k w_k N(mean_k, diag(sd_k²)): `weights` [K], `mean` and `sd` [K, dim]
 *
 * Of other families (`form` null) the parameters are kept under names of their own.
 */
export interface StoredApproximation {
  /** What the fit called it: "mean-field", "laplace". */
  readonly family: string;
  readonly form: StoredForm | null;
  readonly dim: number;
  readonly sites: readonly StoredCoordinates[];
  readonly tensors: Readonly<Record<string, StoredArray>>;
}

export const storedForms = ["diagonalGaussian", "gaussian", "lowRankGaussian", "gaussianMixture"] as const;
export type StoredForm = (typeof storedForms)[number];

/** A Gaussian q by its mean [dim] and covariance [dim, dim]: of the form that needs fewer numbers. */
export function storedGaussian(
  { family, sites }: Pick<StoredApproximation, "family" | "sites">,
  mean: Float64Array,
  covariance: Float64Array,
): StoredApproximation {
  const dim = mean.length;
  const center = { shape: [dim], values: mean };
  if (covariance.every((value, at) => at % (dim + 1) === 0 || value === 0)) {
    const sd = Float64Array.from({ length: dim }, (_, i) => Math.sqrt(covariance[i * (dim + 1)]!));
    return {
      family,
      form: "diagonalGaussian",
      dim,
      sites,
      tensors: { mean: center, sd: { shape: [dim], values: sd } },
    };
  }
  const factor = { shape: [dim, dim], values: choleskyFactor(covariance, dim) };
  return { family, form: "gaussian", dim, sites, tensors: { mean: center, factor } };
}

/** L lower triangular with L Lᵀ = a, row by row. */
function choleskyFactor(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a[i * n + j]!;
      for (let k = 0; k < j; k++) rest -= l[i * n + k]! * l[j * n + k]!;
      if (i === j && !(rest > 0)) {
        throw new OptionError(
          `the covariance of q is not positive definite: pivot ${i + 1} of ${n} is ${rest}. Fit again, or save the draws alone.`,
        );
      }
      l[i * n + j] = i === j ? Math.sqrt(rest) : rest / l[j * (n + 1)]!;
    }
  }
  return l;
}

/** Whether `drawStored` can draw from it. */
export const canDraw = ({ form, sites }: StoredApproximation): boolean =>
  form !== null && sites.every(({ support }) => support !== null);

/**
 * New draws of the latent sites from a stored q, as one chain. The same seed gives the same draws.
 *
 * @throws OptionError for a family without a form, for supports that depend on other sites, and where arrays are missing
 */
export function drawStored(approximation: StoredApproximation, count: number, seed: number): Draws {
  const { dim, form, family, sites } = approximation;
  if (form === null) {
    throw new OptionError(
      `new draws from the family "${family}" need the model. Use the draws that were saved with it.`,
    );
  }
  const u = new Float64Array(count * dim);
  fillers[form](approximation, u, count, seed);
  const values = sites.map(({ name, shape, offset, support }): [string, SiteDraws] => {
    if (!support) {
      throw new OptionError(
        `the support of "${name}" depends on other sites, so that new draws need the model. Use the draws that were ` +
          "saved with it.",
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

/** The stream, and the order in it, of the draws of inference/approximation.ts: a loaded q repeats those of the fit. */
const noiseOf = (seed: number, length: number): Float64Array =>
  new Generator(seed, "approximation").normals(new Float64Array(length));

type Filler = (approximation: StoredApproximation, u: Float64Array, count: number, seed: number) => void;

/** How each form writes its draws to u [count, dim]. */
const fillers: Readonly<Record<StoredForm, Filler>> = {
  diagonalGaussian: (q, u, _count, seed) => {
    const [mean, sd] = [vector(q, "mean"), vector(q, "sd")];
    noiseOf(seed, u.length).forEach((z, at) => (u[at] = mean[at % q.dim]! + sd[at % q.dim]! * z));
  },
  gaussian: (q, u, count, seed) => {
    const mean = vector(q, "mean");
    const factor = arrayOf(q, "factor", [q.dim, q.dim]).values;
    const noise = noiseOf(seed, u.length);
    for (let s = 0; s < count; s++) {
      for (let i = 0; i < q.dim; i++) {
        let sum = mean[i]!;
        for (let j = 0; j <= i; j++) sum += factor[i * q.dim + j]! * noise[s * q.dim + j]!;
        u[s * q.dim + i] = sum;
      }
    }
  },
  lowRankGaussian: (q, u, count, seed) => {
    fillers.diagonalGaussian(q, u, count, seed);
    const factor = arrayOf(q, "factor", [q.dim, null]);
    const rank = factor.shape[1]!;
    const common = new Generator(seed, "approximation", "factor").normals(new Float64Array(count * rank));
    for (let at = 0; at < u.length; at++) {
      const from = Math.floor(at / q.dim) * rank;
      for (let k = 0; k < rank; k++) u[at]! += factor.values[(at % q.dim) * rank + k]! * common[from + k]!;
    }
  },
  gaussianMixture: (q, u, count, seed) => {
    const weights = arrayOf(q, "weights", [null]);
    const [mean, sd] = (["mean", "sd"] as const).map((name) => arrayOf(q, name, [weights.shape[0]!, q.dim]).values);
    const noise = noiseOf(seed, u.length);
    const choice = new Generator(seed, "approximation", "component");
    for (let s = 0; s < count; s++) {
      let component = 0;
      for (let rest = choice.uniform() - weights.values[0]!; rest > 0 && component < weights.values.length - 1; ) {
        rest -= weights.values[++component]!;
      }
      for (let j = 0; j < q.dim; j++) {
        const at = component * q.dim + j;
        u[s * q.dim + j] = mean![at]! + sd![at]! * noise[s * q.dim + j]!;
      }
    }
  },
};

const vector = (q: StoredApproximation, name: string): Float64Array => arrayOf(q, name, [q.dim]).values;

/** An array of q, with the shape that it must have; null is any size. */
function arrayOf(
  { family, tensors }: StoredApproximation,
  name: string,
  shape: readonly (number | null)[],
): StoredArray {
  const array = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  const fits =
    array?.shape.length === shape.length && shape.every((size, i) => (size ?? array.shape[i]) === array.shape[i]);
  if (!array || !fits) {
    const found = array ? `has shape ${showShape(array.shape)}` : "is missing";
    const expected = `[${shape.map((size) => size ?? "any").join(", ")}]`;
    throw new OptionError(`the array "${name}" of the family "${family}" ${found}; ${expected} was expected.`);
  }
  return array;
}
