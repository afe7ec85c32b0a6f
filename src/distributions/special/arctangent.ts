import type { CustomRule } from "../../ops/vocabulary.ts";
import { div, where } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { polynomial } from "./polynomial.ts";

/** 1 − s/3 + s²/5 − …, to double precision for s ≤ tan²(π/16). */
const SERIES = Array.from({ length: 12 }, (_, k) => (k % 2 ? -1 : 1) / (2 * k + 1));

/** tan(θ/2) from tan θ */
const halved = (t: Tensor): Tensor => t.div(t.square().add(1).sqrt().add(1));

/** The angle from tan of its half, for angles up to π/2. */
function angle(half: Tensor): Tensor {
  const t = halved(halved(half));
  return polynomial(SERIES, t.square()).mul(t).mul(8);
}

const slope = (z: Tensor): Tensor => div<Tensor>(1, z.square().add(1));
const rising: CustomRule = (b, g, _y, [z]) => [new Tensor(b, g).mul(slope(new Tensor(b, z!))).node];
const falling: CustomRule = (b, g, _y, [z]) => [new Tensor(b, g).mul(slope(new Tensor(b, z!))).neg().node];

/** Beyond this the square overflows, and the angle has long been π/2 to the last digit. */
const FAR = 1e150;

/** arctan z, for any z. */
export function arctangent(z: Tensor): Tensor {
  const within = z.minimum(FAR).maximum(-FAR);
  return z.of(z.trace.customVjp(angle(halved(within)).node, [z.node], rising));
}

/** Beyond this √(z² + 1) is z to the last digit. */
const LINEAR = 1e8;

/** π/2 − arctan z for z ≥ 0, which is 1/z for large z. */
export function complementaryArctangent(z: Tensor): Tensor {
  const root = where(z.lt(LINEAR), z.minimum(LINEAR).square().add(1).sqrt(), z);
  const half = div<Tensor>(1, root.add(z));
  return z.of(z.trace.customVjp(angle(half).node, [z.node], falling));
}
