import { OptionError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import type { GaussianVector } from "../families/gaussian-vector.ts";
import type { Activation } from "../nn/activation.ts";
import { glorotLayers, type LayerInitialiser } from "../nn/initialiser.ts";
import type { ParameterSpec, Tensors } from "../nn/layout.ts";
import { mlp } from "../nn/mlp.ts";
import { createTrace } from "../ops/trace.ts";
import { concat, gather } from "../tensor/functions.ts";
import { Tensor } from "../tensor/tensor.ts";
import { vmap } from "../transforms/vmap.ts";
import { type PlateLayout, tableSpecs } from "./amortized-plate.ts";
import type { Inputs, Problem } from "./problem.ts";

/** One element of a plate as an encoder's `input` sees it. */
export interface PlateElement {
  /** What is observed in it, by site. */
  readonly observed: Tensors;
  /** The arrays of the model's data, whole. */
  readonly data: Tensors;
  /** Which element it is. */
  readonly index: Tensor;
}

export interface EncoderOptions {
  /** Widths of the hidden layers. Default [64]; none makes q's parameters affine in the input. */
  readonly hidden?: readonly number[];
  /** Default relu. */
  readonly activation?: Activation;
  readonly initialiser?: LayerInitialiser;
  /** What the network is given of an element, written for one. Default: all that is observed in it. */
  readonly input?: (element: PlateElement) => Tensor;
}

/** A function from elements to the parameters of q(z_i), [batch, …] by name. */
export interface PlateEncoder {
  readonly specs: readonly ParameterSpec[];
  encode(parameters: Tensors, observed: Tensors, inputs: Inputs, rows: Tensor): Tensors;
}

const dataOf = (inputs: Inputs): Tensors =>
  Object.fromEntries(Object.entries(inputs).flatMap(([name, x]) => (name.startsWith("data.") ? [[name.slice(5), x]] : []))); // biome-ignore format: one line

/** The network's input for some elements, [batch, width]: `input` is lifted as a plate's body is. */
function inputOf(
  { observed: sites }: PlateLayout,
  { input }: EncoderOptions,
  observed: Tensors,
  inputs: Inputs,
  rows: Tensor,
): Tensor {
  const batch = rows.shape[0]!;
  if (!input) {
    const parts = sites.map(({ name, shape }) => observed[name]!.reshape([batch, sizeOf(shape)]));
    return parts.length === 1 ? parts[0]! : concat(parts, 1);
  }
  const b = rows.trace;
  const lifted = new Map([[b.input("element.index", "u32", []), rows.node]]);
  const index = new Tensor(b, [...lifted.keys()][0]!);
  const one = Object.fromEntries(
    sites.map(({ name, shape }) => {
      const all = observed[name]!;
      const node = b.input(`element.${name}`, all.dtype, shape);
      lifted.set(node, all.node);
      return [name, new Tensor(b, node)];
    }),
  );
  const made = input({ observed: one, data: dataOf(inputs), index });
  if (!(made instanceof Tensor)) throw new OptionError("the encoder's input must return a tensor, that of one element");
  return new Tensor(b, vmap(b, [made.node], lifted, batch)[0]!).reshape([batch, sizeOf(made.shape)]);
}

/**
 * q(z_i given element i) by a multilayer perceptron.
 *
 * @throws OptionError where nothing is observed in the plate that it could look at
 */
export function networkEncoder(
  problem: Problem,
  layout: PlateLayout,
  family: GaussianVector<string>,
  options: EncoderOptions,
): PlateEncoder {
  const { hidden = [64], activation = "relu", initialiser = glorotLayers } = options;
  if (!layout.observed.length && !options.input) {
    throw new OptionError(
      `nothing is observed in plate("${layout.plate}") at values that follow from data alone: give encoder.input, or encoder null`,
    );
  }
  const b = createTrace();
  const stand = (name: string, shape: readonly number[]) => new Tensor(b, b.input(name, problem.dtype, shape));
  const [rows, seen, inputs] = [
    new Tensor(b, b.input("rows", "u32", [1])),
    Object.fromEntries(layout.observed.map(({ name, shape }) => [name, stand(`observed.${name}`, [1, ...shape])])),
    Object.fromEntries(Object.entries(problem.inputs).map(([name, { shape }]) => [name, stand(name, shape)])),
  ];
  const width = inputOf(layout, options, seen, inputs, rows).shape[1]!;
  const network = mlp({ name: "encoder", inputs: width, hidden, heads: family.sizes, activation, initialiser });
  return {
    specs: network.specs,
    encode: (parameters, observed, all, elements) =>
      network.apply(parameters, inputOf(layout, options, observed, all, elements)),
  };
}

/** q(z_i) with parameters of its own for each element: the rows of tables. */
export function freeEncoder({ size }: PlateLayout, family: GaussianVector<string>): PlateEncoder {
  return {
    specs: tableSpecs(family, size),
    encode: (parameters, _observed, _inputs, rows) =>
      Object.fromEntries(Object.keys(family.sizes).map((name) => [name, gather(parameters[`q.${name}`]!, rows)])),
  };
}
