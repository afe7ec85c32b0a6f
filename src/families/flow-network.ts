import { Generator } from "../base/generator.ts";
import { glorotLayers } from "../nn/initialiser.ts";
import { type Layout, layoutOf, unpack } from "../nn/layout.ts";
import { type MlpOptions, mlp, type Network } from "../nn/mlp.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { part } from "./variational-family.ts";

export interface FlowNetwork {
  readonly size: number;
  /** Hidden weights as Glorot has them, biases within ±1, heads 0, so that the map it steers begins as the identity. */
  initial(seed: number): Float64Array;
  /** shift and logScale of [rows, inputs], with the network's parameters from `offset` on. */
  apply(params: Tensor, offset: number, x: Tensor): { readonly shift: Tensor; readonly logScale: Tensor };
}

/**
 * A small network that says by how much a flow's layer shifts and scales. Log scales lie within ±2, so that no layer can blow up
 * (a soft bound as in Dinh, Sohl-Dickstein and Bengio 2017).
 */
export function flowNetwork(
  options: Pick<MlpOptions, "name" | "inputs" | "hidden"> & { readonly outputs: number },
  network: Network = mlp({
    ...options,
    heads: { shift: options.outputs, logScale: options.outputs },
    activation: "tanh",
    initialiser: glorotLayers,
  }),
): FlowNetwork {
  const layout: Layout = layoutOf(network.specs);
  return {
    size: layout.size,
    initial: (seed) => {
      const generator = new Generator(seed, options.name);
      const params = new Float64Array(layout.size);
      for (const { name, shape, offset, size } of layout.places) {
        const isHead = name.includes(".shift.") || name.includes(".logScale.");
        if (isHead) continue;
        // Without biases the units are odd functions, and a target that is even has no gradient in the heads.
        const reach = shape.length < 2 ? 1 : Math.sqrt(6 / (shape[0]! + shape[1]!));
        for (let i = 0; i < size; i++) params[offset + i] = reach * (2 * generator.uniform() - 1);
      }
      return params;
    },
    apply: (params, offset, x) => {
      const { shift, logScale } = network.apply(unpack(part(params, offset, layout.size), layout), x);
      return { shift: shift!, logScale: logScale!.mul(0.5).tanh().mul(2) };
    },
  };
}
