import { type DType, isFloat } from "../../src/base/dtype.ts";
import { type Shape, sameShape, sizeOf } from "../../src/base/shape.ts";
import type { Node } from "../../src/ir/node.ts";
import type { Trace } from "../../src/ops/vocabulary.ts";
import type { Random } from "./random.ts";

/**
 * A value of a random graph, with what is known of its numbers, so that every comparison has a bound and not a guess.
 *
 * `error` is 0 where every correct implementation gives the same bits: elementwise IEEE arithmetic, integers, movement; and
 * sums whose partial sums are all exact, which `bound` and `grid` (values are multiples of 2^−grid) tell.
 */
export interface Entry {
  readonly node: Node;
  readonly bound: number;
  readonly grid: number;
  readonly error: number;
}

export const epsilon = (dtype: DType): number => (dtype === "f64" ? 2 ** -52 : 2 ** -23);
const MANTISSA = { f32: 24, f64: 53 } as const;

/** Whether numbers of this bound and grid are represented without rounding. */
const representable = (dtype: DType, bound: number, grid: number): boolean =>
  isFloat(dtype) ? bound * 2 ** grid <= 2 ** MANTISSA[dtype as "f32" | "f64"] : true;

/** The result of an operation that rounds at most once, from exact operands. */
export const exact = (node: Node, bound: number, grid: number): Entry => ({
  node,
  bound,
  grid: representable(node.dtype, bound, grid) ? grid : Infinity,
  error: 0,
});

/** The result of an operation whose rounding differs between implementations. */
export const rounded = (node: Node, bound: number, error: number): Entry => ({ node, bound, grid: Infinity, error });

/** The result of `terms` additions of values whose sums of magnitudes stay below `bound`: exact where no partial sum rounds. */
export function summed(node: Node, bound: number, grid: number, error: number, terms: number): Entry {
  if (!isFloat(node.dtype)) return exact(node, bound, 0);
  if (error === 0 && representable(node.dtype, bound, grid)) return exact(node, bound, grid);
  return rounded(node, bound, error + terms * epsilon(node.dtype) * bound);
}

/** The same numbers elsewhere. */
export const moved = (node: Node, from: Entry): Entry => ({ ...from, node });

const LIMIT: Record<DType, number> = { f32: Infinity, f64: Infinity, i32: 2 ** 31, u32: 2 ** 32, u8: 255, bool: 1 };

/** Values made so far, and how they are bent to the shapes and dtypes an op asks for. */
export class Pool {
  readonly entries: Entry[] = [];
  readonly b: Trace;
  readonly random: Random;

  constructor(b: Trace, random: Random) {
    this.b = b;
    this.random = random;
  }

  add(entry: Entry): Entry {
    this.entries.push(entry);
    return entry;
  }

  /** Some value; a late one more often than an early one. */
  any(fits: (e: Entry) => boolean = () => true): Entry {
    const candidates = this.entries.filter(fits);
    if (!candidates.length) return this.constant("f32", []);
    const late = candidates.slice(-6);
    return this.random.pick(this.random.chance(0.5) ? late : candidates);
  }

  constant(dtype: DType, shape: Shape): Entry {
    const values =
      dtype === "bool" ? [0, 1] : dtype === "u8" ? [0, 1, 7, 255] : dtype === "u32" ? [0, 1, 3, 77] : [0, 1, -1, 2, -3];
    const value = this.random.pick(isFloat(dtype) ? [...values, 0.5, -0.25] : values);
    return exact(this.b.constant(value, dtype, shape), Math.abs(value), 2);
  }

  /** Some value as this dtype and shape: found, or bent by casts and views. */
  like(dtype: DType, shape: Shape, isExact = false): Entry {
    const usable = (e: Entry) => !isExact || e.error === 0;
    const same = this.entries.filter((e) => e.node.dtype === dtype && sameShape(e.node.shape, shape) && usable(e));
    if (same.length && this.random.chance(0.75)) return this.random.pick(same);
    if (this.random.chance(0.1)) return this.constant(dtype, shape);
    const from = this.any((e) => usable(e) && (isFloat(dtype) || e.error === 0));
    return this.cast(this.bend(from, shape), dtype);
  }

  bool(shape: Shape): Entry {
    return this.like("bool", shape, true);
  }

  cast(e: Entry, to: DType): Entry {
    const { b } = this;
    const from = e.node.dtype;
    if (from === to) return e;
    if (e.error > 0 && !isFloat(to)) throw new Error("a rounded value has no integer of its own");
    const node = b.cast(e.node, to);
    if (e.error > 0) return rounded(node, e.bound, e.error + epsilon(to) * e.bound);
    // Negative or large numbers wrap or saturate.
    if (!isFloat(to)) return exact(node, isFloat(from) || to === "bool" ? Math.min(e.bound, LIMIT[to]) : LIMIT[to], 0);
    return exact(node, e.bound, isFloat(from) ? e.grid : 0);
  }

  transpose(e: Entry): Entry {
    const order = this.random.shuffled(e.node.shape.map((_, i) => i));
    return moved(this.b.transpose(e.node, order), e);
  }

  reshape(e: Entry, shape: Shape): Entry {
    return moved(this.b.reshape(e.node, shape), e);
  }

  /** The numbers of `e`, or some of them, or with others beside them, in this shape. */
  bend(given: Entry, shape: Shape): Entry {
    const { b, random } = this;
    const e = given.node.shape.length > 1 && random.chance(0.3) ? this.transpose(given) : given;
    const from = e.node.shape;
    const [have, want] = [sizeOf(from), sizeOf(shape)];
    if (sameShape(from, shape)) return e;
    const tail = shape.length - from.length;
    if (tail > 0 && random.chance(0.7)) {
      for (const dims of [from.map((_, i) => i + tail), from.map((_, i) => i)]) {
        if (from.every((d, i) => d === shape[dims[i]!])) return moved(b.broadcast(e.node, shape, dims), e);
      }
    }
    if (have === want) return this.reshape(e, shape);
    if (have === 0) return this.constant(e.node.dtype, shape);
    const flat = this.reshape(e, [have]);
    if (have > want) {
      const at = random.below(have - want + 1);
      return this.reshape(moved(b.slice(flat.node, [at], [want]), e), shape);
    }
    const short = random.pick(["broadcast", "pad", "gather", "concat"]);
    if (short === "pad" && want < 200) {
      const low = random.below(want - have + 1);
      return this.reshape(moved(b.pad(flat.node, [low], [want - have - low]), e), shape);
    }
    if (short === "gather") {
      const index = this.like(random.chance(0.5) ? "i32" : "u32", shape, true);
      return moved(b.gather(flat.node, index.node), e);
    }
    if (short === "concat" && 2 * have >= want) {
      const rest = b.slice(flat.node, [2 * have - want], [want - have]);
      return this.reshape(moved(b.concat([flat.node, rest], 0), e), shape);
    }
    const at = random.below(have);
    return moved(b.broadcast(b.reshape(b.slice(flat.node, [at], [1]), []), shape, []), e);
  }

  /** Within ±limit. */
  clamp(e: Entry, limit: number): Entry {
    if (e.bound <= limit) return e;
    const { b } = this;
    const low = e.node.dtype === "u32" ? 0 : -limit;
    const node = b.minimum(b.maximum(e.node, low), limit);
    return { node, bound: limit, grid: e.grid, error: e.error };
  }

  /** Between low and high, for functions that are steep or undefined elsewhere. */
  within(e: Entry, low: number, high: number): Entry {
    const { b } = this;
    const node = b.minimum(b.maximum(e.node, low), high);
    return { node, bound: Math.max(Math.abs(low), Math.abs(high)), grid: Infinity, error: e.error };
  }
}
