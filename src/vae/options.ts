import type { OptionSpec, OptionValue } from "./option-spec.ts";

/** Every option of a fit, once: the types below, the checks and the command line's flags all come from this table. */
// biome-ignore format: a table reads best with one row a line
export const vaeOptions = {
  likelihood: { kind: "choice", choices: ["bernoulli", "gaussian", "gaussian-shared", "continuous-bernoulli", "categorical"], default: null,
    help: "p(x given z): gaussian learns mean and variance, gaussian-shared one variance for all (default: bernoulli for images, else gaussian)" },
  binarize: { kind: "choice", choices: ["none", "threshold", "dynamic"], default: null,
    help: "make values in [0, 1] binary: at 0.5, or drawn anew at each step (default: dynamic where bernoulli was chosen for gray images, else none)" },
  categories: { kind: "integer", min: 2, default: null, help: "categories of the categorical likelihood (default: the greatest value plus 1)" },
  encoder: { kind: "integers", min: 1, default: [256], help: "widths of the encoder's hidden layers, separated by commas; none for an affine map" },
  decoder: { kind: "integers", min: 1, default: [256], help: "widths of the decoder's hidden layers" },
  activation: { kind: "choice", choices: ["tanh", "relu", "softplus", "sigmoid", "elu", "leaky-relu", "gelu", "linear"], default: "relu",
    help: "between layers" },
  latent: { kind: "integer", min: 1, default: 16, help: "latent dimensions" },
  posterior: { kind: "choice", choices: ["diagonal", "full"], default: "diagonal", help: "covariance of q(z given x)" },
  estimator: { kind: "choice", choices: ["generic", "analytic"], default: null,
    help: "KL from draws, or in closed form (default: analytic, but generic under a mixture prior)" },
  draws: { kind: "integer", min: 1, default: 1, help: "Monte Carlo draws for each example (the paper's L)" },
  prior: { kind: "form", forms: ["standard", "gaussian", "mixture:K"], default: "standard", help: "p(z): N(0, I), or learned" },
  map: { kind: "form", forms: ["none", "gaussian:SD"], default: "none", help: "prior on the decoder's weights: MAP instead of maximum likelihood" },
  init: { kind: "form", forms: ["glorot", "he", "normal:SD"], default: "glorot", help: "first weights; normal:SD draws the biases too" },
  optimizer: { kind: "choice", choices: ["adam", "adamw", "adagrad", "rmsprop", "sgd"], default: "adam", help: "how the parameters move" },
  lr: { kind: "number", min: 0, default: null, help: "learning rate (default: 0.001; 0.01 for adagrad)" },
  beta1: { kind: "number", min: 0, below: 1, default: 0.9, help: "adam and adamw: memory of the mean gradient" },
  beta2: { kind: "number", min: 0, below: 1, default: 0.999, help: "adam and adamw: memory of the mean square; rmsprop's default is 0.99" },
  epsilon: { kind: "number", min: 0, default: null, help: "added to the root of the mean square (default: 1e-8; 1e-10 for adagrad)" },
  momentum: { kind: "number", min: 0, below: 1, default: 0, help: "sgd" },
  weightDecay: { kind: "number", min: 0, default: null, help: "adamw (default: 0.01)" },
  schedule: { kind: "form", forms: ["constant", "cosine", "linear", "step:PARTS:FACTOR"], default: "constant",
    help: "learning rate over the whole fit; step multiplies it by FACTOR at the end of each of PARTS equal parts" },
  warmup: { kind: "integer", min: 0, default: 0, help: "steps over which the learning rate grows to its full size" },
  clip: { kind: "form", forms: ["none", "norm:LIMIT", "value:LIMIT"], default: "none", help: "bound the gradient's length, or each of its elements" },
  batch: { kind: "integer", min: 1, default: 64, help: "examples in a step" },
  dropLast: { kind: "flag", default: false, help: "leave out an epoch's last batch where it is not full" },
  epochs: { kind: "integer", min: 0, default: 50, help: "passes over the training data" },
  seed: { kind: "integer", min: 0, default: 0, help: "of all random numbers" },
  deterministic: { kind: "flag", default: false, help: "the same bits on every machine: no BLAS, no relaxed SIMD" },
  dtype: { kind: "choice", choices: ["f32", "f64"], default: "f32", help: "arithmetic of the networks" },
} as const satisfies Readonly<Record<string, OptionSpec>>;

type Table = typeof vaeOptions;
export type VaeOptionName = keyof Table;

/** Options of a fit; what is left out gets its default. */
export type VaeOptions = { readonly [K in VaeOptionName]?: OptionValue<Table[K]> };

/** Options with every default decided: what a model remembers of its fit. */
export type VaeConfig = {
  readonly [K in VaeOptionName]: OptionValue<Table[K]> | (K extends "categories" ? null : never);
};
