import { where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** log p, and −∞ where p = 0 without a gradient that is not finite: where states are summed out, impossible ones are among them. */
export function logProbability(p: Tensor): Tensor {
  const none = p.eq(0);
  return where<Tensor>(none, Number.NEGATIVE_INFINITY, where<Tensor>(none, 1, p).log());
}
