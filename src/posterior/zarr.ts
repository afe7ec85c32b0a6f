import { zlibSync } from "fflate";
import { InternalError } from "../base/errors.ts";
import { showShape, sizeOf } from "../base/shape.ts";

/** Contents of a folder: path with "/", bytes. */
export type FileTree = Record<string, Uint8Array>;

/** Numbers that JSON has no word for are not for attributes. */
export type Attributes = Readonly<Record<string, string | number | boolean | readonly (string | number)[]>>;

export interface ZarrArray {
  /** Name of each axis: arrays of one group that share a name share the axis. */
  readonly dims: readonly string[];
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: ArrayLike<number> | readonly string[];
  /** How numbers are stored. Default f64; texts are stored as such. */
  readonly type?: "f64" | "i64" | "bool";
  /** Axes that are cut into single slices, each a file, so that they can be read alone; counted from the first. Default 0. */
  readonly chunkedAxes?: number;
}

export interface ZarrGroup {
  readonly attributes?: Attributes;
  readonly arrays: Readonly<Record<string, ZarrArray>>;
}

/**
 * A Zarr store, version 2 of the format (zarr-specs.readthedocs.io/en/latest/v2/v2.0.html), with consolidated metadata and with
 * axes named as xarray expects it (`_ARRAY_DIMENSIONS`).
 *
 * @param compress  chunks by zlib. Draws hardly become smaller by it
 */
export function encodeZarr(
  groups: Readonly<Record<string, ZarrGroup>>,
  attributes: Attributes = {},
  compress = false,
): FileTree {
  const files: FileTree = {};
  const metadata: Record<string, unknown> = {};
  const describe = (path: string, content: unknown): void => {
    metadata[path] = content;
    files[path] = json(content);
  };
  describe(".zgroup", { zarr_format: 2 });
  describe(".zattrs", attributes);
  for (const [group, { attributes = {}, arrays }] of Object.entries(groups)) {
    describe(`${group}/.zgroup`, { zarr_format: 2 });
    describe(`${group}/.zattrs`, attributes);
    for (const [name, array] of Object.entries(arrays)) {
      const path = `${group}/${name}`;
      if (array.values.length !== sizeOf(array.shape) || array.dims.length !== array.shape.length) {
        throw new InternalError(
          `${path} is said to have axes ${array.dims.join(", ")} and shape ${showShape(array.shape)}, and has ` +
            `${array.values.length} values`,
        );
      }
      const { code, bytesPerValue, bytes } = encodeValues(array);
      const cut = array.chunkedAxes ?? 0;
      const chunks = array.shape.map((size, axis) => (axis < cut ? 1 : size));
      describe(`${path}/.zarray`, {
        zarr_format: 2,
        shape: array.shape,
        chunks,
        dtype: code,
        compressor: compress ? { id: "zlib", level: 1 } : null,
        fill_value: null,
        order: "C",
        filters: null,
      });
      describe(`${path}/.zattrs`, { _ARRAY_DIMENSIONS: array.dims });
      const length = sizeOf(chunks) * bytesPerValue;
      const trailing = array.shape.slice(cut).map(() => 0);
      indicesOf(array.shape.slice(0, cut)).forEach((index, i) => {
        const chunk = bytes.subarray(i * length, (i + 1) * length);
        const key = [...index, ...trailing].join(".") || "0";
        files[`${path}/${key}`] = compress ? zlibSync(chunk, { level: 1 }) : chunk;
      });
    }
  }
  files[".zmetadata"] = json({ zarr_consolidated_format: 1, metadata });
  return files;
}

const json = (content: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(content, null, 2));

/** All indices from 0, row-major. */
const indicesOf = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>(
    (indices, size) => indices.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );

/** NumPy's type code and the little-endian bytes. */
function encodeValues({ values, type = "f64" }: ZarrArray): { code: string; bytesPerValue: number; bytes: Uint8Array } {
  const first = values[0];
  if (typeof first === "string") {
    // Texts of fixed length in UTF-32, filled up with zeros.
    const points = (values as readonly string[]).map((text) =>
      Array.from(text, (character) => character.codePointAt(0)!),
    );
    const length = Math.max(1, ...points.map((text) => text.length));
    const units = new Uint32Array(points.length * length);
    points.forEach((text, i) => units.set(text, i * length));
    return { code: `<U${length}`, bytesPerValue: 4 * length, bytes: bytesOf(units) };
  }
  const numbers = values as ArrayLike<number>;
  if (type === "bool")
    return { code: "|b1", bytesPerValue: 1, bytes: Uint8Array.from(numbers, (value) => +(value !== 0)) };
  if (type === "i64") {
    const whole = BigInt64Array.from({ length: numbers.length }, (_, i) => BigInt(numbers[i]!));
    return { code: "<i8", bytesPerValue: 8, bytes: bytesOf(whole) };
  }
  return { code: "<f8", bytesPerValue: 8, bytes: bytesOf(Float64Array.from(numbers)) };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
