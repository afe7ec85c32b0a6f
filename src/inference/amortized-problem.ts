import type { GaussianVector } from "../families/gaussian-vector.ts";
import type { TracedModel } from "../model/site.ts";
import { termsOf } from "../model/terms.ts";
import type { FloatType } from "../nn/initialiser.ts";
import type { Layout, Tensors } from "../nn/layout.ts";
import { type Estimator, type LatentModel, repeatRows, sgvb } from "../objectives/sgvb.ts";
import { full } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { AevbProblem } from "./aevb.ts";
import { latentNoise } from "./latent-noise.ts";
import { assignOutside } from "./plate-model.ts";

/** A model's plate, and q(z_i given what is observed in element i) by a function of it. */
export interface AmortizedParts<E> {
  /** Of q's parameters and the model's. */
  readonly layout: Layout;
  readonly dtype: FloatType;
  readonly estimator: Estimator;
  /** Monte Carlo draws of z for each element. */
  readonly draws: number;
  /** Unconstrained coordinates of an element's latent sites. */
  readonly latent: number;
  readonly family: GaussianVector<string>;
  /** The model's text run on the given elements (u32 [draws · batch], draw-major), and what q looks at of the first of them. */
  run(
    parameters: Tensors,
    rows: Tensor,
    key: Key<Tensor>,
  ): {
    readonly model: LatentModel;
    readonly element: E;
    /** Negative ELBO of all that stands outside of the plate, for each of its elements; null where that is nothing. */
    readonly outside: Tensor | null;
  };
  /** Parameters of q for the elements `rows` (u32 [batch]), [batch, …] by name. */
  encode(parameters: Tensors, element: E, rows: Tensor): Tensors;
  readonly negLogPrior: AevbProblem["negLogPrior"];
}

/** A model with an amortized family as the problem that AEVB solves: the ELBO of some elements of the plate by SGVB. */
export function amortizedProblem<E>(parts: AmortizedParts<E>): AevbProblem {
  const { layout, dtype, estimator, draws, latent, family, run, encode, negLogPrior } = parts;
  return {
    layout,
    dtype,
    negLogPrior,
    bound(parameters, rows, key) {
      const { model, element, outside } = run(parameters, repeatRows(rows, draws), key);
      const noise = latentNoise(key.site("noise"), rows, draws, latent, dtype);
      const terms = sgvb(estimator, draws, family, encode(parameters, element, rows), noise, model);
      return outside ? { ...terms, rate: terms.rate.add(outside.cast(dtype)) } : terms;
    },
  };
}

/** −log p(θ) / count of the parameters that have priors, as `param` was given them; count is the plate's size, a scalar. */
export function negLogPriorOf(model: TracedModel, parameters: Tensors, count: Tensor): Tensor {
  const assignment = assignOutside({ model, outside: parameters });
  const terms = termsOf(model).filter(({ kind }) => kind === "param");
  const logProb = assignment.of(terms.map((t) => t.logProb)).reduce((sum, x) => sum.add(x.sum().cast("f64")), full(count, [], 0, "f64")); // biome-ignore format: one line
  return logProb.neg().div(count.cast("f64"));
}
