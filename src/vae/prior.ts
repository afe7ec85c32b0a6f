import { type Distribution, type Family, family } from "../distributions/distribution.ts";
import { constant, type FloatType, scaledNormal } from "../nn/initialiser.ts";
import type { ParameterSpec, Tensors } from "../nn/layout.ts";
import { outputFamily } from "../nn/outputs/family.ts";
import { normal } from "../nn/outputs/normal.ts";
import { argmax, gather } from "../tensor/functions.ts";
import { type Key, normal as standardNormal, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { parseForm } from "./option-spec.ts";

/** p(z), fixed or learned together with the decoder. */
export interface Prior {
  readonly specs: readonly ParameterSpec[];
  /** Of z of one example. */
  distribution(parameters: Tensors): Distribution;
  /** Draws z, [rows.length, latent]; `rows` (u32) identify them. */
  sample(key: Key<Tensor>, rows: Tensor, parameters: Tensors, dtype: FloatType): Tensor;
}

const real = { kind: "real" } as const;
/** Coordinates of z. */
const independent: Family = {
  ...(outputFamily(normal) as Family),
  gaussian: ({ mean, logSd }) => ({ mean: mean!, logSd: logSd! }),
};

const gaussianMixture = family({
  name: "mixture",
  params: {
    mean: { support: real, rank: 2 },
    logSd: { support: real, rank: 2 },
    logits: { support: real, rank: 1 },
  },
  eventRank: 1,
  eventShape: ({ mean }) => mean.shape.slice(-1),
  support: () => real,
  logProb: (z, { mean, logSd, logits }) => {
    const byComponent = normal.logProb(z.reshape([...z.shape.slice(0, -1), 1, z.shape.at(-1)!]), { mean, logSd });
    return byComponent.sum(-1).add(logits.sub(logits.logsumexp())).logsumexp(-1);
  },
});

function standard(latent: number): Prior {
  const zeros = new Array<number>(latent).fill(0);
  return {
    specs: [],
    distribution: () => ({ family: independent, given: { mean: zeros, logSd: zeros } }),
    sample: (key, rows, _parameters, dtype) => standardNormal(key, [rows.shape[0]!, latent], dtype, { rows }),
  };
}

/** One Gaussian with learned mean and sd of each dimension. */
function learnedGaussian(latent: number): Prior {
  const params = (parameters: Tensors) => ({ mean: parameters["prior.mean"]!, logSd: parameters["prior.logSd"]! });
  return {
    specs: [
      { name: "prior.mean", shape: [latent], initialise: constant(0) },
      { name: "prior.logSd", shape: [latent], initialise: constant(0) },
    ],
    distribution: (parameters) => ({ family: independent, given: params(parameters) }),
    sample: (key, rows, parameters, dtype) => {
      const { mean, logSd } = params(parameters);
      return standardNormal(key, [rows.shape[0]!, latent], dtype, { rows }).mul(logSd.exp()).add(mean);
    },
  };
}

/** Σ_k w_k N(z; mean_k, sd_k), all learned: log p(z) = logsumexp_k (log w_k + Σ_j log N(z_j; mean_kj, sd_kj)). */
function mixture(latent: number, count: number): Prior {
  const named = (parameters: Tensors) => ({
    mean: parameters["prior.mean"]!,
    logSd: parameters["prior.logSd"]!,
    logits: parameters["prior.logits"]!,
  });
  return {
    specs: [
      // Apart from each other from the start, or all components would get the same gradient for ever.
      { name: "prior.mean", shape: [count, latent], initialise: scaledNormal(1) },
      { name: "prior.logSd", shape: [count, latent], initialise: constant(0) },
      { name: "prior.logits", shape: [count], initialise: constant(0) },
    ],
    distribution: (parameters) => ({ family: gaussianMixture, given: named(parameters) }),
    sample: (key, rows, parameters, dtype) => {
      const { mean, logSd, logits } = named(parameters);
      const size = rows.shape[0]!;
      const u = uniform(key.site("component"), [size, count], dtype, { rows });
      const component = argmax(logits.sub(u.log().neg().log()), 1);
      const noise = standardNormal(key, [size, latent], dtype, { rows });
      return noise.mul(gather(logSd, component).exp()).add(gather(mean, component));
    },
  };
}

/** The prior that the option names: `standard`, `gaussian` or `mixture:K`. */
export function priorOf(option: string, latent: number): Prior {
  const { word, numbers } = parseForm(option);
  return word === "mixture"
    ? mixture(latent, numbers[0]!)
    : word === "gaussian"
      ? learnedGaussian(latent)
      : standard(latent);
}
