import { transpose } from "../../../tensor/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { Variable } from "./block.ts";

/** The states of a chain as one factor: axis `time` of the site counts its steps. */
export interface Chain {
  readonly variable: Variable;
  readonly time: number;
  /** The state before the first step: a latent site that belongs to the factor, or a number. */
  readonly initial: { readonly site: string } | { readonly value: number };
}

export const toFront = (x: Tensor, axis: number): Tensor => transpose(x, [axis, ...x.shape.map((_, d) => d).filter((d) => d !== axis)]); // biome-ignore format: short
export const fromFront = (x: Tensor, axis: number): Tensor => {
  const rest = x.shape.map((_, d) => d).slice(1);
  return transpose(x, [...rest.slice(0, axis), 0, ...rest.slice(axis)]);
};
