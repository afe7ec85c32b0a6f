import type { Shape } from "../../base/shape.ts";
import type { CustomRule } from "../../ops/vocabulary.ts";
import { div, sign, sin, where } from "../../tensor/functions.ts";
import { type Key, uniform } from "../../tensor/random.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { arctangent } from "./arctangent.ts";
import { besselRatioBelowOne } from "./bessel.ts";
import { firstTaken } from "./gamma-draw.ts";
import { column, REACH, tailIntegral } from "./tail-integral.ts";

/** Each try is taken with probability 0.65 or more, so that all fail with probability below 1e-12. */
const TRIES = 27;

const slope: CustomRule = (b, g, y, [kappa]) => [
  new Tensor(b, g).mul(vonMisesDrawSlope(new Tensor(b, kappa!), new Tensor(b, y))).node,
];

/** 1 − cos x */
const versine = (x: Tensor): Tensor => sin(x.mul(0.5)).square().mul(2);

/**
 * Angles in [−π, π] with density proportional to e^(κ cos θ), κ of shape [...batch]: by Best and Fisher 1979 from the
 * wrapped Cauchy distribution, θ = 2 arctan((1 − ρ) / (1 + ρ) tan(πv/2)). With τ = 1 + √(1 + 4κ²), ρ = 2κ / (τ +
 * √(2τ)), and w = κ (r − cos θ), r = (1 + ρ²) / 2ρ, a try is taken if log u < log w + 1 − w. The gradient by κ is
 * implicit.
 */
export function vonMisesDraw(key: Key<Tensor>, kappa: Tensor, batch: Shape): Tensor {
  const tries = [...batch, TRIES];
  const root = kappa.square().mul(4).add(1).sqrt();
  const tau = root.add(1);
  const sum = tau.add(tau.mul(2).sqrt());
  const rho = kappa.mul(2).div(sum);
  // 1 − ρ by τ − 2κ = 1 + 1 / (√(1 + 4κ²) + 2κ)
  const rest = div<Tensor>(1, root.add(kappa.mul(2))).add(1).add(tau.mul(2).sqrt()).div(sum); // biome-ignore format: the formula
  const half = uniform(key.site("angle"), tries, "f64").sub(0.5).mul(Math.PI);
  const theta = arctangent(sin(half).div(half.cos()).mul(column(rest.div(rho.add(1))))).mul(2); // biome-ignore format: the formula
  // κ / ρ = (τ + √(2τ)) / 2, and r − cos θ = (1 − ρ)² / 2ρ + 1 − cos θ
  const w = column(rest.square().mul(sum).mul(0.25)).add(versine(theta).mul(column(kappa))); // biome-ignore format: the formula
  const bound = w.log().add(1).sub(w);
  const taken = uniform(key.site("accept"), tries, "f64").log().lt(bound);
  return kappa.of(kappa.trace.customVjp(firstTaken(theta, taken).node, [kappa.node], slope));
}

/**
 * dθ/dκ at a fixed place of the distribution: ∓∫ (cos t − A) e^(κ (cos t − cos θ)) dt, A = I1/I0, from 0 to |θ| where
 * cos θ > A, else from |θ| to π, so that the integrand keeps its sign and the exponential stays moderate.
 */
export function vonMisesDrawSlope(kappa: Tensor, theta: Tensor): Tensor {
  const a = theta.abs();
  const below = besselRatioBelowOne(kappa); // 1 − A
  const own = versine(a);
  const inner = own.lt(below);
  // Outside, with s = t − |θ| up to π − |θ|, the exponent κ (cos θ − cos t) is at least 2κ s²/π² and at least ½ κ s
  // sin|θ|.
  const outer = a.neg().add(Math.PI).maximum(0);
  const far = kappa.maximum(1e-3);
  const byCurve = far.mul(2 / REACH).sqrt(); // 1 / width, over π
  const bySlope = far.mul(sin(a)).mul(1 / (2 * REACH)); // 1 / width
  const reach = div<Tensor>(1, byCurve.mul(1 / Math.PI).maximum(bySlope)).minimum(outer);
  const width = where(inner, a, reach);
  const [start, ownColumn, belowColumn, kappas] = [where(inner, a.mul(0), a), own, below, kappa].map(column) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const integral = tailIntegral(width, (s) => {
    const versed = versine(s.add(start));
    return belowColumn.sub(versed).mul(ownColumn.sub(versed).mul(kappas).exp());
  });
  return where(inner, integral.neg(), integral).mul(sign(theta));
}
