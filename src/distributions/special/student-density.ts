import type { Shape } from "../../base/shape.ts";
import { type Key, normal as standardNormal } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { LOG_2PI } from "../normal-cdf.ts";
import { logGammaDraw } from "./gamma-draw.ts";
import { settled } from "./settled.ts";
import { logGammaHalfStep } from "./stirling.ts";

/** log Γ((ν+1)/2) − log Γ(ν/2) − ½ log(νπ), which is −½ log 2π for ν → ∞. */
export const logStudentConstant = (nu: Tensor): Tensor => logGammaHalfStep(nu.mul(0.5)).sub(0.5 * LOG_2PI);

/** −(ν+1)/2 log(1 + z²/ν) plus the constant: the log density at scale 1. */
export const logStudent = (z: Tensor, nu: Tensor): Tensor =>
  z.square().div(nu).log1p().mul(nu.add(1).mul(-0.5)).add(settled(logStudentConstant(nu))); // biome-ignore format: the formula

/** z √(ν/2 / G), z from N(0, 1), G from Gamma(ν/2, 1). */
export const drawStudent = (key: Key<Tensor>, nu: Tensor, batch: Shape): Tensor => {
  const half = nu.mul(0.5);
  const spread = settled(half.log()).sub(logGammaDraw(key.site("gamma"), settled(half), batch)).mul(0.5).exp(); // biome-ignore format: the formula
  return standardNormal(key.site("normal"), batch, "f64").mul(spread);
};
