import { categories, ordered, real } from "../constraints/support.ts";
import { concat, full } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { column, entryAt, meanCategory, varianceOfCategory } from "./category-table.ts";
import { distribution } from "./distribution.ts";
import { onIntegers } from "./integers.ts";
import { log1mExp } from "./special/log1m-exp.ts";

/** In place of infinity: σ is exactly 0 or 1 there, and nothing becomes NaN. */
const FAR = 1e300;

/** `values` [..., n] between two numbers: [..., n + 2]. */
function between(low: number, values: Tensor, high: number): Tensor {
  const end = [...values.shape.slice(0, -1), 1];
  return concat([full(values, end, low), values, full(values, end, high)], -1);
}

/** σ(location − lower) − σ(location − upper) for every category: [..., count]. */
function probabilities(location: Tensor, cutpoints: Tensor): Tensor {
  const above = column(location)
    .sub(between(-FAR, cutpoints, FAR))
    .sigmoid();
  const count = cutpoints.shape.at(-1)! + 1;
  return above.narrow(-1, 0, count).sub(above.narrow(-1, 1, count));
}

/** log(1 − e^−(gap between neighbouring cutpoints)) for every category; 0 for the first and the last. */
function logGaps(cutpoints: Tensor): Tensor {
  const inner = cutpoints.shape.at(-1)! - 1;
  const gaps = cutpoints.narrow(-1, 1, inner).sub(cutpoints.narrow(-1, 0, inner));
  return between(0, log1mExp(gaps), 0);
}

// With a = location − cutpoints[x − 1] and b = location − cutpoints[x]:
// P(x) = σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b − a)), so log P(x) = −softplus(−a) − softplus(b) + log(1 − e^(b − a))
/**
 * The category 0 … count − 1 that a logistic variable around `location` falls into when the line is cut at `cutpoints`
 * (count − 1 increasing numbers): proportional-odds regression (McCullagh 1980). Stan numbers the categories from 1.
 */
export const orderedLogistic = distribution({
  name: "orderedLogistic",
  params: { location: { support: real, rank: 0 }, cutpoints: { support: ordered, rank: 1 } },
  support: ({ cutpoints }) => categories(cutpoints.shape.at(-1)! + 1),
  logProb: (x, { location, cutpoints }) =>
    onIntegers(x, 0, cutpoints.shape.at(-1)!, (x) => {
      const ends = between(-FAR, cutpoints, FAR);
      const a = location.sub(entryAt(ends, x));
      const b = location.sub(entryAt(ends, x.add(1)));
      return entryAt(logGaps(cutpoints), x).sub(a.neg().softplus()).sub(b.softplus());
    }),
  // The number of cutpoints below location + logit(u), compared on the scale of u: u > σ(cutpoint − location).
  sample: (key, { location, cutpoints }, batch) => {
    const u = column(uniform(key, batch, "f64"));
    return u
      .gt(cutpoints.sub(column(location)).sigmoid())
      .cast("f64")
      .sum(-1);
  },
  mean: ({ location, cutpoints }) => meanCategory(probabilities(location, cutpoints)),
  variance: ({ location, cutpoints }) => varianceOfCategory(probabilities(location, cutpoints)),
});
