import type { Tensor } from "../tensor/tensor.ts";
import {
  type Estimate,
  type Setting,
  scoredDraws,
  type VariationalObjective,
  weighedDraws,
} from "./variational-objective.ts";

/** Mean over draws of [strata · n], strata weighed by their shares. */
function expectation({ family, params }: Setting, each: Tensor): Tensor {
  if (!family.logShares) return each.mean();
  const shares = family.logShares(params).exp();
  return each.reshape([family.strata, each.shape[0]! / family.strata]).mean(1).mul(shares).sum(); // biome-ignore format: short
}

/** l_i − mean of the others. */
function againstOthers(l: Tensor): Tensor {
  const n = l.shape[0]!;
  return l
    .mul(n)
    .sub(l.sum())
    .mul(1 / (n - 1));
}

/**
 * The negative evidence lower bound E_q[log q − log p], in nats: KL(q ‖ p) up to the log evidence. The reparameterised estimator takes
 * the entropy in closed form where the family has it.
 */
export const elbo = (): VariationalObjective<"reparameterised" | "pathDerivative" | "score"> => ({
  name: "elbo",
  particles: 1,
  estimators: ["reparameterised", "pathDerivative", "score"],
  estimate(estimator, setting): Estimate {
    const { draws, family, params } = setting;
    if (estimator === "score") {
      const { logQ, logWeight } = scoredDraws(setting, draws);
      const surrogate = againstOthers(logWeight).mul(logQ).mean().neg();
      return { minimised: logWeight.mean().neg(), surrogate };
    }
    const { logP, logQ } = weighedDraws(setting, draws, estimator === "pathDerivative" ? "stopped" : "own");
    const closed = estimator === "reparameterised" && family.entropy;
    const minimised = closed
      ? expectation(setting, logP).add(closed(params)).neg()
      : expectation(setting, logQ.sub(logP));
    return { minimised, surrogate: minimised };
  },
});
