import { concat, full } from "./functions.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Probabilities by breaking a stick: w_k = v_k (1 − v_1) ⋯ (1 − v_{k−1}), and the last is what then remains (Sethuraman 1994). Under
 * v_k ~ beta(1, α) they are the weights of a Dirichlet process that is cut off. As products of v_k and 1 − v_k they are conjugate to
 * beta priors, which running sums of logarithms are not.
 *
 * @param fractions  shape [..., K − 1], each between 0 and 1: what is broken off of what is left
 * @returns          shape [..., K], which sums to 1
 */
export function stickBreaking(fractions: Tensor): Tensor {
  const pieces: Tensor[] = [];
  let rest = full(fractions, fractions.shape.with(-1, 1), 1);
  for (let k = 0; k < fractions.shape.at(-1)!; k++) {
    const fraction = fractions.narrow(-1, k, 1);
    pieces.push(rest.mul(fraction));
    rest = rest.mul(fraction.neg().add(1));
  }
  return concat([...pieces, rest], -1);
}
