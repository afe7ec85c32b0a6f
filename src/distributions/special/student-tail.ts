import { div, full, where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { logStudent } from "./student-density.ts";
import { column, REACH, tailIntegral } from "./tail-integral.ts";

/**
 * log P(T > z) for z ≥ 0, T of Student's t with ν degrees of freedom: relative error about 1e-9 from ν = 0.7 on, more
 * below.
 */
export function studentTail(z: Tensor, nu: Tensor): Tensor {
  const { shape } = z.add(nu);
  const [t, v] = [z.broadcastTo(shape), nu.broadcastTo(shape)];
  const near = t.lt(1);
  const middle = studentCentre(where(near, t, 1), v).add(Math.LN2).exp().neg().log1p().sub(Math.LN2); // biome-ignore format: the formula
  return where(near, middle, farTail(where(near, 1, t), v));
}

/**
 * log P(T > z) for z ≥ 1, T of Student's t with ν degrees of freedom. With t = √ν sinh y the density becomes (cosh
 * y)^−ν dy, so that the tail is √(ν + z²) p(z) ∫₀^∞ (cosh(y + w) / cosh y)^−ν dw, and cosh(y + w) / cosh y = 1 + 2
 * sinh²(w/2) + tanh(y) sinh w. The exponent's slope grows from ν tanh y to ν; it lies above ν (tanh y w + (1 − tanh y)
 * w² / (2 + w)).
 */
function farTail(t: Tensor, v: Tensor): Tensor {
  const root = t.square().add(v).sqrt();
  const slope = t.div(root); // tanh y
  const b = slope.mul(v).sub(REACH / 2);
  const width = div<Tensor>(2 * REACH, b.square().add(v.mul(2 * REACH)).sqrt().add(b)); // biome-ignore format: short
  const [slopes, exponent] = [column(slope), column(v)];
  const integral = tailIntegral(width, (w) => {
    // (cosh w − 1) + tanh y sinh w by e^w − 1, without overflow for w below 700
    const up = w.expm1();
    const down = w.neg().expm1();
    return up.add(down).mul(0.5).add(up.sub(down).mul(0.5).mul(slopes)).log1p().mul(exponent).neg().exp(); // biome-ignore format: the formula
  });
  return integral.log().add(root.log()).add(logStudent(t, v)).minimum(-0);
}

/** log P(0 < T < z) for z from 0 to 1, by Gauss and Legendre's rule: the density has no scale below 1. */
export function studentCentre(z: Tensor, nu: Tensor): Tensor {
  const { shape } = z.add(nu);
  const [t, v] = [z.broadcastTo(shape), nu.broadcastTo(shape)];
  const [ts, vs] = [column(t), column(v)];
  return tailIntegral(full(t, shape, 1), (share) => logStudent(share.mul(ts), vs).exp())
    .log()
    .add(t.log());
}
