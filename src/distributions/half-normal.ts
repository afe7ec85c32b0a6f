import { positive } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import { normal as standardNormal } from "../tensor/random.ts";
import { distribution } from "./distribution.ts";
import { logNormalSurvival } from "./normal-cdf.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { normalQuantileOfLog } from "./special/normal-quantile.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";

/**
 * The absolute value of a normal with mean 0: a scale whose order of magnitude is known, `halfNormal(2)`.
 *
 *     log p(x) = ½ log 2/π − log sd − ½ (x / sd)²        x ≥ 0
 *
 * @param sd  above 0, that of the normal which is folded; default 1
 */
export const halfNormal = distribution({
  name: "halfNormal",
  params: { sd: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  holdsZero: true,
  logProb: (x, { sd }) =>
    onSupport(x, x.ge(0), 1, (x) =>
      x
        .div(sd)
        .square()
        .mul(-0.5)
        .sub(settled(sd.log().sub(0.5 * Math.log(2 / Math.PI)))),
    ),
  sample: (key, { sd }, batch) => standardNormal(key, batch, "f64").abs().mul(sd),
  reparameterised: "explicit",
  mean: ({ sd }) => sd.mul(Math.sqrt(2 / Math.PI)),
  variance: ({ sd }) => sd.square().mul(1 - 2 / Math.PI),
  // log erf(x / (sd √2)), from the tail where that is near 1
  logCdf: (x, { sd }) =>
    onSupport(x, x.gt(0), 1, (x) => {
      const z = x.div(sd);
      const near = z.lt(1);
      const far = log1mExp(
        logNormalSurvival(where(near, 1, z))
          .add(Math.LN2)
          .neg(),
      );
      return where(near, where(near, z, 1).mul(Math.SQRT1_2).erf().log(), far);
    }),
  logSurvival: (x, { sd }) => {
    const z = x.maximum(0).div(sd);
    const near = z.lt(1);
    return where(near, where(near, z, 0).mul(Math.SQRT1_2).erf().neg().log1p(), logNormalSurvival(z).add(Math.LN2));
  },
  fromLogCdf: (l, { sd }) => {
    const near = l.lt(-Math.LN2);
    const far = normalQuantileOfLog(log1mExp(where(near, -Math.LN2, l).neg()).sub(Math.LN2)).neg();
    return where(near, where(near, l, -1).exp().erfinv().mul(Math.SQRT2), far).mul(sd);
  },
  fromLogSurvival: (l, { sd }) => normalQuantileOfLog(l.sub(Math.LN2)).mul(sd).neg(),
});
