import type { ObservedSupport } from "../constraints/support.ts";
import type { Distribution as SiteDistribution } from "../distributions/distribution.ts";
import { constant } from "../nn/initialiser.ts";
import type { ParameterSpec, Tensors } from "../nn/layout.ts";
import { bernoulli } from "../nn/outputs/bernoulli.ts";
import { categorical } from "../nn/outputs/categorical.ts";
import { continuousBernoulli } from "../nn/outputs/continuous-bernoulli.ts";
import type { Distribution } from "../nn/outputs/distribution.ts";
import { outputFamily } from "../nn/outputs/family.ts";
import { normal } from "../nn/outputs/normal.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { VaeConfig } from "./options.ts";

/** p(x given z) over `width` independent features, from the outputs of a decoder network. */
export interface Likelihood {
  readonly support: ObservedSupport;
  /** Outputs that the decoder must have, by name. */
  readonly heads: Readonly<Record<string, number>>;
  /** Heads that start at 0 unless all weights are asked to be drawn: see `gaussian` below. */
  readonly flat?: readonly string[];
  /** Parameters beside the network's. */
  readonly specs: readonly ParameterSpec[];
  /** Of x, [width], from the heads of one example. */
  distribution(heads: Tensors, parameters: Tensors): SiteDistribution;
  /** [rows, width]; of a categorical the most probable category. */
  mean(heads: Tensors, parameters: Tensors): Tensor;
  /** Draws x; `rows` (u32) identify them. */
  sample(key: Key<Tensor>, heads: Tensors, parameters: Tensors, rows: Tensor): Tensor;
}

/** Of a distribution whose parameters are heads of the same names. */
function fromHeads<P extends string>(distribution: Distribution<P>, width: number): Likelihood {
  const family = outputFamily(distribution);
  return {
    support: distribution.support,
    heads: Object.fromEntries(distribution.params.map((name) => [name, width])),
    specs: [],
    distribution: (heads) => ({ family, given: heads }),
    mean: (heads) => distribution.mean(heads as Record<P, Tensor>),
    sample: (key, heads, _parameters, rows) => distribution.sample(key, heads as Record<P, Tensor>, { rows }),
  };
}

/**
 * Mean and sd by the decoder. The noise has sd 1 at first: drawn weights would give some rows one of e^−10, whose squared
 * errors drown all others'.
 */
const gaussian = (width: number): Likelihood => ({ ...fromHeads(normal, width), flat: ["logSd"] });

/** Mean by the decoder, one learned sd for all features: with an affine decoder, probabilistic PCA. */
function gaussianShared(width: number): Likelihood {
  const family = outputFamily(normal);
  const params = (heads: Tensors, parameters: Tensors) => ({
    mean: heads.mean!,
    logSd: parameters["likelihood.logSd"]!.broadcastTo(heads.mean!.shape),
  });
  return {
    support: normal.support,
    heads: { mean: width },
    specs: [{ name: "likelihood.logSd", shape: [1], initialise: constant(0) }],
    distribution: (heads, parameters) => ({ family, given: params(heads, parameters) }),
    mean: (heads) => heads.mean!,
    sample: (key, heads, parameters, rows) => normal.sample(key, params(heads, parameters), { rows }),
  };
}

/** Logits of all categories of all features in one head. */
function categoricalFeatures(width: number, count: number): Likelihood {
  const distribution = categorical(count);
  const family = outputFamily(distribution, 1);
  const params = ({ logits }: Tensors) => ({ logits: logits!.reshape([...logits!.shape.slice(0, -1), width, count]) });
  return {
    support: distribution.support,
    heads: { logits: width * count },
    specs: [],
    distribution: (heads) => ({ family, given: params(heads) }),
    mean: (heads) => params(heads).logits.argmax(-1).cast(heads.logits!.dtype),
    sample: (key, heads, _parameters, rows) => distribution.sample(key, params(heads), { rows }),
  };
}

export const likelihoods: Record<VaeConfig["likelihood"], (width: number, categories: number) => Likelihood> = {
  bernoulli: (width) => fromHeads(bernoulli, width),
  gaussian,
  "gaussian-shared": gaussianShared,
  "continuous-bernoulli": (width) => fromHeads(continuousBernoulli, width),
  categorical: categoricalFeatures,
};
