import { positive } from "../constraints/support.ts";
import { where } from "../tensor/functions.ts";
import { distribution } from "./distribution.ts";
import { log1mExp } from "./special/log1m-exp.ts";
import { onSupport } from "./special/on-support.ts";
import { settled } from "./special/settled.ts";
import { drawStudent, logStudent, logStudentConstant } from "./special/student-density.ts";
import { studentCentre, studentTail } from "./special/student-tail.ts";

/**
 * The absolute value of a Student t about 0, between half Cauchy (ν = 1) and half normal (ν → ∞): `halfStudentT(3, 2.5)`.
 *
 *     log p(x) = log 2 + log t(x / scale; ν) − log scale        x ≥ 0
 *
 * @param nu  degrees of freedom ν, above 0
 * @param scale  above 0; default 1
 */
export const halfStudentT = distribution({
  name: "halfStudentT",
  params: { nu: { support: positive, rank: 0 }, scale: { support: positive, rank: 0, default: 1 } },
  support: () => positive,
  holdsZero: true,
  logProb: (x, { nu, scale }) =>
    onSupport(x, x.ge(0), 1, (x) => logStudent(x.div(scale), nu).add(settled(scale.log().neg().add(Math.LN2)))),
  sample: (key, { nu, scale }, batch) => drawStudent(key, nu, batch).abs().mul(scale),
  reparameterised: "implicit",
  // 2 scale √(ν/π) Γ((ν+1)/2) / (Γ(ν/2) (ν − 1)) for ν > 1
  mean: ({ nu, scale }) => {
    const finite = nu.gt(1);
    const safe = where(finite, nu, 2);
    const value = logStudentConstant(safe).exp().mul(2).mul(safe).div(safe.sub(1)).mul(scale); // biome-ignore format: the formula
    return where(finite, value, Infinity);
  },
  // E x² − mean²
  variance: ({ nu, scale }) => {
    const finite = nu.gt(2);
    const safe = where(finite, nu, 3);
    const mean = logStudentConstant(safe).exp().mul(2).mul(safe).div(safe.sub(1)); // biome-ignore format: the formula
    const value = safe.div(safe.sub(2)).sub(mean.square()).mul(scale.square());
    return where(finite, value, where(nu.gt(1), value.mul(0).add(Infinity), Number.NaN)); // biome-ignore format: short
  },
  logCdf: (x, { nu, scale }) =>
    onSupport(x, x.gt(0), 1, (x) => {
      const z = x.div(scale);
      const near = z.lt(1);
      const far = log1mExp(
        studentTail(where(near, 1, z), nu)
          .add(Math.LN2)
          .neg(),
      );
      return where(near, studentCentre(where(near, z, 1), nu).add(Math.LN2), far);
    }),
  logSurvival: (x, { nu, scale }) => studentTail(x.maximum(0).div(scale), nu).add(Math.LN2).minimum(0),
});
