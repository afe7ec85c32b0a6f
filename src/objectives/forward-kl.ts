import { OptionError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Estimate, scoredDraws, type VariationalObjective, weighedDraws } from "./variational-objective.ts";

/**
 * KL(p ‖ q) = E_p[log p − log q], which covers all of p's mass where the ELBO picks a part. E_p is estimated from draws of q with
 * self-normalised importance weights, whose bias falls with their number. What is minimised is KL itself, the evidence estimated from
 * the same weights.
 *
 * `score` is the wake-phase gradient −Σ v_k ∇ log q(x_k) (Bornschein and Bengio 2015) with 1/K as control variate;
 * `doublyReparameterised` is −Σ (v_k − v_k²) ∂ log w_k / ∂x_k ∇x_k (Tucker et al. 2019, section 5).
 *
 * @throws OptionError for fewer than 2 particles: a single weight is 1 whatever q is
 */
export function forwardKl({
  particles = 64,
}: {
  readonly particles?: number;
} = {}): VariationalObjective<"doublyReparameterised" | "score"> {
  if (!(Number.isInteger(particles) && particles >= 2))
    throw new OptionError(`forwardKl takes 2 particles or more, not ${particles}: a single weight is 1 whatever q is`);
  return {
    name: "forward-kl",
    particles,
    estimators: ["doublyReparameterised", "score"],
    estimate(estimator, setting): Estimate {
      const { draws } = setting;
      const rows = (x: Tensor) => x.reshape([draws, particles]);
      const doubly = estimator === "doublyReparameterised";
      const drawn = doubly ? weighedDraws(setting, draws * particles, "stopped") : null;
      const scored = drawn ? null : scoredDraws(setting, draws * particles);
      const logWeight = rows(drawn ? drawn.logP.sub(drawn.logQ) : scored!.logWeight);
      const logSum = logWeight.logsumexp(1);
      const share = logWeight.sub(logSum.reshape([draws, 1])).exp().stopGradient(); // biome-ignore format: short
      const minimised = share.mul(logWeight).sum(1).sub(logSum).add(Math.log(particles)).mean();
      const surrogate = drawn
        ? share.sub(share.square()).mul(logWeight)
        : share.sub(1 / particles).mul(rows(scored!.logQ));
      return { minimised, surrogate: surrogate.sum(1).mean().neg() };
    },
  };
}
