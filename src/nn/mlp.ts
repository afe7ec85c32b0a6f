import type { Tensor } from "../tensor/tensor.ts";
import { type Activation, activations } from "./activation.ts";
import type { LayerInitialiser } from "./initialiser.ts";
import type { ParameterSpec, Tensors } from "./layout.ts";

export interface MlpOptions {
  /** Prefix of the parameters' names: `encoder.0.weight`, `encoder.mean.bias`. */
  readonly name: string;
  readonly inputs: number;
  /** Widths of the hidden layers; none makes the network affine. */
  readonly hidden: readonly number[];
  /** Widths of the outputs by name; none of them has an activation. */
  readonly heads: Readonly<Record<string, number>>;
  readonly activation: Activation;
  readonly initialiser: LayerInitialiser;
  /** Heads with first values of their own. */
  readonly headInitialisers?: Readonly<Record<string, LayerInitialiser>>;
}

/** A pure function with named parameters. */
export interface Network {
  readonly specs: readonly ParameterSpec[];
  /** Outputs by name, [rows, width], of x, [rows, inputs]; or [width] of [inputs], for one element of a plate. */
  apply(parameters: Tensors, x: Tensor): Tensors;
}

/** x W + b with W of shape [inputs, outputs]. */
function dense(parameters: Tensors, layer: string, x: Tensor): Tensor {
  const [weight, bias] = [parameters[`${layer}.weight`]!, parameters[`${layer}.bias`]!];
  const product =
    x.shape.length > 1
      ? x.matmul(weight)
      : x
          .reshape([1, ...x.shape])
          .matmul(weight)
          .reshape(bias.shape);
  return product.add(bias);
}

/** A multilayer perceptron with several linear heads on its last hidden layer. */
export function mlp(options: MlpOptions): Network {
  const { name, inputs, hidden, heads, activation, initialiser, headInitialisers = {} } = options;
  const layers = [
    ...hidden.map((width, i) => ({
      layer: `${name}.${i}`,
      from: hidden[i - 1] ?? inputs,
      to: width,
      first: initialiser,
    })),
    ...Object.entries(heads).map(([head, to]) => ({
      layer: `${name}.${head}`,
      from: hidden.at(-1) ?? inputs,
      to,
      first: headInitialisers[head] ?? initialiser,
    })),
  ];
  return {
    specs: layers.flatMap(({ layer, from, to, first }) => [
      { name: `${layer}.weight`, shape: [from, to], initialise: first.weight },
      { name: `${layer}.bias`, shape: [to], initialise: first.bias },
    ]),
    apply(parameters, x) {
      const features = hidden.reduce((h, _, i) => activations[activation](dense(parameters, `${name}.${i}`, h)), x);
      return Object.fromEntries(
        Object.keys(heads).map((head) => [head, dense(parameters, `${name}.${head}`, features)]),
      );
    },
  };
}
