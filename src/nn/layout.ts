import { sizeOf, stridesOf } from "../base/shape.ts";
import { concat } from "../tensor/functions.ts";
import type { Key } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { FloatType, Initialiser } from "./initialiser.ts";

/** A named parameter to be: its shape and how its first value is drawn. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initialise: Initialiser;
}

/** A parameter's place in the flat vector: `size` elements from `offset`. */
export interface ParameterPlace extends ParameterSpec {
  readonly offset: number;
  readonly size: number;
}

/** All parameters of a fit in one contiguous vector, in this order. */
export interface Layout {
  readonly places: readonly ParameterPlace[];
  readonly size: number;
}

/** Where each parameter lies in one flat vector: one after the other, in the given order. */
export function layoutOf(specs: readonly ParameterSpec[]): Layout {
  const places: ParameterPlace[] = [];
  let offset = 0;
  for (const spec of specs) {
    const size = sizeOf(spec.shape);
    places.push({ ...spec, offset, size });
    offset += size;
  }
  return { places, size: offset };
}

export type Tensors = Readonly<Record<string, Tensor>>;

/** The named tensors as slices of the flat vector. */
export function unpack(flat: Tensor, { places }: Layout): Tensors {
  return Object.fromEntries(places.map((p) => [p.name, flat.narrow(0, p.offset, p.size).reshape(p.shape)]));
}

/** One flat vector of tensors given in the layout's order. */
export const pack = (tensors: readonly Tensor[]): Tensor => concat(tensors.map((t) => t.reshape([sizeOf(t.shape)])));

/** First values of all parameters, each drawn at the site of its name. */
export function initialParameters({ places }: Layout, key: Key<Tensor>, dtype: FloatType): Tensor {
  return pack(places.map((p) => p.initialise(key.site(p.name), p.shape, dtype)));
}

/** How a message names an element of the flat vector: `decoder.0.weight[3, 7]`. */
export function parameterAt({ places }: Layout, index: number): string {
  const place = places.findLast((p) => p.offset <= index)!;
  const within = index - place.offset;
  const position = stridesOf(place.shape).map((stride, axis) => Math.floor(within / stride) % place.shape[axis]!);
  return `${place.name}[${position.join(", ")}]`;
}
