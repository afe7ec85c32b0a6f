import { OptionError } from "../base/errors.ts";
import { isDiscrete, unitInterval } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import { type Distribution, family, type ParamValue } from "./distribution.ts";

// P(0) = inflation + (1 − inflation) P_base(0), P(x) = (1 − inflation) P_base(x)
/**
 * Counts that are 0 with probability `inflation` whatever the base says, and else the base's (Lambert 1992, "Zero-inflated Poisson
 * regression"):
 *
 *     zeroInflated(poisson(3), 0.2)
 *
 * @throws OptionError where the base is no distribution of single whole numbers, or is zero-inflated already
 */
export function zeroInflated(base: Distribution, inflation: ParamValue): Distribution {
  const f = base.family;
  const name = `zeroInflated ${f.name}`;
  if (f.eventRank > 0) throw new OptionError(`zeroInflated takes a distribution of numbers, not ${f.name}`);
  if ("inflation" in f.params) throw new OptionError(`zeroInflated(${f.name}): it has an inflation already`);
  if ((inflation ?? null) === null || (typeof inflation === "number" && !(inflation >= 0 && inflation <= 1))) {
    throw new OptionError(
      `zeroInflated(${f.name}): inflation is ${inflation}, but it must be a probability from 0 to 1`,
    );
  }
  const { sample, mean, variance } = f;
  return {
    family: family<string>({
      name,
      params: { ...f.params, inflation: { support: unitInterval, rank: 0 } },
      support: (params) => {
        const support = f.support(params);
        if (isDiscrete(support)) return support;
        throw new OptionError(
          `zeroInflated takes a distribution of whole numbers; ${f.name} has ${support.kind} values`,
        );
      },
      logProb: (x, params) => {
        const p = params["inflation"]!;
        const rest = p.neg().add(1);
        const own = f.logProb(x, params);
        const zero = x.eq(0);
        // Where x > 0 the first is not taken, and away from overflow.
        const atZero = where(zero, own, 0).exp().mul(rest).add(p).log();
        return where(zero, atZero, own.add(p.neg().log1p()));
      },
      sample:
        sample &&
        ((key, params, batch) => {
          const empty = uniform(key.site("inflation"), batch, "f64").lt(params["inflation"]!);
          return where(empty, 0, sample(key.site("base"), params, batch));
        }),
      mean: mean && ((params) => params["inflation"]!.neg().add(1).mul(mean(params))),
      // (1 − p) (v + p m²)
      variance:
        mean &&
        variance &&
        ((params) => {
          const p = params["inflation"]!;
          return p
            .neg()
            .add(1)
            .mul(p.mul(mean(params).square()).add(variance(params)));
        }),
    }),
    given: { ...base.given, inflation },
  };
}
