import { counts, real } from "../constraints/support.ts";
import { and, where } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { distribution, type Given, type Params } from "./distribution.ts";
import { boundOf } from "./integers.ts";

type Ends = Params<"low" | "high">;

const size = ({ low, high }: Ends): Tensor => high.sub(low).add(1);

function check({ low, high }: Given<"low" | "high">): string | null {
  if (!Number.isInteger(low)) return "low must be a whole number of the model's text, so that its values can be listed";
  if (typeof high !== "number") return null;
  return Number.isInteger(high) && high >= (low as number)
    ? null
    : `low is ${low} and high ${high}, but high must be a whole number that is not below low`;
}

/**
 * Whole numbers from `low` to `high`, all equally probable: `discreteUniform(1, 6)`.
 *
 *     log P(x) = −log(high − low + 1) for the whole numbers from low to high
 */
export const discreteUniform = distribution({
  name: "discreteUniform",
  params: { low: { support: real, rank: 0, default: 0 }, high: { support: real, rank: 0 } },
  check,
  support: ({ low, high }) => counts(boundOf(low) as number, boundOf(high)),
  logProb: (x, ends) => {
    const inside = and<Tensor>(x.sub(x.floor()).eq(0), and<Tensor>(x.ge(ends.low), x.le(ends.high)));
    return where<Tensor>(inside, size(ends).log().neg(), Number.NEGATIVE_INFINITY);
  },
  sample: (key, ends, batch) => uniform(key, batch, "f64").mul(size(ends)).floor().minimum(size(ends).sub(1)).add(ends.low).stopGradient(), // biome-ignore format: short
  mean: ({ low, high }) => low.add(high).mul(0.5),
  variance: (ends) => size(ends).square().sub(1).div(12),
});
