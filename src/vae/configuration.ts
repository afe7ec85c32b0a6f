import { OptionError } from "../base/errors.ts";
import { checkOption, type OptionSpec, parseForm } from "./option-spec.ts";
import { type VaeConfig, type VaeOptionName, type VaeOptions, vaeOptions } from "./options.ts";

/** What the defaults depend on besides other options. */
export interface DataFacts {
  /** 8-bit images, or values that all are 0 or 1. */
  readonly isImage: boolean;
  /** Whether every value is 0 or 1 in natural units. */
  readonly isBinary: boolean;
  /** Greatest stored value. */
  readonly greatest: number;
  /** Axes of one row; 1, as of a table, where it is not said. */
  readonly axes?: number;
}

/** Options that belong to some optimizers only. */
const optimizerOptions: Partial<Record<VaeOptionName, readonly VaeConfig["optimizer"][]>> = {
  beta1: ["adam", "adamw"],
  beta2: ["adam", "adamw", "rmsprop"],
  epsilon: ["adam", "adamw", "adagrad", "rmsprop"],
  momentum: ["sgd"],
  weightDecay: ["adamw"],
};

/**
 * Checks options and decides all defaults.
 *
 * @throws OptionError on an unknown name, a value outside what is allowed, or options that contradict each other
 */
export function configure(options: VaeOptions, data: DataFacts): VaeConfig {
  const given: Partial<Record<string, unknown>> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const spec = (vaeOptions as Record<string, OptionSpec>)[name];
    if (!spec) throw new OptionError(`there is no option "${name}"; there are ${Object.keys(vaeOptions).join(", ")}`);
    checkOption(name, spec, value);
    given[name] = value;
  }
  const defaults = Object.fromEntries(Object.entries(vaeOptions).map(([name, spec]) => [name, spec.default]));
  const merged = { ...defaults, ...given } as VaeConfig;
  const likelihood = merged.likelihood ?? (data.isImage ? "bernoulli" : "gaussian");
  // A user who names the Bernoulli likelihood says too how gray values become binary; where we choose it, we do.
  const gray = data.isImage && !data.isBinary && options.likelihood === undefined;
  const { optimizer } = merged;
  const config: VaeConfig = {
    ...merged,
    likelihood,
    binarize: merged.binarize ?? (likelihood === "bernoulli" && gray ? "dynamic" : "none"),
    standardize:
      merged.standardize ??
      (likelihood !== "gaussian" || data.isImage ? "none" : (data.axes ?? 1) === 1 ? "columns" : "common"),
    categories: likelihood === "categorical" ? (merged.categories ?? Math.max(2, data.greatest + 1)) : null,
    estimator: merged.estimator ?? (parseForm(merged.prior).word === "mixture" ? "generic" : "analytic"),
    lr: merged.lr ?? (optimizer === "adagrad" ? 0.01 : 0.001),
    beta2: options.beta2 ?? (optimizer === "rmsprop" ? 0.99 : merged.beta2),
    epsilon: merged.epsilon ?? (optimizer === "adagrad" ? 1e-10 : 1e-8),
    weightDecay: merged.weightDecay ?? (optimizer === "adamw" ? 0.01 : 0),
  };
  checkTogether(config, options);
  return config;
}

function checkTogether(config: VaeConfig, options: VaeOptions): void {
  const { likelihood, binarize, standardize, estimator, prior, optimizer } = config;
  if (binarize !== "none" && likelihood !== "bernoulli") {
    throw new OptionError(
      `binarize ${binarize} makes the data binary, but the likelihood is ${likelihood}: use likelihood bernoulli, or binarize none`,
    );
  }
  if (options.categories !== undefined && likelihood !== "categorical") {
    throw new OptionError(`categories is an option of the categorical likelihood, but the likelihood is ${likelihood}`);
  }
  if (standardize !== "none" && !likelihood.startsWith("gaussian")) {
    throw new OptionError(
      `standardize ${standardize} shifts and scales the data, but the likelihood is ${likelihood}: use likelihood gaussian, or standardize none`,
    );
  }
  const { word, numbers } = parseForm(prior);
  if (word === "mixture" && (!Number.isInteger(numbers[0]) || numbers[0]! < 2)) {
    throw new OptionError(`prior ${prior}: a mixture has an integer number of components, at least 2`);
  }
  if (word === "mixture" && estimator === "analytic") {
    throw new OptionError(
      `estimator analytic needs KL in closed form, which a ${prior} prior does not have: use estimator generic`,
    );
  }
  for (const [name, optimizers] of Object.entries(optimizerOptions)) {
    if (options[name as VaeOptionName] === undefined || optimizers.includes(optimizer)) continue;
    throw new OptionError(`${name} is an option of ${optimizers.join(", ")}, but the optimizer is ${optimizer}`);
  }
}
