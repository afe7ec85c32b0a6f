/** Element types of tensors. `bool` is stored as one byte, 0 or 1. */
export type DType = "f32" | "f64" | "i32" | "u32" | "u8" | "bool";

/** What the numbers of a tensor are held in on the host. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

interface DTypeInfo {
  readonly bytes: number;
  readonly kind: "float" | "int" | "bool";
  readonly array: new (length: number) => TypedArray;
  readonly view: (buffer: ArrayBufferLike, byteOffset: number, length: number) => TypedArray;
}

/** What each dtype is in memory. */
export const dtypes: Record<DType, DTypeInfo> = {
  f32: { bytes: 4, kind: "float", array: Float32Array, view: (b, o, n) => new Float32Array(b, o, n) },
  f64: { bytes: 8, kind: "float", array: Float64Array, view: (b, o, n) => new Float64Array(b, o, n) },
  i32: { bytes: 4, kind: "int", array: Int32Array, view: (b, o, n) => new Int32Array(b, o, n) },
  u32: { bytes: 4, kind: "int", array: Uint32Array, view: (b, o, n) => new Uint32Array(b, o, n) },
  u8: { bytes: 1, kind: "int", array: Uint8Array, view: (b, o, n) => new Uint8Array(b, o, n) },
  bool: { bytes: 1, kind: "bool", array: Uint8Array, view: (b, o, n) => new Uint8Array(b, o, n) },
};

export const isFloat = (dtype: DType): boolean => dtypes[dtype].kind === "float";
export const isInt = (dtype: DType): boolean => dtypes[dtype].kind === "int";
export const bytesOf = (dtype: DType): number => dtypes[dtype].bytes;

/** A zero-filled array that holds `length` elements of `dtype`. */
export const allocate = (dtype: DType, length: number): TypedArray => new dtypes[dtype].array(length);
