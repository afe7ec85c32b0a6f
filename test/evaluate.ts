import { Runtime } from "../src/engine/runtime.ts";
import { f64, program } from "../src/program/program.ts";
import type { Key } from "../src/tensor/random.ts";
import type { Tensor } from "../src/tensor/tensor.ts";
import type { VaePlace } from "../src/vae/vae.ts";

/** An array with its shape. */
export interface Given {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export const given = (shape: readonly number[], data: ArrayLike<number>): Given => ({ shape, data });
export const scalar = (value: number): Given => given([], [value]);

/** Runs a function of f64 tensors once and returns its results as arrays. */
export async function evaluate<I extends string>(
  inputs: Readonly<Record<I, Given>>,
  body: (inputs: Readonly<Record<I, Tensor>>, key: Key<Tensor>) => Readonly<Record<string, Tensor>>,
  { runtime = new Runtime({ blas: null }), backend }: VaePlace = {},
  seed = 0,
): Promise<Record<string, number[]>> {
  const entries = Object.entries<Given>(inputs);
  const run = await program({
    runtime,
    backend,
    inputs: Object.fromEntries(entries.map(([name, x]) => [name, f64(x.shape)])),
    body: ({ inputs, rng }) => ({ outputs: body(inputs as Readonly<Record<I, Tensor>>, rng) }),
  });
  await run.run(Object.fromEntries(entries.map(([name, x]) => [name, Float64Array.from(x.data)])), 1, { seed });
  return Object.fromEntries(Object.entries(run.outputs).map(([name, buffer]) => [name, Array.from(buffer.read())]));
}
