import { DataError, ShapeError } from "../base/errors.ts";
import { type Shape, showShape } from "../base/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Numbers as users have them: nested arrays, typed arrays, booleans for 0 and 1, null for what is missing. */
export type Numbers = ArrayLike<number | null> | readonly boolean[] | readonly Numbers[];

/** What `infer` takes for the data that a model's body declares: numbers in arrays for tensors, the rest as it is. */
export type DataFor<D> = { readonly [K in keyof D]: D[K] extends Tensor ? Numbers : D[K] };

export interface ArrayData {
  readonly shape: Shape;
  readonly values: Float64Array;
}

/**
 * A field of the data as one array; null, as JSON has it, becomes NaN.
 *
 * @throws DataError, ShapeError naming the field, the place and what was found
 */
export function arrayData(field: string, value: unknown): ArrayData {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const values = Float64Array.from(value as unknown as ArrayLike<number>, Number);
    return { shape: [values.length], values };
  }
  const shape: number[] = [];
  for (let part: unknown = value; isArray(part); part = part[0]) shape.push(part.length);
  const values = new Float64Array(shape.reduce((n, d) => n * d, 1));
  let count = 0;
  const at: number[] = [];
  const where = () => `data.${field}${at.map((i) => `[${i}]`).join("")}`;
  const walk = (part: unknown): void => {
    if (at.length < shape.length) {
      if (!isArray(part)) throw new ShapeError(`${where()} is ${shown(part)}, but ${field} begins as an array of shape ${showShape(shape)}`); // biome-ignore format: one sentence
      if (part.length !== shape[at.length]) {
        throw new ShapeError(
          `${where()} has ${part.length} ${part.length === 1 ? "element" : "elements"}, but the rows before it have ${shape[at.length]}. Ragged data go into one flat ` +
            "array with an index array beside it that names each element's group.",
        );
      }
      const depth = at.push(0) - 1;
      for (let i = 0; i < part.length; i++) {
        at[depth] = i;
        walk(part[i]);
      }
      at.pop();
    } else if (typeof part === "number") values[count++] = part;
    else if (typeof part === "boolean") values[count++] = Number(part);
    else if (part === null) values[count++] = Number.NaN;
    else throw new DataError(`${where()} is ${shown(part)}: a model's data are numbers, and null where one is missing.`); // biome-ignore format: one sentence
  };
  walk(value);
  return { shape, values };
}

export const isArray = (x: unknown): x is ArrayLike<unknown> =>
  Array.isArray(x) || (ArrayBuffer.isView(x) && !(x instanceof DataView));

const shown = (x: unknown): string =>
  x === null ? "null" : isArray(x) ? "an array" : typeof x === "bigint" ? `${x}n` : (JSON.stringify(x) ?? typeof x);
