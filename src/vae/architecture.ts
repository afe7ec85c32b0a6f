import type { GaussianVector } from "../families/gaussian-vector.ts";
import { amortizedFamilies } from "../families/amortized.ts";
import type { AevbProblem } from "../inference/aevb.ts";
import { latentNoise } from "../inference/latent-noise.ts";
import { glorotLayers, heLayers, type LayerInitialiser, normalLayers } from "../nn/initialiser.ts";
import { type Layout, layoutOf, type Tensors } from "../nn/layout.ts";
import { mlp } from "../nn/mlp.ts";
import { type LatentModel, repeatRows, sgvb } from "../objectives/sgvb.ts";
import { iota, where } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
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
  /** The joint density at `draws` draws for each observation. */
  model(parameters: Tensors, x: Tensor, draws?: number): LatentModel;
}

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
  const decoder = mlp({ name: "decoder", inputs: latent, hidden: config.decoder, heads: likelihood.heads, ...shared });
  // Categories come as 0 … count − 1: the network sees them between 0 and 1.
  const toInput = (x: Tensor): Tensor => (categories === null ? x : x.mul(1 / (categories - 1)));
  return {
    layout: layoutOf([...encoder.specs, ...decoder.specs, ...likelihood.specs, ...prior.specs]),
    family,
    likelihood,
    prior,
    encode: (parameters, x) => encoder.apply(parameters, toInput(x)),
    decode: (parameters, z) => decoder.apply(parameters, z),
    model: (parameters, x, draws = 1) => ({
      logPrior: (z) => prior.logProb(z, parameters),
      logLikelihood: (z) => likelihood.logProb(repeatRows(x, draws), decoder.apply(parameters, z), parameters),
      gaussianPrior: prior.gaussian(parameters),
    }),
  };
}

/** Where the parameters of the model begin in the flat vector: those before are the encoder's. */
const modelOffset = ({ places }: Layout): number => places.find((p) => !p.name.startsWith("encoder."))!.offset;

/** −log p(θ) / count for independent N(0, sd²) on the model's parameters; count is a u32 scalar. */
function gaussianNegLogPrior(layout: Layout, sd: number, count: Tensor) {
  return (flat: Tensor): Tensor => {
    const isModel = iota(flat, flat.shape, 0).ge(modelOffset(layout));
    const perExample = count.cast("f64").mul(2 * sd * sd);
    return where(isModel, flat, 0).square().sum().cast("f64").div(perExample);
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
  const { layout, family } = architecture;
  const { word, numbers } = parseForm(config.map);
  return {
    layout,
    dtype: config.dtype,
    bound(parameters: Tensors, rows: Tensor, key: Key<Tensor>) {
      const x = observed(observation, data, rows, key.site("binarize"));
      const posterior = architecture.encode(parameters, x);
      const noise = latentNoise(key.site("noise"), rows, config.draws, config.latent, config.dtype);
      return sgvb(
        config.estimator,
        config.draws,
        family,
        posterior,
        noise,
        architecture.model(parameters, x, config.draws),
      );
    },
    negLogPrior: word === "gaussian" ? gaussianNegLogPrior(layout, numbers[0]!, count) : null,
  };
}
