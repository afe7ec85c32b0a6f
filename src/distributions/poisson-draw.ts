import type { Shape } from "../base/shape.ts";
import { and, broadcastTo, where } from "../tensor/functions.ts";
import { type Key, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { searchUp, untilTaken } from "./rejection.ts";

/** Rates from which on rejection is used; P(X > 128) is below 10⁻⁹⁰ for smaller ones. */
const LARGE = 10;
const SEARCH = 128;
/** At least 0.77 of all tries are taken, so that the chance to need more is below 10⁻⁴⁰. */
const TRIES = 64;

/**
 * Exact Poisson draws [...batch]: by inversion for small rates, by Hörmann's transformed rejection (PTRS) for large ones ("The
 * transformed rejection method for generating Poisson random variables", Insurance: Mathematics and Economics 12, 1993).
 */
export function drawPoisson(key: Key<Tensor>, given: Tensor, batch: Shape): Tensor {
  const rate = broadcastTo(given, batch);
  const large = rate.ge(LARGE);
  const u = where<Tensor>(large, 0, uniform(key.site("inversion"), batch, "f64"));
  const few = searchUp(u, rate.neg().exp(), (k) => rate.div(k), SEARCH);

  const mean = where<Tensor>(large, rate, LARGE);
  const logMean = mean.log();
  const b = mean.sqrt().mul(2.53).add(0.931);
  const a = b.mul(0.02483).sub(0.059);
  const logInverseAlpha = b.sub(3.4).pow(-1).mul(1.1328).add(1.1239).log();
  const attempt = (u: Tensor, v: Tensor) => {
    const x = u.sub(0.5);
    const side = x.abs().neg().add(0.5);
    const k = a.mul(2).div(side).add(b).mul(x).add(mean).add(0.43).floor();
    const density = k.mul(logMean).sub(mean).sub(k.maximum(0).add(1).lgamma());
    const height = v.log().add(logInverseAlpha).sub(a.div(side.square()).add(b).log());
    return { value: k, taken: and<Tensor>(k.ge(0), height.le(density)) };
  };
  const many = untilTaken(key.site("rejection"), large, batch, attempt, TRIES);
  // A rate that is no number gives none.
  return where<Tensor>(large, many, few).add(rate.mul(0)).stopGradient();
}
