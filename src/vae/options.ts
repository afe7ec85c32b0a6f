import type { OptionSpec, OptionValue } from "./option-spec.ts";

/** Every option of a fit, once: the types below, the checks and the command line's flags all come from this table. */
// biome-ignore format: a table reads best with one row a line
export const vaeOptions = {
  likelihood: { kind: "choice", choices: ["bernoulli", "gaussian", "gaussian-shared", "continuous-bernoulli", "categorical"], default: null },
  binarize: { kind: "choice", choices: ["none", "threshold", "dynamic"], default: null },
  categories: { kind: "integer", min: 2, default: null },
  standardize: { kind: "choice", choices: ["none", "columns", "common"], default: null },
  encoder: { kind: "integers", min: 1, default: [256] },
  decoder: { kind: "integers", min: 1, default: [256] },
  activation: { kind: "choice", choices: ["tanh", "relu", "softplus", "sigmoid", "elu", "leaky-relu", "gelu", "linear"], default: "relu" },
  latent: { kind: "integer", min: 1, default: 16 },
  posterior: { kind: "choice", choices: ["diagonal", "full"], default: "diagonal" },
  estimator: { kind: "choice", choices: ["generic", "analytic"], default: null },
  draws: { kind: "integer", min: 1, default: 1 },
  prior: { kind: "form", forms: ["standard", "gaussian", "mixture:K"], default: "standard" },
  map: { kind: "form", forms: ["none", "gaussian:SD"], default: "none" },
  init: { kind: "form", forms: ["glorot", "he", "normal:SD"], default: "glorot" },
  optimizer: { kind: "choice", choices: ["adam", "adamw", "adagrad", "rmsprop", "sgd"], default: "adam" },
  lr: { kind: "number", min: 0, default: null },
  beta1: { kind: "number", min: 0, below: 1, default: 0.9 },
  beta2: { kind: "number", min: 0, below: 1, default: 0.999 },
  epsilon: { kind: "number", min: 0, default: null },
  momentum: { kind: "number", min: 0, below: 1, default: 0 },
  weightDecay: { kind: "number", min: 0, default: null },
  schedule: { kind: "form", forms: ["constant", "cosine", "linear", "step:PARTS:FACTOR"], default: "constant" },
  warmup: { kind: "integer", min: 0, default: 0 },
  clip: { kind: "form", forms: ["none", "norm:LIMIT", "value:LIMIT"], default: "none" },
  batch: { kind: "integer", min: 1, default: 64 },
  dropLast: { kind: "flag", default: false },
  epochs: { kind: "integer", min: 0, default: 50 },
  seed: { kind: "integer", min: 0, default: 0 },
  deterministic: { kind: "flag", default: false },
  dtype: { kind: "choice", choices: ["f32", "f64"], default: "f32" },
} as const satisfies Readonly<Record<string, OptionSpec>>;

type Table = typeof vaeOptions;
/** The name of an option of `trainVae`, and of the flag that it is on the command line. */
export type VaeOptionName = keyof Table;

/** Options of a fit; what is left out gets its default. */
export type VaeOptions = { readonly [K in VaeOptionName]?: OptionValue<Table[K]> };

/** Options with every default decided: what a model remembers of its fit. */
export type VaeConfig = {
  readonly [K in VaeOptionName]: OptionValue<Table[K]> | (K extends "categories" ? null : never);
};
