import { full } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { compileDensityBatch, hessianAt } from "../density-batch.ts";
import type { Problem } from "../problem.ts";
import { choleskyOf, solveCholesky, symmetrised } from "../symmetric-solve.ts";
import { divide } from "./terms.ts";

/** The quadratic part of the log joint around `origin`: constant + linear·(z − origin) − ½ (z − origin)ᵀ precision (z − origin). */
export interface Base {
  readonly origin: Float64Array;
  readonly constant: number;
  readonly linear: Float64Array;
  readonly precision: Float64Array;
  /** Whether it is a Gaussian by itself. */
  readonly proper: boolean;
}

/**
 * The terms that are quadratic in z, summed. The expansion is about their own mode where they have one, so that data far from 0
 * lose no digits.
 */
export async function baseOf(problem: Problem): Promise<Base> {
  const { dim } = problem;
  const target = {
    ...problem,
    logDensity: (z: Tensor, inputs: Readonly<Record<string, Tensor>>) => {
      const parts = divide(problem, z, inputs).gaussian.map((n) => new Tensor(z.trace, n).sum());
      return parts.reduce((sum, x) => sum.add(x), full(z, [], 0));
    },
  };
  const batch = await compileDensityBatch(target, Math.min(32, Math.max(1, dim)), { hessian: true });
  const at = (z: Float64Array): { value: number; gradient: Float64Array } => {
    const rows = new Float64Array(batch.points * dim);
    rows.set(z);
    const [values, gradients] = [new Float64Array(batch.points), new Float64Array(batch.points * dim)];
    batch.evaluate(rows, values, gradients);
    return { value: values[0]!, gradient: gradients.slice(0, dim) };
  };
  const origin = new Float64Array(dim);
  const precision = symmetrised(hessianAt(batch, origin).map((h) => (h === 0 ? 0 : -h)), dim); // biome-ignore format: short
  const lower = choleskyOf(precision, dim);
  let { value, gradient } = at(origin);
  for (let step = 0; lower && step < 2; step++) {
    const move = solveCholesky(lower, gradient.slice());
    for (let i = 0; i < dim; i++) origin[i]! += move[i]!;
    ({ value, gradient } = at(origin));
  }
  return { origin, constant: value, linear: gradient, precision, proper: lower !== null };
}
