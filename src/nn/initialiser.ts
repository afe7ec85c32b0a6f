import { full } from "../tensor/functions.ts";
import { type Key, normal, uniform } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type FloatType = "f32" | "f64";

/** Draws a tensor's first value inside a program. */
export type Initialiser = (key: Key<Tensor>, shape: readonly number[], dtype: FloatType) => Tensor;

export const constant =
  (value: number): Initialiser =>
  (key, shape, dtype) =>
    full(key.words[0], shape, value, dtype);

/** N(0, sd²). */
export const scaledNormal =
  (sd: number): Initialiser =>
  (key, shape, dtype) =>
    normal(key, shape, dtype).mul(sd);

/** First values of a layer's weight, shape [fanIn, fanOut], and bias. */
export interface LayerInitialiser {
  readonly weight: Initialiser;
  readonly bias: Initialiser;
}

/** Weights and biases alike from N(0, sd²). */
export const normalLayers = (sd: number): LayerInitialiser => ({ weight: scaledNormal(sd), bias: scaledNormal(sd) });

/** U(−a, a) with a = √(6 / (fanIn + fanOut)), biases 0 (Glorot and Bengio 2010, eq. 16). */
export const glorotLayers: LayerInitialiser = {
  weight: (key, shape, dtype) =>
    uniform(key, shape, dtype).sub(0.5).mul(2 * Math.sqrt(6 / (shape[0]! + shape[1]!))), // biome-ignore format: short
  bias: constant(0),
};

/** A layer whose outputs are 0 at first. */
export const zeroLayers: LayerInitialiser = { weight: constant(0), bias: constant(0) };

/** N(0, 2 / fanIn), biases 0: keeps variances through rectifiers (He, Zhang, Ren and Sun 2015, eq. 10). */
export const heLayers: LayerInitialiser = {
  weight: (key, shape, dtype) => normal(key, shape, dtype).mul(Math.sqrt(2 / shape[0]!)),
  bias: constant(0),
};
