import { family } from "../distributions/distribution.ts";
import { type Model, model } from "../model/model.ts";
import type { ParameterSpec, Tensors } from "../nn/layout.ts";
import type { Network } from "../nn/mlp.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Likelihood } from "./likelihood.ts";
import { parseForm } from "./option-spec.ts";
import type { VaeConfig } from "./options.ts";
import type { Prior } from "./prior.ts";

/** The data as the text below reads them. */
export interface Examples {
  readonly count: number;
  /** Example i, [width]. */
  example(i: Tensor): Tensor;
}

export interface Generative {
  readonly decoder: Network;
  readonly likelihood: Likelihood;
  readonly prior: Prior;
  readonly map: VaeConfig["map"];
}

export const PLATE = "example";

/** log p(θ) = −θ² / (2 sd²) − log sd − ½ log 2π, in f64 */
const weights = (sd: number) => ({
  family: family<never>({
    name: "normal",
    params: {},
    support: () => ({ kind: "real" }),
    logProb: (x) => x.square().cast("f64").div(-2 * sd * sd).sub(Math.log(sd) + 0.5 * Math.log(2 * Math.PI)), // biome-ignore format: the formula
  }),
  given: {},
});

/** The parameters of the model besides the encoder's, in the order of the text. */
export const modelSpecs = ({ decoder, likelihood, prior }: Generative): readonly ParameterSpec[] => [
  ...decoder.specs,
  ...likelihood.specs,
  ...prior.specs,
];

/** What a variational autoencoder says of its data: z from the prior, x from the decoder's likelihood (Kingma and Welling 2014). */
export function generativeModel(parts: Generative): Model<Examples> {
  const { decoder, likelihood, prior, map } = parts;
  const { word, numbers } = parseForm(map);
  const weightPrior = word === "gaussian" ? weights(numbers[0]!) : undefined;
  return model(({ param, plate, sample, observe }, { count, example }: Examples) => {
    const theta: Tensors = Object.fromEntries(
      modelSpecs(parts).map(({ name, ...spec }) => [name, param(name, { ...spec, prior: weightPrior })]),
    );
    plate(PLATE, count, (i) => {
      const z = sample("z", prior.distribution(theta));
      observe("x", likelihood.distribution(decoder.apply(theta, z), theta), example(i));
    });
  });
}
