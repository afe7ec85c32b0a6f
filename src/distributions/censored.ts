import { isDiscrete } from "../constraints/support.ts";
import { or, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Distribution, family, type ParamSpec, type ParamValue } from "./distribution.ts";
import { type Ends, requireEnds } from "./ends.ts";

/**
 * Numbers of which those below `low` are known as `low` alone, and those above `high` as `high`: a value that is equal to an end counts for all
 * that lie beyond it. For data, not for unknowns. An end may differ from element to element; where it is infinite nothing is censored.
 *
 *     observe("months", censored(weibull(shape, scale), { high: limit }), months)   // months = limit: still alive then
 *
 * @throws OptionError where no end is given, or the base has no distribution function or is one of vectors
 */
export function censored(base: Distribution, ends: Ends): Distribution {
  const f = base.family;
  const { low, high } = ends;
  requireEnds("censored", f, ends, {
    example: "{ high: 10 }",
    taken: "its base has ends of its own, called low and high",
  });
  const { logCdf, logSurvival, sample } = f;
  const end: ParamSpec = { support: { kind: "real" }, rank: 0 };
  const given: Record<string, ParamValue> = { ...(low !== undefined && { low }), ...(high !== undefined && { high }) };
  return {
    family: family<string>({
      name: `censored ${f.name}`,
      observedOnly: true,
      params: { ...f.params, ...Object.fromEntries(Object.keys(given).map((name) => [name, end])) },
      support: (params) => f.support(params),
      // All at x, where an end that is not reached may be infinite.
      logProb: (x, params) => {
        const { low, high } = params as { low?: Tensor; high?: Tensor };
        let value = f.logProb(x, params);
        if (low) value = where(x.eq(low), logCdf(x, params), value);
        if (high) value = where(x.eq(high), logSurvival(isDiscrete(f.support(params)) ? x.sub(1) : x, params), value);
        const outside = low && high ? or<Tensor>(x.lt(low), x.gt(high)) : low ? x.lt(low) : x.gt(high!);
        return where(outside, Number.NEGATIVE_INFINITY, value);
      },
      sample:
        sample &&
        ((key, params, batch) => {
          const { low, high } = params as { low?: Tensor; high?: Tensor };
          let x = sample(key, params, batch);
          if (low) x = x.maximum(low);
          if (high) x = x.minimum(high);
          return x;
        }),
    }),
    given: { ...base.given, ...given },
  };
}
