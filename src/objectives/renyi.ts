import { OptionError } from "../base/errors.ts";
import { iota, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  type Estimate,
  type Setting,
  scoredDraws,
  type VariationalObjective,
  weighedDraws,
} from "./variational-objective.ts";

type WeighedEstimator = "doublyReparameterised" | "reparameterised" | "score";

/** log w of [strata · draws · K] as [draws, strata · K], with the strata's log shares added to `power` times log w. */
function powered({ family, params, draws }: Setting, logWeight: Tensor, particles: number, power: number): Tensor {
  const { strata } = family;
  const scaled = logWeight.mul(power).reshape([strata, draws, particles]);
  if (!family.logShares) return scaled.reshape([draws, particles]);
  return scaled
    .add(family.logShares(params).reshape([strata, 1, 1]))
    .transpose([1, 0, 2])
    .reshape([draws, strata * particles]);
}

/** log Σ_{i ≠ j} e^{l_i} for each j along the last axis of [draws, K]. */
function withoutEach(l: Tensor): Tensor {
  const [draws, particles] = l.shape as [number, number];
  const shape = [1, particles, particles];
  const own = iota(l, shape, 1).eq(iota(l, shape, 2));
  return where(own, -1e300, l.reshape([draws, 1, particles])).logsumexp(2);
}

/**
 * −1 / (1 − α) log (1/K Σ_k w_k^{1 − α}), w = p / q, of K draws. α = 0 is the importance-weighted bound, α → 1 the ELBO, a negative α
 * an upper bound's estimate.
 */
function weighedBound(name: string, alpha: number, particles: number): VariationalObjective<WeighedEstimator> {
  if (!(Number.isInteger(particles) && particles >= 1))
    throw new OptionError(`${name} takes a whole number of draws, at least 1, not ${particles}`);
  const power = 1 - alpha;
  const bound = (logSum: Tensor, count: number) => logSum.sub(Math.log(count)).mul(1 / power);
  return {
    name,
    particles,
    estimators: ["doublyReparameterised", "reparameterised", "score"],
    estimate(estimator, setting): Estimate {
      const { draws } = setting;
      if (estimator === "score") {
        if (particles < 2) throw new OptionError(`${name} needs 2 draws or more for the score estimator's baselines`);
        const { logQ, logWeight } = scoredDraws(setting, draws * particles);
        const l = logWeight.mul(power).reshape([draws, particles]);
        const each = bound(l.logsumexp(1), particles);
        const signal = each.reshape([draws, 1]).sub(bound(withoutEach(l), particles - 1));
        const share = l.sub(l.logsumexp(1).reshape([draws, 1])).exp();
        // The bound depends on q by the draws, and by log q in each weight.
        const surrogate = signal
          .sub(share)
          .mul(logQ.reshape([draws, particles]))
          .sum(1)
          .mean()
          .neg();
        return { minimised: each.mean().neg(), surrogate };
      }
      const doubly = estimator === "doublyReparameterised";
      const { logP, logQ } = weighedDraws(setting, draws * particles, doubly ? "stopped" : "own");
      const logWeight = logP.sub(logQ);
      const l = powered(setting, logWeight, particles, power);
      const logSum = l.logsumexp(1);
      const minimised = bound(logSum, particles).mean().neg();
      if (!doubly) return { minimised, surrogate: minimised };
      // ∇ = Σ_k (α v_k + (1 − α) v_k²) ∂ log w_k / ∂x_k ∇x_k with v the normalised w^{1 − α}: v for the bound itself, and the score
      // of log q reparameterised once more (Tucker et al. 2019, section 4, for any α).
      const share = l.sub(logSum.reshape([draws, 1])).exp().stopGradient(); // biome-ignore format: short
      const factor = share.mul(alpha).add(share.square().mul(power));
      const surrogate = factor
        .mul(logWeight.reshape([draws, particles]))
        .sum(1)
        .mean()
        .neg();
      return { minimised, surrogate };
    },
  };
}

/** Importance-weighted bound of `particles` draws (Burda, Grosse and Salakhutdinov 2016), negated, in nats. */
export const importanceWeighted = ({
  particles,
}: {
  readonly particles: number;
}): VariationalObjective<WeighedEstimator> => weighedBound("importance-weighted", 0, particles);

/**
 * Rényi's bound of order α (Li and Turner 2016), negated, in nats.
 *
 * @throws OptionError at α = 1, where it is the ELBO
 */
export function renyi({
  alpha,
  particles,
}: {
  readonly alpha: number;
  readonly particles: number;
}): VariationalObjective<WeighedEstimator> {
  if (alpha === 1) throw new OptionError("Rényi's bound of order 1 is the ELBO: use elbo()");
  if (!Number.isFinite(alpha)) throw new OptionError(`renyi takes a finite order alpha, not ${alpha}`);
  return weighedBound("renyi", alpha, particles);
}
