import { OptionError } from "../base/errors.ts";
import { positive, real } from "../constraints/support.ts";
import { normal as standardNormal } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Distribution, distribution, type ParamValue, refuseOtherCopy } from "./distribution.ts";
import { LOG_2PI, logNormalCdf, logNormalSurvival } from "./normal-cdf.ts";
import { normalQuantileOfLog } from "./special/normal-quantile.ts";
import { settled } from "./special/settled.ts";

// log p(x) = −½ ((x − mean) / sd)² − log sd − ½ log 2π
const bySd = distribution({
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

/** By what the scale may be given, and the power of it that is the sd. */
const SCALES = { sd: 1, variance: 0.5, precision: -0.5 } as const;
type Scale = keyof typeof SCALES;
type Named = { readonly mean?: ParamValue } & { readonly [S in Scale]?: ParamValue };

function raised(value: ParamValue, scale: Exclude<Scale, "sd">): ParamValue {
  if (value instanceof Tensor) return scale === "variance" ? value.sqrt() : value.pow(-0.5);
  refuseOtherCopy(value);
  if (typeof value !== "number") return (value as readonly number[]).map((v) => raised(v, scale)) as number[];
  if (!(value > 0 && value < Infinity))
    throw new OptionError(`normal: ${scale} is ${value}, but it must be a number above 0`);
  return value ** SCALES[scale];
}

const call = (...args: readonly unknown[]): Distribution => {
  const [only] = args;
  const isNamed = typeof only === "object" && only !== null && !Array.isArray(only) && !(only instanceof Tensor);
  const given = isNamed ? (Object.keys(SCALES) as Scale[]).filter((s) => Object.hasOwn(only, s)) : [];
  if (given.length > 1) throw new OptionError(`normal: ${given.join(" and ")} are given, but the scale is one of them`);
  const scale = given[0] ?? "sd";
  if (scale === "sd") return bySd(...(args as ParamValue[]));
  const { [scale]: value, ...rest } = only as Named;
  if ((value ?? null) === null) throw new OptionError(`normal: ${scale} is ${value}, but it must be a number above 0`);
  return bySd({ ...rest, sd: raised(value!, scale) });
};
Object.defineProperty(call, "name", { value: "normal" });

/** A Gaussian, by its sd, variance or precision: `normal(mean, sd)`, `normal({ mean, variance })`, `normal({ mean, precision })`. */
export const normal = Object.assign(call, bySd) as unknown as typeof bySd & ((args: Named) => Distribution<"mean" | "sd">); // biome-ignore format: one line
