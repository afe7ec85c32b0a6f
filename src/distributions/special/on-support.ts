import { where } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * The log density inside a support and −∞ outside. Outside, the formula is evaluated at `safe`, so that nothing there
 * is NaN and no gradient flows.
 */
export const onSupport = (x: Tensor, inside: Tensor, safe: number | Tensor, density: (x: Tensor) => Tensor): Tensor =>
  where(inside, density(where(inside, x, safe)), -Infinity);
