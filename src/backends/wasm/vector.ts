import { bytesOf, type DType } from "../../base/dtype.ts";
import { type Expr, f32x4, f64x2, i8x16, i16x8, i32, i32x4, i64x2, lanes32, v128 } from "./assembler/expr.ts";

/**
 * How values sit in 128-bit vectors inside a kernel. Without f64 a vector has four lanes of 32 bits; with f64 anywhere it has
 * two elements, and 32-bit values use the two low lanes. u8 is widened to 32 bits; bool is a mask as wide as its lane.
 */
export type Lanes = 2 | 4;

/** Element values as they come from memory become lane values: u8 is there already, a bool byte becomes a mask. */
function fromMemory(dtype: DType, lanes: Lanes, raw: Expr): Expr {
  if (dtype !== "bool") return raw;
  const mask = i32x4.ne(raw, i32x4.const(0));
  return lanes === 4 ? mask : i64x2.extend_low_i32x4_s(mask);
}

const widen8 = (raw: Expr): Expr => i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(raw));

/** `lanes` consecutive elements. */
export function loadVector(dtype: DType, lanes: Lanes, address: Expr, offset = 0): Expr {
  switch (bytesOf(dtype)) {
    case 8:
      return v128.load(address, offset);
    case 4:
      return lanes === 4 ? v128.load(address, offset) : v128.load64_zero(address, offset);
    default: {
      const zero = i32x4.const(0);
      const raw = lanes === 4 ? v128.load32_zero(address, offset) : v128.load16_lane(address, zero, 0, offset);
      return fromMemory(dtype, lanes, widen8(raw));
    }
  }
}

/** The one element at `address`, put into `lane` of `vector`. */
export function loadLane(dtype: DType, vector: Expr, lane: number, address: Expr, offset = 0): Expr {
  switch (bytesOf(dtype)) {
    case 8:
      return v128.load64_lane(address, vector, lane, offset);
    case 4:
      return v128.load32_lane(address, vector, lane, offset);
    default:
      return i32x4.replace(vector, lane, i32.load8_u(address, offset));
  }
}

/** `count` elements, `stride` elements apart, in the low lanes; the others are 0. */
export function loadStrided(dtype: DType, lanes: Lanes, address: Expr, stride: number, count: number): Expr {
  let vector = i32x4.const(0);
  for (let lane = 0; lane < count; lane++)
    vector = loadLane(dtype, vector, lane, address, 0 + lane * stride * bytesOf(dtype));
  return fromMemory(dtype, lanes, vector);
}

/** Finishes a vector that `loadLane` filled. */
export const finishLanes = (dtype: DType, lanes: Lanes, raw: Expr): Expr => fromMemory(dtype, lanes, raw);

/** One element in all lanes. */
export function loadSplat(dtype: DType, lanes: Lanes, address: Expr): Expr {
  switch (bytesOf(dtype)) {
    case 8:
      return v128.load64_splat(address);
    case 4:
      return v128.load32_splat(address);
    default:
      return fromMemory(dtype, lanes, i32x4.splat(i32.load8_u(address)));
  }
}

/** A mask as 32-bit lanes, whatever the number of lanes. */
export const mask32 = (lanes: Lanes, mask: Expr): Expr =>
  lanes === 4 ? mask : v128.shuffle(mask, mask, lanes32(0, 2, 0, 2));

/** Lane values in the form they are stored: bytes for u8 and bool, in the lowest bytes. */
function toMemory(dtype: DType, lanes: Lanes, value: Expr): Expr {
  if (bytesOf(dtype) !== 1) return value;
  const words = dtype === "bool" ? v128.and(mask32(lanes, value), i32x4.const(1)) : v128.and(value, i32x4.const(255));
  const halves = i16x8.narrow_i32x4_u(words, words);
  return i8x16.narrow_i16x8_u(halves, halves);
}

/** Stores the `count` low lanes (all of them by default) to consecutive elements. `value` is read several times. */
export function storeVector(dtype: DType, lanes: Lanes, address: Expr, value: Expr, count: number = lanes): Expr[] {
  const size = bytesOf(dtype);
  const packed = toMemory(dtype, lanes, value);
  if (count * size === 16) return [v128.store(address, packed)];
  if (count * size === 8) return [v128.store64_lane(address, packed, 0)];
  if (size === 1) {
    if (count === 4) return [v128.store32_lane(address, packed, 0)];
    return Array.from({ length: count }, (_, lane) => v128.store8_lane(address, packed, lane, lane));
  }
  const lane = size === 8 ? v128.store64_lane : v128.store32_lane;
  return Array.from({ length: count }, (_, i) => lane(address, packed, i, i * size));
}

/** The same number in every lane. */
export function constant(dtype: DType, value: number): Expr {
  switch (dtype) {
    case "f64":
      return f64x2.const(value);
    case "f32":
      return f32x4.const(value);
    case "bool":
      return i32x4.const(value ? -1 : 0);
    default:
      return i32x4.const(value | 0);
  }
}

/** A mask of the `count` low lanes. */
export function lowLanes(lanes: Lanes, dtype: DType, count: number): Expr {
  const wide = bytesOf(dtype) === 8 || (dtype === "bool" && lanes === 2);
  const bytes = Array.from({ length: 16 }, (_, i) => (Math.floor(i / (wide ? 8 : 4)) < count ? 255 : 0));
  return v128.const(bytes);
}
