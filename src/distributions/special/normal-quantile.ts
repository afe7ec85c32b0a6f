import type { CustomRule } from "../../ops/vocabulary.ts";
import { where } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { logNormalCdf, normalHazard } from "../normal-cdf.ts";
import { log1mExp } from "./log1m-exp.ts";
import { polynomial } from "./polynomial.ts";

/**
 * z with log Φ(z) = l for l ≤ log ½: formula 26.2.23 of Abramowitz and Stegun (error 4.5e-4), then two steps of Halley
 * on log Φ.
 */
function lowerQuantile(l: Tensor): Tensor {
  const t = l.mul(-2).sqrt();
  const start = polynomial([2.515517, 0.802853, 0.010328], t).div(polynomial([1, 1.432788, 0.189269, 0.001308], t));
  let z = start.sub(t);
  for (let turn = 0; turn < 2; turn++) {
    const hazard = normalHazard(z);
    const newton = logNormalCdf(z).sub(l).div(hazard);
    z = z.sub(newton.div(newton.mul(z.add(hazard)).mul(0.5).add(1)));
  }
  return z;
}

const slope: CustomRule = (b, g, y, _xs) => [new Tensor(b, g).div(normalHazard(new Tensor(b, y))).node];

/** The z of N(0, 1) with log Φ(z) = l, for l ≤ 0, exact in both tails: at l = −1e6 too. */
export function normalQuantileOfLog(l: Tensor): Tensor {
  const upper = l.gt(-Math.LN2);
  const near = where(upper, log1mExp(where(upper, l, -Math.LN2).neg()), l);
  const z = lowerQuantile(near);
  return l.of(l.trace.customVjp(where(upper, z.neg(), z).node, [l.node], slope));
}
