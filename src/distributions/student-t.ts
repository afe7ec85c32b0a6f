import { positive, real } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, type Params } from "./distribution.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { settled } from "./special/settled.ts";
import { drawStudent, logStudent } from "./special/student-density.ts";
import { studentTail } from "./special/student-tail.ts";

type TParams = Params<"nu" | "location" | "scale">;

/** log P(T ≤ z), T of scale 1. */
export function logStudentCdf(z: Tensor, nu: Tensor): Tensor {
  const tail = studentTail(z.abs(), nu);
  return where(z.lt(0), tail, log1mExp(tail.neg()));
}

/**
 * A real number with tails longer than a normal's, for data with outliers: `studentT(4, 0, 1)`.
 *
 *     log p(x) = lgamma((ν+1)/2) − lgamma(ν/2) − ½ log(νπ) − log scale − (ν+1)/2 log(1 + z²/ν)        z = (x − location) / scale
 *
 * @param nu  degrees of freedom ν, above 0: the mean needs more than 1, the variance more than 2
 * @param location  real, the median; default 0
 * @param scale  above 0, not the sd; default 1
 */
export const studentT = distribution({
  name: "studentT",
  params: {
    nu: { support: positive, rank: 0 },
    location: { support: real, rank: 0, default: 0 },
    scale: { support: positive, rank: 0, default: 1 },
  },
  support: () => real,
  logProb: (x, { nu, location, scale }) => logStudent(x.sub(location).div(scale), nu).sub(settled(scale.log())),
  sample: (key, { nu, location, scale }, batch) => drawStudent(key, nu, batch).mul(scale).add(location),
  reparameterised: "implicit",
  mean: ({ nu, location, scale }: TParams) => where(nu.gt(1), location.add(scale.mul(0)).add(nu.mul(0)), Number.NaN),
  // ν / (ν − 2) scale² for ν > 2, infinite down to ν = 1
  variance: ({ nu, location, scale }: TParams) => {
    const finite = nu.gt(2);
    const factor = where(
      finite,
      nu.div(where(finite, nu, 3).sub(2)),
      where(nu.gt(1), nu.mul(0).add(Infinity), Number.NaN),
    );
    return factor.mul(scale.square()).add(location.mul(0));
  },
  logCdf: (x, { nu, location, scale }) => logStudentCdf(x.sub(location).div(scale), nu),
  logSurvival: (x, { nu, location, scale }) => logStudentCdf(location.sub(x).div(scale), nu),
});
