import { OptionError } from "../base/errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Distribution, paramsOf, refuseOtherCopy } from "./distribution.ts";

const termOf =
  (member: "logProb" | "logCdf" | "logSurvival") =>
  (d: Distribution, x: Tensor): Tensor => {
    if (!(x instanceof Tensor)) {
      refuseOtherCopy(x);
      throw new OptionError(`${member} of ${d.family.name} takes a tensor, as data and sites are, not ${String(x)}`);
    }
    if (!d.family[member]) throw new OptionError(`${member}: ${d.family.name} does not offer it`);
    return d.family[member](x, paramsOf(x.trace, d, x.dtype === "f32" ? "f32" : "f64"));
  };

/**
 * log p(x) of each event, [...batch, ...event] → [...batch], for terms that are written by hand, such as sums over what is not known:
 *
 *     factor("y", stack([logProb(poisson(3), y), logProb(poisson(rate), y)]).logsumexp(0))
 *
 * x broadcasts with the parameters; outside the support it is −∞.
 *
 * @throws OptionError where x is no tensor
 */
export const logProb = termOf("logProb");

/** log P(X ≤ x), exact in the tails. @throws OptionError where the distribution has no closed form of it, or x is no tensor */
export const logCdf = termOf("logCdf");

/** log P(X > x), exact in the tails. @throws OptionError as `logCdf` does */
export const logSurvival = termOf("logSurvival");
