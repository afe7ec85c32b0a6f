import { DataError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import type { DataDType, DataValues, RawArray } from "./dataset.ts";

interface NpyType {
  readonly bytes: number;
  readonly dtype: DataDType;
  readonly read: (view: DataView, offset: number, little: boolean) => number;
}

/** Largest integer up to which f64 holds every integer. */
const exactLimit = 2n ** 53n;
const exact = (value: bigint): number => (value >= -exactLimit && value <= exactLimit ? Number(value) : Number.NaN);

/** NumPy's type codes; integers go to the narrowest float that holds them exactly, as in IDX files. */
const types: Record<string, NpyType> = {
  b1: { bytes: 1, dtype: "u8", read: (v, o) => (v.getUint8(o) === 0 ? 0 : 1) },
  u1: { bytes: 1, dtype: "u8", read: (v, o) => v.getUint8(o) },
  i1: { bytes: 1, dtype: "f32", read: (v, o) => v.getInt8(o) },
  u2: { bytes: 2, dtype: "f32", read: (v, o, little) => v.getUint16(o, little) },
  i2: { bytes: 2, dtype: "f32", read: (v, o, little) => v.getInt16(o, little) },
  u4: { bytes: 4, dtype: "f64", read: (v, o, little) => v.getUint32(o, little) },
  i4: { bytes: 4, dtype: "f64", read: (v, o, little) => v.getInt32(o, little) },
  u8: { bytes: 8, dtype: "f64", read: (v, o, little) => exact(v.getBigUint64(o, little)) },
  i8: { bytes: 8, dtype: "f64", read: (v, o, little) => exact(v.getBigInt64(o, little)) },
  f4: { bytes: 4, dtype: "f32", read: (v, o, little) => v.getFloat32(o, little) },
  f8: { bytes: 8, dtype: "f64", read: (v, o, little) => v.getFloat64(o, little) },
};

/**
 * The array of an NPY file, format versions 1 to 3 (numpy.lib.format). Fortran order is turned into C order. Where the
 * stored type is the kept type, values are a view of `bytes` if alignment allows.
 *
 * @param bytes   the unpacked file
 * @param source  what errors call it
 * @throws        DataError when the file is empty, is no NPY file, is truncated, or holds a type that is not read
 */
export function parseNpy(bytes: Uint8Array, source: string): RawArray {
  if (bytes.length === 0) {
    throw new DataError(`${source} is empty (0 bytes). An NPY file was expected: save or copy it again.`);
  }
  if (String.fromCharCode(...bytes.subarray(0, 6)) !== "\x93NUMPY") {
    const hint = bytes[0] === 0x50 && bytes[1] === 0x4b ? " It is a zip archive: save one array with numpy.save." : "";
    throw new DataError(`${source} is not an NPY file: it does not start with the bytes 93 4e 55 4d 50 59.${hint}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  if (bytes.length < (wide ? 12 : 10)) throw truncated(source, wide ? 12 : 10, bytes.length);
  if (bytes[6]! < 1 || bytes[6]! > 3) {
    throw new DataError(
      `${source} has NPY format version ${bytes[6]}.${bytes[7]}; versions 1 to 3 are read. Save it again.`,
    );
  }
  const start = wide ? 12 + view.getUint32(8, true) : 10 + view.getUint16(8, true);
  if (bytes.length < start) throw truncated(source, start, bytes.length);
  const header = new TextDecoder().decode(bytes.subarray(wide ? 12 : 10, start));
  const { descr, fortran, shape } = headerOf(header, source);

  const type = types[descr.slice(1)];
  if (!type) {
    throw new DataError(
      `${source} holds values of NumPy type "${descr}", which is not read. Convert it first, for example with ` +
        `array.astype("float32").`,
    );
  }
  const size = sizeOf(shape);
  const expected = start + size * type.bytes;
  if (bytes.length < expected) throw truncated(source, expected, bytes.length);
  if (bytes.length > expected) {
    throw new DataError(
      `${source} has ${bytes.length - expected} bytes after its array of shape [${shape.join(", ")}]. Save one ` +
        "array per file.",
    );
  }
  const values = valuesOf(view, start, size, type, descr);
  const inexact = descr.endsWith("8") && type.dtype === "f64" && descr[1] !== "f" ? values.findIndex(Number.isNaN) : -1;
  if (inexact >= 0) {
    throw new DataError(
      `${source}: element ${inexact} (counted from 0, as stored) is an integer beyond 2^53, which a float cannot ` +
        "hold exactly. Rescale the values before saving them.",
    );
  }
  return { dtype: type.dtype, shape, values: fortran && shape.length > 1 ? toRowMajor(values, shape) : values };
}

const truncated = (source: string, expected: number, found: number): DataError =>
  new DataError(
    `${source} is truncated: its header asks for at least ${expected} bytes, the file has ${found}. Save or copy ` +
      "it again.",
  );

/** The header is a Python dict literal with exactly these three keys, in any order. */
function headerOf(header: string, source: string): { descr: string; fortran: boolean; shape: number[] } {
  const descr = /'descr':\s*'([<>|=][a-zA-Z]\d+)'/.exec(header)?.[1];
  const fortran = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const shape = /'shape':\s*\(([\d\sL,]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || shape === undefined) {
    throw new DataError(
      `${source} has an NPY header that is not read: ${header.trim()}. One array of plain numbers is expected (no ` +
        "records, no Python objects).",
    );
  }
  return { descr, fortran: fortran === "True", shape: (shape.match(/\d+/g) ?? []).map(Number) };
}

function valuesOf(view: DataView, start: number, size: number, type: NpyType, descr: string): DataValues {
  const offset = view.byteOffset + start;
  const little = descr[0] !== ">";
  const stored = descr.slice(1);
  if (stored === "u1") return new Uint8Array(view.buffer, offset, size);
  if (stored === "f4" && little && offset % 4 === 0) return new Float32Array(view.buffer, offset, size);
  if (stored === "f8" && little && offset % 8 === 0) return new Float64Array(view.buffer, offset, size);
  const values =
    type.dtype === "u8" ? new Uint8Array(size) : type.dtype === "f32" ? new Float32Array(size) : new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = type.read(view, start + i * type.bytes, little);
  return values;
}

/** From first-axis-fastest to last-axis-fastest order: counts the target's index up and follows it in the source. */
function toRowMajor(columnMajor: DataValues, shape: readonly number[]): DataValues {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const index = new Array<number>(shape.length).fill(0);
  const rowMajor = columnMajor.slice();
  for (let target = 0, from = 0; target < rowMajor.length; target++) {
    rowMajor[target] = columnMajor[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return rowMajor;
}
