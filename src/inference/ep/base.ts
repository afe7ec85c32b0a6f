import type { Buffer } from "../../engine/runtime.ts";
import { f64, gradient, program } from "../../program/program.ts";
import { full } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { logDensityOfRows } from "../density-batch.ts";
import type { Inputs, Problem } from "../problem.ts";
import { type Slice, slicer } from "../slicer.ts";
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

/** Points at which they are evaluated together. */
const MOST_POINTS = 32;

/**
 * The terms that are quadratic in z, summed. The expansion is about their own mode where they have one, so that data far from 0
 * lose no digits.
 */
export async function baseOf(problem: Problem, slice: Slice = slicer(undefined)): Promise<Base> {
  const { dim, runtime, deterministic } = problem;
  const points = f64([Math.min(MOST_POINTS, Math.max(1, dim)), dim]);
  const made = await program({
    runtime,
    deterministic,
    inputs: { ...problem.inputs, "base.x": points, "base.direction": points },
    body: ({ inputs }) => {
      const { "base.x": x, "base.direction": direction, ...rest } = inputs as Record<string, Tensor>;
      const quadratic = {
        ...problem,
        logDensity: (z: Tensor, given: Inputs) => {
          const parts = divide(problem, z, given).gaussian.map((n) => new Tensor(z.trace, n).sum());
          return parts.reduce((sum, part) => sum.add(part), full(z, [], 0));
        },
      };
      const values = logDensityOfRows(quadratic, x!, rest);
      const gradients = gradient(values.sum(), [x!])[0]!;
      const products = gradient(gradients.mul(direction!).sum(), [x!])[0]!;
      return { outputs: { values, gradients, products } };
    },
  });
  const [place, heading] = [runtime.buffer("f64", points.shape), runtime.buffer("f64", points.shape)];
  made.prepare({ ...problem.data, "base.x": place, "base.direction": heading } as never);
  const { outputs } = made;
  const numbers = (buffer: Buffer) => buffer.view() as Float64Array;
  const at = (z: Float64Array): { value: number; slope: Float64Array } => {
    numbers(place).set(z);
    made.step();
    return { value: numbers(outputs.values)[0]!, slope: numbers(outputs.gradients).slice(0, dim) };
  };
  // At 0, along each axis.
  numbers(place).fill(0);
  const precision = new Float64Array(dim * dim);
  const rows = points.shape[0]!;
  for (let first = 0; first < dim; first += rows) {
    await slice();
    const directions = numbers(heading).fill(0);
    for (let i = 0; i < rows && first + i < dim; i++) directions[i * dim + first + i] = 1;
    made.step();
    precision.set(numbers(outputs.products).subarray(0, Math.min(rows, dim - first) * dim), first * dim);
  }
  for (let i = 0; i < dim * dim; i++) precision[i] = precision[i] === 0 ? 0 : -precision[i]!;
  symmetrised(precision, dim);
  const origin = new Float64Array(dim);
  const lower = choleskyOf(precision, dim);
  let { value, slope } = at(origin);
  for (let step = 0; lower && step < 2; step++) {
    const move = solveCholesky(lower, slope.slice());
    for (let i = 0; i < dim; i++) origin[i]! += move[i]!;
    ({ value, slope } = at(origin));
  }
  return { origin, constant: value, linear: slope, precision, proper: lower !== null };
}
