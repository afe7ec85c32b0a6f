import { approximationOf, type CaviApproximation, refuseEstimated } from "../cavi/approximation.ts";
import type { Problem } from "../problem.ts";
import type { SviOptions } from "./options.ts";
import { sviWithSetting } from "./svi.ts";

/** Stochastic variational inference as a method of `infer`. */
export async function sviApproximation(problem: Problem, options: SviOptions = {}): Promise<CaviApproximation> {
  refuseEstimated(problem);
  const { fit, setting } = await sviWithSetting(problem, options);
  return approximationOf(problem, fit, setting, "mean-field by stochastic steps", options.seed);
}
