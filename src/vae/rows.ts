import { OptionError } from "../base/errors.ts";
import { type Dataset, type DatasetParts, datasetOf, isBinary } from "../data/dataset.ts";
import type { DataFacts } from "./configuration.ts";

/** Observations: a data set, rows of numbers, or one array with the width of a row. */
export type RowsInput =
  | Dataset
  | readonly ArrayLike<number>[]
  | { readonly values: Uint8Array | Float32Array | Float64Array; readonly width: number; readonly scale?: number };

/** Rows of numbers: `values` has shape [rows, columns], row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array | Float64Array;
}

/**
 * Any form of rows as a data set.
 *
 * @param scale  what 8-bit values are divided by where the input does not say it
 * @throws       OptionError when rows differ in length, DataError when there are none or a value is not finite
 */
export function datasetFrom(input: RowsInput, name = "data", scale?: number): Dataset {
  if ("count" in input) return input;
  const parts: DatasetParts = { name, source: name };
  if ("width" in input) {
    const { values, width } = input;
    if (!Number.isInteger(width) || width < 1 || values.length % width !== 0) {
      throw new OptionError(
        `${name}: ${values.length} values are not whole rows of width ${width}: give the length of one row`,
      );
    }
    const dtype = values instanceof Uint8Array ? "u8" : values instanceof Float32Array ? "f32" : "f64";
    const array = { dtype, shape: [values.length / width, width], values } as const;
    return datasetOf(array, { ...parts, scale: input.scale ?? (dtype === "u8" ? scale : undefined) });
  }
  const width = input[0]?.length ?? 0;
  const values = new Float64Array(input.length * width);
  for (const [i, row] of input.entries()) {
    if (row.length !== width)
      throw new OptionError(`${name}: row ${i} has ${row.length} values, but row 0 has ${width}`);
    values.set(row, i * width);
  }
  return datasetOf({ dtype: "f64", shape: [input.length, width], values }, parts);
}

/** One pass over the values for what the default options depend on. */
export function factsOf({ values, scale, eventShape }: Dataset): DataFacts {
  let greatest = values[0]!;
  for (let i = 1; i < values.length; i++) if (values[i]! > greatest) greatest = values[i]!;
  const binary =
    values instanceof Uint8Array && scale === 1 ? isBinary(values) : values.every((x) => x === 0 || x === scale);
  return { isImage: values instanceof Uint8Array || binary, isBinary: binary, greatest, axes: eventShape.length };
}
