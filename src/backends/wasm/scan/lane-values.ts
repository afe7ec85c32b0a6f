import { bytesOf, type DType } from "../../../base/dtype.ts";
import { type Expr, i32, i32x4, lanes32, lanes64, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { constant, type Lanes, loadVector } from "../vector.ts";

/** A number in a lane of a vector. */
export interface LaneValue {
  readonly vector: Expr;
  readonly lane: number;
  /** Whether all lanes hold it. */
  readonly splat: boolean;
  /** Equal for the same lane of the same vector. */
  readonly key: string;
}

export const inLane = (vector: Local, lane: number, splat = false): LaneValue => ({
  vector,
  lane,
  splat,
  key: `${vector.index}.${lane}`,
});

export const constantLane = (dtype: DType, value: number): LaneValue => ({
  vector: constant(dtype, value),
  lane: 0,
  splat: true,
  key: `${dtype} ${Object.is(value, -0) ? "-0" : value}`,
});

/** Puts lanes of vectors side by side; what was put together once is not done again. */
export class Packer {
  private readonly f: FuncBuilder;
  private readonly lanes: Lanes;
  private readonly known = new Map<string, Expr>();

  constructor(f: FuncBuilder, lanes: Lanes) {
    this.f = f;
    this.lanes = lanes;
  }

  /** Whether values of this dtype sit in 64-bit lanes. */
  private wide(dtype: DType): boolean {
    return this.lanes === 2 && (bytesOf(dtype) === 8 || dtype === "bool");
  }

  /** A vector with these values in its lowest lanes; the others hold anything. */
  pack(dtype: DType, values: readonly LaneValue[]): Expr {
    const [first] = values as [LaneValue];
    if (values.every((v) => v.splat && v.key === first.key)) return first.vector;
    if (values.every((v, i) => v.vector === first.vector && v.lane === i)) return first.vector;
    const key = values.map((v) => v.key).join();
    const found = this.known.get(key);
    if (found) return found;
    const made = this.f.let(this.join(dtype, values));
    this.known.set(key, made);
    return made;
  }

  private join(dtype: DType, values: readonly LaneValue[]): Expr {
    const [a, b = a, c, d = c] = values as [LaneValue, LaneValue?, LaneValue?, LaneValue?];
    if (this.wide(dtype)) return v128.shuffle(a.vector, b!.vector, lanes64(a.lane, 2 + b!.lane));
    const low = v128.shuffle(a.vector, b!.vector, lanes32(a.lane, 4 + b!.lane, a.lane, 4 + b!.lane));
    if (!c) return low;
    const high = v128.shuffle(c.vector, d!.vector, lanes32(c.lane, 4 + d!.lane, c.lane, 4 + d!.lane));
    return v128.shuffle(this.f.let(low), this.f.let(high), lanes32(0, 1, 4, 5));
  }
}

/** The element at `address` + `offset`, in all lanes. */
export function loadElement(dtype: DType, address: Expr, offset: number): Expr {
  if (bytesOf(dtype) === 8) return v128.load64_splat(address, offset);
  if (bytesOf(dtype) === 4) return v128.load32_splat(address, offset);
  const byte = i32x4.splat(i32.load8_u(address, offset));
  return dtype === "bool" ? i32x4.ne(byte, i32x4.const(0)) : byte;
}

/** `count` elements from `address` + `offset` on, in vectors as full as they go. None counts as spread: they may be set anew. */
export function loadElements(
  f: FuncBuilder,
  lanes: Lanes,
  dtype: DType,
  address: Expr,
  offset: number,
  count: number,
): LaneValue[] {
  const size = bytesOf(dtype);
  const out: LaneValue[] = [];
  while (out.length < count) {
    const at = offset + out.length * size;
    if (count - out.length >= lanes) {
      const vector = f.let(loadVector(dtype, lanes, address, at));
      for (let lane = 0; lane < lanes; lane++) out.push(inLane(vector, lane));
    } else out.push(inLane(f.let(loadElement(dtype, address, at)), 0));
  }
  return out;
}

/** Stores a float in lane `lane`. */
const storeLane = (dtype: DType, address: Expr, value: LaneValue, offset: number): Expr =>
  bytesOf(dtype) === 8
    ? v128.store64_lane(address, value.vector, value.lane, offset)
    : v128.store32_lane(address, value.vector, value.lane, offset);

/** Stores floats one after the other from `address` + `offset` on. */
export function storeElements(
  f: FuncBuilder,
  packer: Packer,
  lanes: Lanes,
  dtype: DType,
  address: Expr,
  offset: number,
  values: readonly LaneValue[],
): void {
  const size = bytesOf(dtype);
  const whole = 16 / size <= lanes ? 16 / size : 0;
  for (let i = 0; i < values.length; ) {
    const group = values.slice(i, i + whole);
    if (whole && group.length === whole) {
      f.do(v128.store(address, packer.pack(dtype, group), offset + i * size));
      i += whole;
    } else f.do(storeLane(dtype, address, values[i]!, offset + i++ * size));
  }
}
