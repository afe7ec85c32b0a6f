import { digamma, div, where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { column, REACH, tailIntegral } from "./tail-integral.ts";

/** Both arguments at one shape. */
function joint(a: Tensor, x: Tensor): [Tensor, Tensor] {
  const { shape } = a.add(x);
  return [a.broadcastTo(shape), x.broadcastTo(shape)];
}

interface Side {
  /** ±1: 1 where the tail above x is meant, −1 where the one below. */
  readonly sign: Tensor;
  /** The rest of the exponent, φ(w) = x (e^±w − 1) ∓ a w, at [..., points]. */
  readonly exponent: (w: Tensor) => Tensor;
  /** Where φ is about REACH. */
  readonly width: Tensor;
}

/**
 * With t = x e^±w the tail of Gamma(a, 1) beyond x is x p(x) ∫₀^∞ e^−φ(w) dw, where φ(w) = x (e^±w − 1) ∓ a w is
 * convex and increasing if x lies on that side of a. The width solves φ = REACH for a bound of φ: (x − a) w + x w²/2
 * or x (e^w − 1 − w) above, (a − x) w + x w² / (2 + w) below.
 */
function side(a: Tensor, x: Tensor, above: Tensor): Side {
  const sign = where(above, a.mul(0).add(1), -1);
  const slope = x.sub(a).mul(sign).maximum(0);
  const quadratic = slope.square().add(x.mul(2 * REACH)).sqrt().add(slope); // biome-ignore format: short
  const upper = div<Tensor>(2 * REACH, quadratic); // biome-ignore format: short
  const growing = upper.minimum(div<Tensor>(REACH, x).add(upper).log1p()); // biome-ignore format: short
  const b = slope.sub(REACH / 2);
  const lower = div<Tensor>(2 * REACH, b.square().add(a.mul(2 * REACH)).sqrt().add(b)); // biome-ignore format: short
  const [aColumn, xColumn, signColumn] = [column(a), column(x), column(sign)];
  return {
    sign,
    width: where(above, growing, lower),
    exponent: (w) => {
      const signed = w.mul(signColumn);
      return signed.expm1().mul(xColumn).sub(signed.mul(aColumn));
    },
  };
}

/**
 * d log x / da of a draw x from Gamma(a, 1) at a fixed place of the distribution, a ≥ 1: −(∂F(x; a) / ∂a) / (x p(x))
 * (Figurnov, Mohamed and Mnih 2018, "Implicit reparameterization gradients"). By ∂p/∂a = (log t − ψ(a)) p it is ∫₀^∞
 * (w ± (log x − ψ(a))) e^−φ(w) dw, which subtracts nothing but at x ≈ a.
 */
export function gammaDrawSlope(shape: Tensor, draw: Tensor): Tensor {
  const [a, x] = joint(shape, draw);
  const { sign, width, exponent } = side(a, x, x.gt(a));
  const centre = column(x.log().sub(digamma(a)).mul(sign));
  return tailIntegral(width, (w) => w.add(centre).mul(exponent(w).neg().exp()));
}

/**
 * The tail of Gamma(a, 1) on the near side of x, divided by x p(x), and which side that is. Below a = 1 the lower one
 * is taken up to x = a + 1 and comes from F(x; a) = F(x; a + 1) + x p(x; a) / a.
 */
export function gammaTail(shape: Tensor, at: Tensor): { readonly above: Tensor; readonly ratio: Tensor } {
  const [a, x] = joint(shape, at);
  const small = a.lt(1);
  const raised = where(small, a.add(1), a);
  const above = x.gt(raised);
  const used = where(above, a, raised);
  const { width, exponent } = side(used, x, above);
  const integral = tailIntegral(width, (w) => exponent(w).neg().exp());
  const fromRaised = integral.mul(x).add(1).div(a);
  return { above, ratio: where(above, integral, where(small, fromRaised, integral)) };
}
