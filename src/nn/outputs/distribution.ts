import type { ObservedSupport } from "../../constraints/support.ts";
import type { DrawOptions, Key } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Parameters by name. Positive ones are given by their logarithm and probabilities by logits, as networks make them. */
export type Params<P extends string> = Readonly<Record<P, Tensor>>;

/**
 * A distribution of single elements: parameters and values broadcast, and the density is one number for each element. `null`
 * says that there is no closed form.
 */
export interface Distribution<P extends string> {
  readonly name: string;
  readonly params: readonly P[];
  readonly support: ObservedSupport;
  /** Log density (or log probability) in nats. */
  logProb(x: Tensor, params: Params<P>): Tensor;
  mean(params: Params<P>): Tensor;
  /** One draw for each element; for `rows` see tensor/random.ts. Reparameterised where the support is the real line. */
  sample(key: Key<Tensor>, params: Params<P>, options?: DrawOptions<Tensor>): Tensor;
  readonly entropy: ((params: Params<P>) => Tensor) | null;
}
