import { positive, real } from "../constraints/support.ts";
import { normal as standardNormal } from "../tensor/random.ts";
import { distribution } from "./distribution.ts";
import { LOG_2PI, logNormalCdf } from "./normal-cdf.ts";



// log p(x) = −½ ((x − mean) / sd)² − log sd − ½ log 2π
export const normal = distribution({
  name: "normal",
  params: { mean: { support: real, rank: 0, default: 0 }, sd: { support: positive, rank: 0, default: 1 } },
  support: () => real,
  logProb: (x, { mean, sd }) => x.sub(mean).div(sd).square().mul(-0.5).sub(sd.log()).sub(0.5 * LOG_2PI), // biome-ignore format: the formula
  sample: (key, { mean, sd }, batch) => standardNormal(key, batch, "f64").mul(sd).add(mean),
  reparameterised: "explicit",
  mean: ({ mean, sd }) => mean.add(sd.mul(0)),
  variance: ({ mean, sd }) => sd.square().add(mean.mul(0)),
  logCdf: (x, { mean, sd }) => logNormalCdf(x.sub(mean).div(sd)),
  logSurvival: (x, { mean, sd }) => logNormalCdf(mean.sub(x).div(sd)),
  quantile: (p, { mean, sd }) => p.mul(2).sub(1).erfinv().mul(Math.SQRT2).mul(sd).add(mean),
});
