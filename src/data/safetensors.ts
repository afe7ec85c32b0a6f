import { bytesOf, type DType, type TypedArray } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { showShape, sizeOf } from "../base/shape.ts";

/** A named array in a safetensors file. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Row-major, length the product of `shape`. */
  readonly data: TypedArray;
}

/** The format's names of our dtypes. */
export const formatNames: Record<DType, string> = {
  f64: "F64",
  i32: "I32",
  u32: "U32",
  f32: "F32",
  u8: "U8",
  bool: "BOOL",
};

/** The official writer's order, widest first, so that every array is aligned; its enum lists them this way. */
export const writeOrder: readonly DType[] = ["f64", "f32", "u32", "i32", "u8", "bool"];

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The safetensors file of named arrays: u64 header length, JSON header padded with spaces to a multiple of 8, then the
 * arrays, little-endian (https://huggingface.co/docs/safetensors). Arrays are ordered by type, then name, metadata by
 * key, so that equal content gives equal bytes, the same as the official writer's.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries = Object.entries(tensors).sort(
    ([a, x], [b, y]) => writeOrder.indexOf(x.dtype) - writeOrder.indexOf(y.dtype) || compare(a, b),
  );
  const fields: string[] = [];
  const field = (name: string, value: unknown): number =>
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const metadataKeys = Object.keys(metadata).sort(compare);
  if (metadataKeys.length > 0) {
    field("__metadata__", Object.fromEntries(metadataKeys.map((key) => [key, metadata[key]])));
  }
  let offset = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    if (data.length !== sizeOf(shape) || data.BYTES_PER_ELEMENT !== bytesOf(dtype)) {
      throw new InternalError(
        `tensor "${name}" is said to be ${dtype} of shape ${showShape(shape)} but its array is a ` +
          `${data.constructor.name} of ` +
          `length ${data.length}`,
      );
    }
    field(name, { dtype: formatNames[dtype], shape, data_offsets: [offset, offset + data.byteLength] });
    offset += data.byteLength;
  }
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const start = 8 + Math.ceil(header.length / 8) * 8;
  const bytes = new Uint8Array(start + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.fill(0x20, 8, start);
  bytes.set(header, 8);
  let at = start;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
