import type { FloatType } from "../nn/initialiser.ts";
import { gather } from "../tensor/functions.ts";
import { bernoulli, type Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { VaeConfig } from "./options.ts";

/** How stored values become what the model sees. */
export interface Observation {
  /** value / scale is the natural value. */
  readonly scale: number;
  readonly binarize: VaeConfig["binarize"];
  /** Categories are taken as they are stored. */
  readonly isCategorical: boolean;
  readonly dtype: FloatType;
}

/**
 * Rows of a data set as the model sees them, [rows, width].
 *
 * @param data  [count, width] in its own element type
 * @param rows  u32 [batch]
 * @param key   for dynamic binarisation, whose bits belong to the data row; null leaves the probabilities as they are
 */
export function observed(observation: Observation, data: Tensor, rows: Tensor, key: Key<Tensor> | null): Tensor {
  const { scale, binarize, isCategorical, dtype } = observation;
  const stored = gather(data, rows).cast(dtype);
  if (isCategorical) return stored;
  const natural = scale === 1 ? stored : stored.mul(1 / scale);
  if (binarize === "threshold") return natural.gt(0.5).cast(dtype);
  if (binarize === "dynamic" && key) return bernoulli(key, natural, natural.shape, { rows });
  return natural;
}
