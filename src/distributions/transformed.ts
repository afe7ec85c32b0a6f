import { OptionError } from "../base/errors.ts";
import { type Bijector, bijectorTo } from "../constraints/bijector.ts";
import type { Support } from "../constraints/support.ts";
import { full, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Distribution, family, type Params } from "./distribution.ts";
import { contains } from "./ends.ts";

/** A one-to-one map with the support that it leads to. */
export interface Transform extends Omit<Bijector, "unconstrainedShape"> {
  readonly support: Support;
}

const isSupport = (x: Support | Transform): x is Support => "kind" in x;

/**
 * The distribution of y = f(x), x from the base: log p(y) = log p(x) − log |dy/dx|. A support stands for the map onto
 * it (see `bijectorTo`), so that `transformed(normal(0, 1), positive)` is a log-normal distribution and
 * `transformed(normal(0, 1), interval(0, 5))` a logit-normal one.
 *
 * @param map  from all numbers that the base draws; `eventRank` at most the base's
 * @throws OptionError where the map takes vectors and the base draws numbers, or a base of limited support goes
 * through the map onto a support
 */
export function transformed(base: Distribution, map: Support | Transform): Distribution {
  const f = base.family;
  const transform: Transform = isSupport(map) ? { ...bijectorTo(map), support: map } : map;
  if (transform.eventRank > f.eventRank) {
    throw new OptionError(
      `transformed(${f.name}, …): the map takes ${transform.eventRank === 1 ? "vectors" : "matrices"}, but a draw of ${f.name} has ${f.eventRank} axes: ` +
        "take a distribution of vectors, such as multivariateNormal",
    );
  }
  const extra = f.eventRank - transform.eventRank;
  const logJacobian = (x: Tensor, y: Tensor): Tensor => {
    const each = transform.logJacobian(x, y);
    return extra ? each.sum(Array.from({ length: extra }, (_, k) => each.shape.length - 1 - k)) : each;
  };
  const increasing = f.eventRank === 0 && isSupport(map) && map.kind !== "below";
  return {
    family: family<string>({
      name: `transformed ${f.name}`,
      params: f.params,
      eventRank: f.eventRank,
      eventShape: (params) => {
        const shape = f.eventShape(params);
        return transform.eventRank === 0 ? shape : transform.forward(full(anyOf(params), shape, 0)).shape;
      },
      support: () => transform.support,
      logProb: (y, params) => {
        const inside = transform.eventRank === 0 && f.eventRank === 0 ? contains(y, transform.support) : null;
        const safe = inside ? where(inside, y, transform.forward(full(y, [], 0))) : y;
        const x = transform.inverse(safe);
        const logProb = f.logProb(x, params).sub(logJacobian(x, safe));
        return inside ? where(inside, logProb, -Infinity) : logProb;
      },
      sample: f.sample && ((key, params, batch) => transform.forward(f.sample!(key, params, batch))),
      reparameterised: f.reparameterised,
      logCdf: increasing && f.logCdf ? (y, params) => f.logCdf!(transform.inverse(y), params) : null,
      logSurvival: increasing && f.logSurvival ? (y, params) => f.logSurvival!(transform.inverse(y), params) : null,
      fromLogCdf: increasing && f.fromLogCdf ? (l, params) => transform.forward(f.fromLogCdf!(l, params)) : null,
      fromLogSurvival:
        increasing && f.fromLogSurvival ? (l, params) => transform.forward(f.fromLogSurvival!(l, params)) : null,
    }),
    given: base.given,
  };
}

const anyOf = (params: Params): Tensor => Object.values(params)[0]!;
