import { OptionError, ShapeError } from "../base/errors.ts";
import { sameShape, showShape } from "../base/shape.ts";
import { full, iota, narrow } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Tableau } from "./tableau.ts";

/** The right-hand side of dy/dt = f(t, y): t a scalar, y and the result of shape [k]. It may use any other tensors. */
export type Derivative = (t: Tensor, y: Tensor) => Tensor;

/** f with its result checked, and numbers told apart from shapes that would broadcast by mistake. */
export function checkedDerivative(f: Derivative): Derivative {
  return (t, y) => {
    const dy = f(t, y);
    if (!sameShape(dy.shape, y.shape) || dy.dtype !== y.dtype) {
      throw new ShapeError(
        `ode: f(t, y) gives ${dy.dtype}${showShape(dy.shape)} for a state of ${y.dtype}${showShape(y.shape)}: it must give one ` +
          "derivative for each component of the state",
      );
    }
    return dy;
  };
}

/** The times as a vector of y0's dtype; throws where they or y0 have another shape than a solver takes. */
export function timesFor(y0: Tensor, times: Tensor | readonly number[]): Tensor {
  if (y0.shape.length !== 1 || (y0.dtype !== "f64" && y0.dtype !== "f32")) {
    throw new ShapeError(
      `ode: y0 is ${y0.dtype}${showShape(y0.shape)}; it must be a vector of f64 (or f32), the state at times[0]`,
    );
  }
  if (isTensor(times)) {
    if (times.shape.length !== 1 || times.dtype !== y0.dtype || times.shape[0] === 0) {
      throw new ShapeError(
        `ode: times is ${times.dtype}${showShape(times.shape)}; it must be a vector of ${y0.dtype}, at least [1]`,
      );
    }
    return times;
  }
  if (!times.length || !times.every(Number.isFinite)) {
    throw new OptionError(`ode: times [${times}] must be at least one finite number, the first of them the time of y0`);
  }
  return vector(y0, times);
}

const isTensor = (x: Tensor | readonly number[]): x is Tensor => !Array.isArray(x);

/** Numbers as a tensor: a count where that gives the very same numbers, else one by one. */
function vector(like: Tensor, values: readonly number[]): Tensor {
  const [start, next = start] = values as [number, number?];
  const step = next! - start;
  if (like.dtype === "f64" && values.every((value, i) => value === i * step + start)) {
    return iota(like, [values.length], 0, "f64").mul(step).add(start);
  }
  const b = like.trace;
  return like.of(b.concat(values.map((value) => b.constant(value, like.dtype, [1])), 0)); // biome-ignore format: short
}

/** Σ weights[i] · terms[i]; null when all weights are 0. */
export function combine(weights: readonly number[], terms: readonly Tensor[]): Tensor | null {
  let sum: Tensor | null = null;
  for (const [i, weight] of weights.entries()) {
    if (weight === 0) continue;
    const term = weight === 1 ? terms[i]! : terms[i]!.mul(weight);
    sum = sum ? sum.add(term) : term;
  }
  return sum;
}

/** The stages k_i of a step from (t, y) of size h; the first may be known. */
export function stagesOf(f: Derivative, { a, c }: Tableau, t: Tensor, y: Tensor, h: Tensor, first?: Tensor): Tensor[] {
  const stages: Tensor[] = first ? [first] : [];
  for (let i = stages.length; i < c.length; i++) {
    const slope = combine(a[i]!, stages);
    stages.push(f(c[i] === 0 ? t : t.add(h.mul(c[i]!)), slope ? y.add(h.mul(slope)) : y));
  }
  return stages;
}

/** Elements from … to − 1 of a vector. */
export const rowsFrom = (x: Tensor, from: number, to: number): Tensor => narrow(x, 0, from, to - from);

export const scalarLike = (like: Tensor, value: number): Tensor => full(like, [], value);
