import { positive, real } from "../constraints/support.ts";
import { normal as standardNormal } from "../tensor/random.ts";
import { distribution } from "./distribution.ts";
import { LOG_2PI, logNormalCdf, logNormalSurvival } from "./normal-cdf.ts";
import { normalQuantileOfLog } from "./special/normal-quantile.ts";
import { settled } from "./special/settled.ts";

// log p(x) = −½ ((x − mean) / sd)² − log sd − ½ log 2π
export const normal = distribution({
  name: "normal",
  params: { mean: { support: real, rank: 0, default: 0 }, sd: { support: positive, rank: 0, default: 1 } },
  support: () => real,
  logProb: (x, { mean, sd }) => x.sub(mean).div(sd).square().mul(-0.5).sub(settled(sd.log().add(0.5 * LOG_2PI))), // biome-ignore format: the formula
  sample: (key, { mean, sd }, batch) => standardNormal(key, batch, "f64").mul(sd).add(mean),
  reparameterised: "explicit",
  gaussian: ({ mean, sd }) => ({ mean, logSd: sd.log() }),
  mean: ({ mean, sd }) => mean.add(sd.mul(0)),
  variance: ({ mean, sd }) => sd.square().add(mean.mul(0)),
  logCdf: (x, { mean, sd }) => logNormalCdf(x.sub(mean).div(sd)),
  logSurvival: (x, { mean, sd }) => logNormalSurvival(x.sub(mean).div(sd)),
  fromLogCdf: (l, { mean, sd }) => normalQuantileOfLog(l).mul(sd).add(mean),
  fromLogSurvival: (l, { mean, sd }) => mean.sub(normalQuantileOfLog(l).mul(sd)),
});
