import { OptionError } from "../base/errors.ts";
import { showShape } from "../base/shape.ts";
import { isDiscrete, type Support } from "../constraints/support.ts";
import { full, where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { alongAxis } from "./along-axis.ts";
import { type Distribution, family } from "./distribution.ts";
import { contains, endsOf } from "./ends.ts";
import { eventRankOf } from "./event-rank.ts";
import { truncated } from "./truncated.ts";

/**
 * A density limited to a support and **not** normalised there: right where the mass in the support is a constant of
 * the model, and wrong where it depends on a latent quantity (then use `truncated`). A vector support makes a vector
 * of elementwise densities one event.
 *
 *     restricted(studentT(3, 0, 10), positive)
 *     restricted(normal([3, 10], 1), ordered)
 *     restricted(normal(0, 5), ordered, 3)
 *
 * @param size  of the vector, where no parameter says it
 * @throws OptionError for a discrete base or support, or a base whose events do not fit the support
 */
export function restricted(base: Distribution, support: Support, size: number | null = null): Distribution {
  const f = base.family;
  const rank = eventRankOf(support);
  const what = `restricted(${f.name}, ${support.kind})`;
  if (isDiscrete(support)) throw new OptionError(`${what}: a density cannot be limited to a discrete support`);
  const name = `restricted ${f.name}`;
  if (rank === f.eventRank) {
    const drawn = rank === 0 ? sampled(base, support) : null;
    return {
      family: family<string>({
        name,
        params: f.params,
        eventRank: rank,
        eventShape: f.eventShape,
        support: () => support,
        logProb: (x, params) => {
          const inside = rank === 0 ? contains(x, support) : null;
          if (!inside) return f.logProb(x, params);
          return where(inside, f.logProb(x, params), -Infinity);
        },
        sample: drawn,
        reparameterised: drawn ? "explicit" : null,
      }),
      given: base.given,
    };
  }
  if (rank !== 1 || f.eventRank !== 0) {
    throw new OptionError(`${what}: an event of ${f.name} has ${f.eventRank} axes, one of the support ${rank}`);
  }
  const vector = alongAxis(what, base, size);
  if (vector.size < 2)
    throw new OptionError(`${what}: how long is the vector? Give parameters of that length, or restricted(…, …, size)`);
  return {
    family: family<string>({
      name,
      params: vector.params,
      eventRank: 1,
      eventShape: () => [vector.size],
      support: () => support,
      logProb: (x, params) => {
        if (x.shape.at(-1) !== vector.size) {
          throw new OptionError(`${what}: a value of shape ${showShape(x.shape)} for vectors of length ${vector.size}`);
        }
        return f.logProb(x, params).sum(-1);
      },
    }),
    given: vector.given,
  };
}

/** Draws of the density that the restricted one is proportional to, where it can be truncated. */
function sampled(base: Distribution, support: Support): Distribution["family"]["sample"] {
  const { low, high } = endsOf(support);
  const f = base.family;
  const own = [low, high].filter((x) => x !== null);
  if (!own.length || !f.fromLogCdf || !f.fromLogSurvival || !f.logCdf || !f.logSurvival || "low" in f.params)
    return null;
  const cut = truncated(base, { ...(low !== null && { low }), ...(high !== null && { high }) });
  return (key, params, batch) => {
    const like = key.words[0];
    const bound = (x: number | Tensor) => (typeof x === "number" ? full(like, [], x, "f64") : x);
    const ends = { ...(low !== null && { low: bound(low) }), ...(high !== null && { high: bound(high) }) };
    return cut.family.sample!(key, { ...params, ...ends }, batch);
  };
}
