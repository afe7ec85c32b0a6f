import { positive, real } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import { normal as standardNormal } from "../tensor/random.ts";
import { distribution } from "./distribution.ts";
import { LOG_2PI, logNormalCdf, logNormalSurvival } from "./normal-cdf.ts";
import { normalQuantileOfLog } from "./special/normal-quantile.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";

/**
 * A positive number whose logarithm is normal: `logNormal(0, 0.5)` has median 1.
 *
 *     log p(x) = −½ ((log x − location) / scale)² − log x − log scale − ½ log 2π        x > 0
 *
 * @param location  real, the mean of log x; default 0
 * @param scale  above 0, the sd of log x; default 1
 */
export const logNormal = distribution({
  name: "logNormal",
  params: { location: { support: real, rank: 0, default: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  logProb: (x, { location, scale }) =>
    onSupport(x, x.gt(0), 1, (x) => {
      const log = x.log();
      const z = log.sub(location).div(scale);
      return z.square().mul(-0.5).sub(log).sub(settled(scale.log().add(0.5 * LOG_2PI))); // biome-ignore format: the formula
    }),
  sample: (key, { location, scale }, batch) => standardNormal(key, batch, "f64").mul(scale).add(location).exp(),
  reparameterised: "explicit",
  mean: ({ location, scale }) => scale.square().mul(0.5).add(location).exp(),
  // (e^scale² − 1) e^(2 location + scale²)
  variance: ({ location, scale }) => scale.square().expm1().mul(location.mul(2).add(scale.square()).exp()),
  logCdf: (x, { location, scale }) => onSupport(x, x.gt(0), 1, (x) => logNormalCdf(x.log().sub(location).div(scale))),
  logSurvival: (x, { location, scale }) => {
    const inside = x.gt(0);
    return where(inside, logNormalSurvival(where(inside, x, 1).log().sub(location).div(scale)), 0);
  },
  fromLogCdf: (l, { location, scale }) => normalQuantileOfLog(l).mul(scale).add(location).exp(),
  fromLogSurvival: (l, { location, scale }) => location.sub(normalQuantileOfLog(l).mul(scale)).exp(),
});
