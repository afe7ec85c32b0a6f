import { unitInterval } from "../../constraints/support.ts";
import type { CustomRule } from "../../ops/vocabulary.ts";
import { div, where } from "../../tensor/functions.ts";
import { uniform } from "../../tensor/random.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Distribution } from "./distribution.ts";

/** Below this |l| the closed forms lose digits to cancellation; there the series below are exact to double precision. */
const NEAR_ZERO = 0.5;

/** B_2k / (2k)! for k = 1 … 8: l / (e^l − 1) = 1 − l/2 + Σ_k B_2k l^2k / (2k)! (DLMF 24.2.1). */
const BERNOULLI = [
  1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600, -3617 / 10670622842880000,
]; // biome-ignore format: one series

/** Σ_k c_k s^(k−1), by Horner's rule. */
const polynomial = (coefficients: readonly number[], s: Tensor): Tensor =>
  coefficients.slice(0, -1).reduceRight<Tensor>((sum, c) => sum.mul(s).add(c), s.mul(0).add(coefficients.at(-1)!));

/** Mean of the density e^(xl) / A on [0, 1]: 1 / (1 − e^−l) − 1/l, which is ½ + Σ_k B_2k l^(2k−1) / (2k)! near 0. */
function meanOf(l: Tensor): Tensor {
  const near = l.abs().lt(NEAR_ZERO);
  const far = where(near, 1, l);
  const closed = div<Tensor>(-1, far.neg().expm1()).sub(div<Tensor>(1, far));
  const small = where(near, l, 0);
  return where(near, polynomial(BERNOULLI, small.square()).mul(small).add(0.5), closed);
}

/** log A(l) = log ∫₀¹ e^(xl) dx = max(l, 0) + log((1 − e^−|l|) / |l|), which is 0 at 0. Its derivative is the mean. */
function logNormaliser(l: Tensor): Tensor {
  const a = l.abs();
  const near = a.lt(NEAR_ZERO);
  const far = where(near, 1, a);
  const closed = l.maximum(0).add(far.neg().expm1().neg().div(far).log());
  const small = where(near, l, 0);
  // The integral of the series of the mean: l/2 + Σ_k B_2k l^2k / (2k (2k)!).
  const series = small.mul(0.5).add(polynomial(BERNOULLI.map((c, i) => c / (2 * i + 2)), small.square()).mul(small.square())); // biome-ignore format: one series
  return l.of(l.trace.customVjp(where(near, series, closed).node, [l.node], slope));
}

/** One function for all traces, so that equal programs stay equal. */
const slope: CustomRule = (b, g, _y, [l]) => [new Tensor(b, g).mul(meanOf(new Tensor(b, l!))).node];

// log p(x) = x l − log((e^l − 1) / l) on [0, 1]        l = logits = log(λ / (1 − λ))
// (Loaiza-Ganem and Cunningham 2019, "The continuous Bernoulli", with their constant C(λ) absorbed)
export const continuousBernoulli: Distribution<"logits"> = {
  name: "continuous-bernoulli",
  params: ["logits"],
  support: unitInterval,
  logProb: (x, { logits }) => x.mul(logits).sub(logNormaliser(logits)),
  mean: ({ logits }) => meanOf(logits),
  // The inverse of the distribution function (e^(xl) − 1) / (e^l − 1): log1p(u (e^l − 1)) / l, from the side that cannot overflow.
  sample: (key, { logits }, options) => {
    const u = uniform(key, logits.shape, logits.dtype as "f32" | "f64", options);
    const a = logits.abs();
    const near = a.lt(1e-4);
    const far = where(near, 1, a);
    const x = u.mul(far.neg().expm1()).log1p().div(far).neg();
    return where(near, u, where(logits.gt(0), x.neg().add(1), x));
  },
  entropy: ({ logits }) => logNormaliser(logits).sub(logits.mul(meanOf(logits))),
};
