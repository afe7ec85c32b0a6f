import { OptionError } from "../base/errors.ts";
import { drawFrom, drawWithLogProb, sample, type VariationalFamily } from "../families/variational-family.ts";
import { type Key, normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * How the gradient in the parameters of q is estimated:
 * - `reparameterised`: through the draws (Kingma and Welling 2014; Titsias and Lázaro-Gredilla 2014)
 * - `pathDerivative`: the same with the parameters of log q held fixed, "sticking the landing" (Roeder, Wu and Duvenaud 2017):
 *   no variance where q is the posterior
 * - `doublyReparameterised`: what the former is for weighted bounds (Tucker, Lawson, Gu and Maddison 2019)
 * - `score`: by ∇ log q, with leave-one-out baselines (Williams 1992; Mnih and Rezende 2016); needs no gradient of the target
 */
export type GradientEstimator = "reparameterised" | "pathDerivative" | "doublyReparameterised" | "score";

/** What an objective is estimated from, within a program. */
export interface Setting {
  readonly family: VariationalFamily;
  readonly params: Tensor;
  /** Where its randomness comes from; another one for each step. */
  readonly key: Key<Tensor>;
  /** How many independent estimates are averaged; each takes the objective's `particles`. */
  readonly draws: number;
  /** log p at the rows of x. */
  logDensity(x: Tensor): Tensor;
}

export interface Estimate {
  /** An estimate of what is minimised, []. */
  readonly minimised: Tensor;
  /** A scalar whose gradient in the parameters is the estimator; its value means nothing. */
  readonly surrogate: Tensor;
}

/** What "close" means, with the gradient estimators that it has. */
export interface VariationalObjective<E extends GradientEstimator = GradientEstimator> {
  readonly name: string;
  /** Draws from q in one estimate. */
  readonly particles: number;
  /** The default one first. */
  readonly estimators: readonly E[];
  estimate(estimator: E, setting: Setting): Estimate;
}

/**
 * Whether objective, estimator and family go together.
 *
 * @throws OptionError  that says what goes with what
 */
export function checkComposition(
  objective: VariationalObjective,
  estimator: GradientEstimator,
  family: VariationalFamily,
  draws: number,
): void {
  const { name, particles, estimators } = objective;
  if (!(Number.isInteger(draws) && draws >= 1))
    throw new OptionError(`draws is a whole number of estimates for each gradient, at least 1, not ${draws}`);
  if (!estimators.includes(estimator))
    throw new OptionError(`the objective ${name} has no estimator "${estimator}"; it has ${estimators.join(", ")}`);
  if (estimator === "score" && draws * particles < 2)
    throw new OptionError("the score estimator takes its baseline from the other draws: give it 2 draws or more");
  if (estimator === "doublyReparameterised" && family.strata > 1)
    throw new OptionError(
      `the family ${family.name} draws from each of its ${family.strata} components, which doublyReparameterised does not know; ` +
        "use reparameterised or score",
    );
}

/** Draws from each stratum, [strata · n], that carry the gradient, with log p − log q. */
export function weighedDraws(
  { family, params, key, logDensity }: Setting,
  n: number,
  logQ: "own" | "stopped",
): { readonly x: Tensor; readonly logP: Tensor; readonly logQ: Tensor } {
  if (logQ === "own" && !family.drawByKey) {
    const noise = normal(key.site("noise"), [family.strata * n, family.noiseSize], "f64");
    const { x, logProb } = drawWithLogProb(family, params, noise);
    return { x, logP: logDensity(x), logQ: logProb };
  }
  const x = drawFrom(family, params, key, n);
  if (logQ === "own") return { x, logP: logDensity(x), logQ: family.logProb(params, x) };
  return { x, logP: logDensity(x), logQ: family.logProb(params.stopGradient(), x) };
}

/** n draws that carry no gradient, with log q that does, and the log weights without. */
export function scoredDraws(
  { family, params, key, logDensity }: Setting,
  n: number,
): { logQ: Tensor; logWeight: Tensor } {
  const x = sample(family, params, key, n).stopGradient();
  const logQ = family.logProb(params, x);
  return { logQ, logWeight: logDensity(x).stopGradient().sub(logQ.stopGradient()) };
}
