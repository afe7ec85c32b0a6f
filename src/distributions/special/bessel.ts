import { div, where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { polynomial } from "./polynomial.ts";

/** Where the power series of I0 ends and the fit in 1/κ begins. */
const MEET = 10;

/** I0(κ) = Σ_k (κ²/4)^k / k!² (DLMF 10.25.2): what is left out below 10 is 1e-18 of it. */
const SERIES = Array.from({ length: 26 }, (_, k) => {
  let factorial = 1;
  for (let i = 2; i <= k; i++) factorial *= i;
  return 1 / factorial ** 2;
});
/** I0′(κ) = κ/2 Σ_k (κ²/4)^k / (k! (k + 1)!) */
const SLOPE_SERIES = SERIES.map((c, k) => c / (k + 1));

/**
 * √κ e^−κ I0(κ) in s = 20/κ − 1, κ ≥ 10: Chebyshev fit by `python3 scripts/fit-distribution-math.py`, relative error
 * 3e-16.
 */
// biome-ignore format: coefficients
const FAR = [
  0.40150976083120643, 0.0026458859671864053, 8.311327264707648e-05, 5.1520339392119475e-06, 5.041254712706113e-07,
  7.078421493806999e-08, 1.3638263033242427e-08, 3.557775234102023e-09, 1.263148267785293e-09, 6.409207287424622e-10,
  4.2588633741923226e-10, 1.3286464742345283e-10, -2.0842417805359682e-10, -2.137108049976441e-10,
  1.7768301519910724e-11, 7.551377022649485e-11, 3.091096016424296e-12, -1.1079206954912574e-11,
];
const FAR_SLOPE = FAR.slice(1).map((c, k) => c * (k + 1));

interface Pieces {
  readonly near: Tensor;
  /** κ and (κ/2)², where κ is near. */
  readonly small: Tensor;
  readonly square: Tensor;
  /** κ and 20/κ − 1, where κ is far. */
  readonly large: Tensor;
  readonly s: Tensor;
}

function pieces(kappa: Tensor): Pieces {
  const near = kappa.lt(MEET);
  const small = where(near, kappa, 0);
  const large = where(near, MEET, kappa);
  return { near, small, square: small.square().mul(0.25), large, s: div<Tensor>(20, large).sub(1) };
}

/** log(e^−κ I0(κ)) for κ ≥ 0. */
export function logBesselI0Scaled(kappa: Tensor): Tensor {
  const { near, small, square, large, s } = pieces(kappa);
  const far = polynomial(FAR, s).log().sub(large.log().mul(0.5));
  return where(near, polynomial(SERIES, square).log().sub(small), far);
}

/** 1 − I1(κ) / I0(κ) for κ ≥ 0, which is 1 / (2κ) for large κ. */
export function besselRatioBelowOne(kappa: Tensor): Tensor {
  const { near, small, square, large, s } = pieces(kappa);
  const ratio = polynomial(SLOPE_SERIES, square).div(polynomial(SERIES, square)).mul(small).mul(0.5);
  // −d log(e^−κ I0) / dκ
  const slope = polynomial(FAR_SLOPE, s).div(polynomial(FAR, s)).mul(20).div(large).add(0.5).div(large); // biome-ignore format: the formula
  return where(near, ratio.neg().add(1), slope);
}
