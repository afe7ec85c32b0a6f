import type { FloatType } from "../nn/initialiser.ts";
import { type Key, normal } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Standard normal noise of shape [draws · batch, latent], draw-major. Each data row has noise of its own, whatever batch it is in.
 *
 * @param rows  identity of each observation, u32 [batch]
 */
export function latentNoise(key: Key<Tensor>, rows: Tensor, draws: number, latent: number, dtype: FloatType): Tensor {
  const batch = rows.shape[0]!;
  const byRow = normal(key, [batch, draws * latent], dtype, { rows });
  return draws === 1
    ? byRow
    : byRow.reshape([batch, draws, latent]).transpose([1, 0, 2]).reshape([draws * batch, latent]); // biome-ignore format: short
}
