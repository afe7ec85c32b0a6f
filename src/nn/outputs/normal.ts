import { real } from "../../constraints/support.ts";
import { normal as standardNormal } from "../../tensor/random.ts";
import type { Distribution } from "./distribution.ts";

export const LOG_2PI = 1.8378770664093453;

// log p(x) = −½ ((x − mean) / sd)² − log sd − ½ log 2π        mean, logSd = log sd
export const normal: Distribution<"mean" | "logSd"> = {
  name: "normal",
  params: ["mean", "logSd"],
  support: real,
  logProb: (x, { mean, logSd }) =>
    x
      .sub(mean)
      .mul(logSd.neg().exp())
      .square()
      .mul(-0.5)
      .sub(logSd)
      .sub(0.5 * LOG_2PI),
  mean: ({ mean }) => mean,
  sample: (key, { mean, logSd }, options) =>
    standardNormal(key, mean.shape, mean.dtype as "f32" | "f64", options)
      .mul(logSd.exp())
      .add(mean),
  entropy: ({ logSd }) => logSd.add(0.5 * (1 + LOG_2PI)),
};
