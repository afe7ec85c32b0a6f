import { amortizedFamilies } from "../families/amortized.ts";
import type { GaussianVector } from "../families/gaussian-vector.ts";
import type { AevbProblem } from "../inference/aevb.ts";
import { amortizedProblem, negLogPriorOf } from "../inference/amortized-problem.ts";
import { identityTransform, plateModel } from "../inference/plate-model.ts";
import type { TracedModel } from "../model/site.ts";
import { termsOf } from "../model/terms.ts";
import { traceText } from "../model/trace-text.ts";
import { plateWord } from "../model/words/plate.ts";
import { randomWords } from "../model/words/random.ts";
import { glorotLayers, heLayers, type LayerInitialiser, normalLayers, zeroLayers } from "../nn/initialiser.ts";
import { type Layout, layoutOf, type Tensors } from "../nn/layout.ts";
import { mlp } from "../nn/mlp.ts";
import { type LatentModel, repeatRows } from "../objectives/sgvb.ts";
import { iota } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Examples, type Generative, generativeModel, modelSpecs, PLATE } from "./generative.ts";
import { type Likelihood, likelihoods } from "./likelihood.ts";
import { type Observation, observed } from "./observation.ts";
import { parseForm } from "./option-spec.ts";
import type { VaeConfig } from "./options.ts";
import { type Prior, priorOf } from "./prior.ts";

/** The four choices of a variational autoencoder as pure functions of its parameters. */
export interface Architecture {
  readonly layout: Layout;
  readonly family: GaussianVector<string>;
  readonly likelihood: Likelihood;
  readonly prior: Prior;
  /** Parameters of q(z given x), by name, of observations [rows, width]. */
  encode(parameters: Tensors, x: Tensor): Tensors;
  /** Outputs of the decoder, by name, of z [rows, latent]. */
  decode(parameters: Tensors, z: Tensor): Tensors;
  /** The model's text run on examples by their numbers, u32 [rows]. */
  trace(rows: Tensor, examples: Examples): TracedModel;
  /** The joint density of the examples that it was run on, each as often as it has draws. */
  joint(traced: TracedModel, parameters: Tensors, draws: number): LatentModel;
  /** The joint density at `draws` draws for each of the observations [rows, width]. */
  model(parameters: Tensors, x: Tensor, draws?: number): LatentModel;
}

/** The words of the text in generative.ts: others stand on what no autoencoder needs. */
const WORDS = [randomWords, plateWord];

const initialiserOf = (option: string): LayerInitialiser => {
  const { word, numbers } = parseForm(option);
  return word === "normal" ? normalLayers(numbers[0]!) : word === "he" ? heLayers : glorotLayers;
};

export function architectureOf(config: VaeConfig, width: number): Architecture {
  const { latent, activation, categories } = config;
  const initialiser = initialiserOf(config.init);
  const family = amortizedFamilies[config.posterior](latent);
  const likelihood = likelihoods[config.likelihood](width, categories ?? 0);
  const prior = priorOf(config.prior, latent);
  const shared = { activation, initialiser };
  const encoder = mlp({ name: "encoder", inputs: width, hidden: config.encoder, heads: family.sizes, ...shared });
  const { heads, flat = [] } = likelihood;
  const headInitialisers = Object.fromEntries(
    parseForm(config.init).word === "normal" ? [] : flat.map((head) => [head, zeroLayers]),
  );
  const decoder = mlp({ name: "decoder", inputs: latent, hidden: config.decoder, heads, headInitialisers, ...shared });
  // Categories come as 0 … count − 1: the network sees them between 0 and 1.
  const toInput = (x: Tensor): Tensor => (categories === null ? x : x.mul(1 / (categories - 1)));
  const parts: Generative = { decoder, likelihood, prior, map: config.map };
  const text = generativeModel(parts);
  const trace: Architecture["trace"] = (rows, examples) => ({
    ...traceText(rows.trace, text.body, examples, WORDS, { dtype: config.dtype, rows: { [PLATE]: rows } }).frame,
    returned: null,
  });
  const joint: Architecture["joint"] = (traced, parameters, draws) => {
    const site = traced.sites.find(({ name }) => name === "z")!;
    return plateModel({
      model: traced,
      terms: termsOf(traced),
      plate: PLATE,
      rows: site.value.shape[0]!,
      draws,
      sites: [{ name: "z", offset: 0, size: latent, shape: [latent] }],
      transform: identityTransform,
      outside: parameters,
    });
  };
  return {
    layout: layoutOf([...encoder.specs, ...modelSpecs(parts)]),
    family,
    likelihood,
    prior,
    encode: (parameters, x) => encoder.apply(parameters, toInput(x)),
    decode: (parameters, z) => decoder.apply(parameters, z),
    trace,
    joint,
    model: (parameters, x, draws = 1) => {
      const count = x.shape[0]!;
      const rows = repeatRows(iota(x, [count], 0), draws);
      return joint(trace(rows, { count, example: (i) => x.at(i) }), parameters, draws);
    },
  };
}

/** Learning a VAE from a data set bound to a program, as the problem that AEVB solves. */
export function aevbProblem(
  architecture: Architecture,
  config: VaeConfig,
  observation: Observation,
  data: Tensor,
  count: Tensor,
): AevbProblem {
  const { layout, family, trace, joint, encode } = architecture;
  const { dtype, estimator, draws, latent } = config;
  const examples = (key: Key<Tensor> | null): Examples => ({
    count: data.shape[0]!,
    example: (i) => observed(observation, data, i.reshape([1]), key).reshape(data.shape.slice(1)),
  });
  return amortizedProblem({
    layout,
    dtype,
    estimator,
    draws,
    latent,
    family,
    run: (parameters, rows, key) => {
      const traced = trace(rows, examples(key.site("binarize")));
      const x = traced.sites.find(({ name }) => name === "x")!.value;
      const element = draws === 1 ? x : x.narrow(0, 0, rows.shape[0]! / draws);
      return { model: joint(traced, parameters, draws), element, outside: null };
    },
    encode,
    negLogPrior:
      parseForm(config.map).word === "none"
        ? null
        : (parameters) => negLogPriorOf(trace(iota(data, [1], 0), examples(null)), parameters, count),
  });
}
