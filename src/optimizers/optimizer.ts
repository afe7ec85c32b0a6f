import type { Tensor } from "../tensor/tensor.ts";

/** One update, in tensors of a program. Vectors have the length of the flat parameter vector. */
export interface Update {
  readonly parameters: Tensor;
  readonly gradient: Tensor;
  /** The optimizer's own vectors by the names in `slots`, zero before the first step. */
  readonly slots: Readonly<Record<string, Tensor>>;
  /** Learning rate of this step, f64 scalar. */
  readonly learningRate: Tensor;
  /** Number of this step, from 1, f64 scalar. */
  readonly step: Tensor;
}

/** A minimiser of first order: pure functions of elementwise ops, so that an update is one loop over memory. */
export interface Optimizer {
  readonly slots: readonly string[];
  update(given: Update): { readonly parameters: Tensor; readonly slots: Readonly<Record<string, Tensor>> };
}

/** A scalar computed in f64, in the vector's own type. */
export const scalarFor = (vector: Tensor, scalar: Tensor): Tensor => scalar.cast(vector.dtype);
