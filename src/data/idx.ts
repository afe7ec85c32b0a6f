import { DataError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import type { DataDType, DataValues, RawArray } from "./dataset.ts";

interface IdxType {
  readonly bytes: number;
  readonly dtype: DataDType;
  readonly read: (view: DataView, offset: number) => number;
}

/**
 * Element types of the IDX format (LeCun's MNIST page), by the third byte of the file. All are big-endian. Integers
 * wider than 8 bits are kept in the narrowest float that holds them exactly.
 */
const types: Record<number, IdxType> = {
  8: { bytes: 1, dtype: "u8", read: (v, o) => v.getUint8(o) },
  9: { bytes: 1, dtype: "f32", read: (v, o) => v.getInt8(o) },
  11: { bytes: 2, dtype: "f32", read: (v, o) => v.getInt16(o) },
  12: { bytes: 4, dtype: "f64", read: (v, o) => v.getInt32(o) },
  13: { bytes: 4, dtype: "f32", read: (v, o) => v.getFloat32(o) },
  14: { bytes: 8, dtype: "f64", read: (v, o) => v.getFloat64(o) },
};

/**
 * The array of an IDX file: bytes 0, 0, type, rank; `rank` sizes as big-endian u32; then values, row-major. 8-bit
 * values are returned as a view of `bytes`.
 *
 * @param bytes   the unpacked file
 * @param source  what errors call it
 * @throws        DataError when the file is empty, is no IDX file, or is shorter or longer than its header says
 */
export function parseIdx(bytes: Uint8Array, source: string): RawArray {
  if (bytes.length === 0) {
    throw new DataError(`${source} is empty (0 bytes). An IDX file was expected: fetch or copy it again.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = bytes[0] === 0 && bytes[1] === 0 ? types[bytes[2] ?? 0] : undefined;
  const rank = bytes[3] ?? 0;
  if (!type || rank === 0) {
    const found = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new DataError(
      `${source} is not an IDX file: it starts with bytes ${found}, where 00 00, a type (08, 09, 0b, 0c, 0d or 0e) ` +
        "and the number of axes (at least 1) were expected. MNIST's images start with 00 00 08 03.",
    );
  }
  const start = 4 + 4 * rank;
  const truncated = (expected: number): DataError =>
    new DataError(
      `${source} is truncated: its header asks for ${expected} bytes, the file has ${bytes.length}. ` +
        "Fetch or copy it again.",
    );
  if (bytes.length < start) throw truncated(start);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = sizeOf(shape);
  const expected = start + size * type.bytes;
  if (bytes.length < expected) throw truncated(expected);
  if (bytes.length > expected) {
    throw new DataError(
      `${source} has ${bytes.length} bytes, ${bytes.length - expected} more than its header asks for ` +
        `(shape [${shape.join(", ")}]). It is damaged or not an IDX file: fetch or copy it again.`,
    );
  }
  // Not `subarray`, which would stay a Buffer in Node.
  const values =
    type.dtype === "u8" ? new Uint8Array(bytes.buffer, bytes.byteOffset + start, size) : read(view, start, size, type);
  return { dtype: type.dtype, shape, values };
}

function read(view: DataView, start: number, size: number, type: IdxType): DataValues {
  const values = type.dtype === "f32" ? new Float32Array(size) : new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = type.read(view, start + i * type.bytes);
  return values;
}
