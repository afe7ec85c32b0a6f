import type { Buffer, Runtime, TensorSpec } from "../engine/runtime.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A density on R^dim as a function that can be traced: what every gradient method works on. */
export interface Target {
  readonly dim: number;
  /** A name for each coordinate, for messages: `log tau`, `theta[3]`. */
  readonly names: readonly string[];
  readonly runtime: Runtime;
  readonly deterministic: boolean;
  /** What the traced density reads besides its argument: the data, as inputs of every program made of it. */
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  /** Values for those inputs, in the runtime's memory. */
  readonly data: Readonly<Record<string, Buffer>>;
  /**
   * log p at `unconstrained` ([dim]), with the log-Jacobian of the transforms; shape []. With a key, plates that were asked to
   * be subsampled are, and it is an unbiased estimate; without one it is exact.
   */
  logDensity(unconstrained: Tensor, inputs: Readonly<Record<string, Tensor>>, rng?: Key<Tensor>): Tensor;
}
