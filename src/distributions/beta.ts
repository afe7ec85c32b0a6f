import { positive, unitInterval } from "../constraints/support.ts";
import { and } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution } from "./distribution.ts";
import { logBetaDensity } from "./special/beta-density.ts";
import { logGammaDraw } from "./special/gamma-draw.ts";
import { onSupport } from "./special/on-support.ts";

/** Draws that would round to 0 or 1, where the density may be infinite, stay next to it. */
const ENDS = [2 ** -1022, 1 - 2 ** -53] as const;

/**
 * A number between 0 and 1, as a probability is: `beta(1, 1)` is uniform, `beta(8, 4)` knows as much as 7 successes and 3 failures do.
 *
 *     log p(x) = (a − 1) log x + (b − 1) log(1 − x) + lgamma(a + b) − lgamma(a) − lgamma(b)        0 < x < 1
 *
 * @param a  above 0
 * @param b  above 0; the mean is a / (a + b)
 */
export const beta = distribution({
  name: "beta",
  params: { a: { support: positive, rank: 0 }, b: { support: positive, rank: 0 } },
  support: () => unitInterval,
  logProb: (x, { a, b }) => onSupport(x, and<Tensor>(x.gt(0), x.lt(1)), 0.5, (x) => logBetaDensity(x, a, b)),
  // G(a) / (G(a) + G(b)), by the logarithms
  sample: (key, { a, b }, batch) =>
    logGammaDraw(key.site("a"), a, batch)
      .sub(logGammaDraw(key.site("b"), b, batch))
      .sigmoid()
      .maximum(ENDS[0])
      .minimum(ENDS[1]),
  reparameterised: "implicit",
  mean: ({ a, b }) => a.div(a.add(b)),
  variance: ({ a, b }) => {
    const n = a.add(b);
    return a.div(n).mul(b.div(n)).div(n.add(1));
  },
});
