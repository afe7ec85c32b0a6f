import type { Shape } from "../base/shape.ts";
import { and, broadcastTo, le, where } from "../tensor/functions.ts";
import { type Key, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { searchUp, untilTaken } from "./rejection.ts";

/** Means from which on rejection is used; P(X > 128) is below 10⁻⁸⁰ for smaller ones. */
const LARGE = 10;
const SEARCH = 128;
/** At least 0.66 of all tries are taken, so that the chance to need more is below 10⁻²⁹. */
const TRIES = 64;

/** A probability as the smaller of p and 1 − p, and whether (bool) that is 1 − p. */
interface Folded {
  readonly smaller: Tensor;
  readonly flipped: Tensor;
}

export const foldProbs = (probs: Tensor): Folded => ({
  smaller: probs.minimum(probs.neg().add(1)),
  flipped: probs.gt(0.5),
});

export const foldLogits = (logits: Tensor): Folded => ({
  smaller: logits.abs().neg().sigmoid(),
  flipped: logits.gt(0),
});

/**
 * Exact binomial draws [...batch]: by inversion where the mean (or that of the failures) is small, else by Hörmann's transformed
 * rejection (BTRS; "The generation of binomial random variates", Journal of Statistical Computation and Simulation 46, 1993).
 */
export function drawBinomial(key: Key<Tensor>, total: Tensor, folded: Folded, batch: Shape): Tensor {
  const n = broadcastTo(total, batch);
  const p = broadcastTo(folded.smaller, batch);
  const odds = p.div(p.neg().add(1));
  const large = n.mul(p).ge(LARGE);
  const u = where<Tensor>(large, 0, uniform(key.site("inversion"), batch, "f64"));
  const few = searchUp(u, n.mul(p.neg().log1p()).exp(), (k) => n.sub(k).add(1).div(k).mul(odds), SEARCH).minimum(n);

  // Where it is not used, numbers that do no harm.
  const [m, q] = [where<Tensor>(large, n, 2 * LARGE), where<Tensor>(large, p, 0.5)];
  const logOdds = where<Tensor>(large, odds, 1).log();
  const spread = m.mul(q).mul(q.neg().add(1)).sqrt();
  const b = spread.mul(2.53).add(1.15);
  const a = b.mul(0.0248).add(q.mul(0.01)).sub(0.0873);
  const logAlpha = b.pow(-1).mul(5.1).add(2.83).mul(spread).log();
  const mode = m.add(1).mul(q).floor();
  const logFactorials = (k: Tensor) => k.add(1).lgamma().add(m.sub(k).add(1).lgamma());
  const atMode = logFactorials(mode);
  const attempt = (u: Tensor, v: Tensor) => {
    const x = u.sub(0.5);
    const side = x.abs().neg().add(0.5);
    const k = a.mul(2).div(side).add(b).mul(x).add(m.mul(q)).add(0.5).floor();
    const inside = and<Tensor>(k.ge(0), le<Tensor>(k, m));
    const safe = k.maximum(0).minimum(m);
    const density = safe.sub(mode).mul(logOdds).add(atMode).sub(logFactorials(safe));
    const height = v.log().add(logAlpha).sub(a.div(side.square()).add(b).log());
    return { value: k, taken: and<Tensor>(inside, height.le(density)) };
  };
  const many = untilTaken(key.site("rejection"), large, batch, attempt, TRIES);
  const successes = where<Tensor>(large, many, few);
  // Parameters that are no numbers give none.
  const drawn = where<Tensor>(broadcastTo(folded.flipped, batch), n.sub(successes), successes);
  return drawn.add(n.add(p).mul(0)).stopGradient();
}
