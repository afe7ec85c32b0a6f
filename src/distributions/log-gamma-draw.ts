import type { Shape } from "../base/shape.ts";
import { full } from "../tensor/functions.ts";
import { type Key, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { gamma } from "./gamma.ts";

/**
 * Logarithms of Gamma(a, 1) draws, of the given shape, to which a broadcasts. log G(a) = log G(a + 1) + log(u) / a (Stuart 1962), so
 * that nothing underflows where a is small.
 */
export function logGammaDraw(key: Key<Tensor>, a: Tensor, shape: Shape): Tensor {
  const greater = gamma.sample!(key.site("gamma"), { shape: a.add(1), rate: full(a, [], 1) }, shape);
  return greater.log().add(uniform(key.site("power"), shape, "f64").log().div(a));
}
