import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Trace } from "../ops/vocabulary.ts";
import * as f from "./functions.ts";
import type { Value } from "./value.ts";

type Axes = number | readonly number[];

// biome-ignore-all format: one method a line
/** An immutable value in a traced graph: the functions of functions.ts as methods. It holds no numbers. */
export class Tensor implements Value {
  readonly node: Node;
  readonly trace: Trace;

  constructor(trace: Trace, node: Node) {
    this.trace = trace;
    this.node = node;
  }

  get shape(): Shape {
    return this.node.shape;
  }
  get dtype(): DType {
    return this.node.dtype;
  }
  of(node: Node): this {
    return new Tensor(this.trace, node) as this;
  }
  /** JavaScript's own operators would see NaN: `a * 2` and `if (a > 0)` fail here instead. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return `Tensor [${this.shape.join(", ")}]`;
    throw new TypeError("a tensor holds no number yet: write a.mul(b) for a * b, where(a.gt(b), x, y) for if");
  }

  /** this + y, elementwise; shapes broadcast as in NumPy, and so in all methods of two arguments. @throws ShapeError where they do not */
  add(y: Tensor | number): Tensor {
    return f.add<Tensor>(this, y);
  }
  /** this − y. */
  sub(y: Tensor | number): Tensor {
    return f.sub<Tensor>(this, y);
  }
  /** this · y, elementwise. */
  mul(y: Tensor | number): Tensor {
    return f.mul<Tensor>(this, y);
  }
  /** this / y. */
  div(y: Tensor | number): Tensor {
    return f.div<Tensor>(this, y);
  }
  /** This to the power of y, elementwise: NaN where this is negative and y no whole number. */
  pow(y: Tensor | number): Tensor {
    return f.pow<Tensor>(this, y);
  }
  /** The smaller of the two, elementwise. */
  minimum(y: Tensor | number): Tensor {
    return f.minimum<Tensor>(this, y);
  }
  /** The larger of the two, elementwise. */
  maximum(y: Tensor | number): Tensor {
    return f.maximum<Tensor>(this, y);
  }
  /** Whether this = y, elementwise: a bool tensor, for `where`. */
  eq(y: Tensor | number): Tensor {
    return f.eq<Tensor>(this, y);
  }
  /** Whether this ≠ y. */
  ne(y: Tensor | number): Tensor {
    return f.ne<Tensor>(this, y);
  }
  /** Whether this < y. */
  lt(y: Tensor | number): Tensor {
    return f.lt<Tensor>(this, y);
  }
  /** Whether this ≤ y. */
  le(y: Tensor | number): Tensor {
    return f.le<Tensor>(this, y);
  }
  /** Whether this > y. */
  gt(y: Tensor | number): Tensor {
    return f.gt<Tensor>(this, y);
  }
  /** Whether this ≥ y. */
  ge(y: Tensor | number): Tensor {
    return f.ge<Tensor>(this, y);
  }
  /** −this. */
  neg(): Tensor {
    return f.neg<Tensor>(this);
  }
  /** |this|. */
  abs(): Tensor {
    return f.abs<Tensor>(this);
  }
  /** The greatest whole number that is not above; its gradient is 0. */
  floor(): Tensor {
    return f.floor<Tensor>(this);
  }
  /** this². */
  square(): Tensor {
    return f.mul<Tensor>(this, this);
  }
  /** The square root; NaN below 0. */
  sqrt(): Tensor {
    return f.sqrt<Tensor>(this);
  }
  /** e^this. */
  exp(): Tensor {
    return f.exp<Tensor>(this);
  }
  /** The natural logarithm; −∞ at 0, NaN below. */
  log(): Tensor {
    return f.log<Tensor>(this);
  }
  /** log(1 + this), exact near 0. */
  log1p(): Tensor {
    return f.log1p<Tensor>(this);
  }
  /** e^this − 1, exact near 0. */
  expm1(): Tensor {
    return f.expm1<Tensor>(this);
  }
  /** The hyperbolic tangent. */
  tanh(): Tensor {
    return f.tanh<Tensor>(this);
  }
  /** 1 / (1 + e^−this). */
  sigmoid(): Tensor {
    return f.sigmoid<Tensor>(this);
  }
  /** log(1 + e^this). */
  softplus(): Tensor {
    return f.softplus<Tensor>(this);
  }
  /** The sine, of radians. */
  sin(): Tensor {
    return f.sin<Tensor>(this);
  }
  /** The cosine, of radians. */
  cos(): Tensor {
    return f.cos<Tensor>(this);
  }
  /** log |Γ(this)|. */
  lgamma(): Tensor {
    return f.lgamma<Tensor>(this);
  }
  /** The derivative of `lgamma`. */
  digamma(): Tensor {
    return f.digamma<Tensor>(this);
  }
  /** The error function. */
  erf(): Tensor {
    return f.erf<Tensor>(this);
  }
  /** The inverse of `erf`, on (−1, 1). */
  erfinv(): Tensor {
    return f.erfinv<Tensor>(this);
  }
  /** The same values in another type. */
  cast(dtype: DType): Tensor {
    return f.cast<Tensor>(this, dtype);
  }
  /** The same value, taken for a constant by `gradient`. */
  stopGradient(): Tensor {
    return f.stopGradient<Tensor>(this);
  }
  /** The sum over these axes, which fall away; over all without an argument. Negative ones count from the last. */
  sum(axes?: Axes): Tensor {
    return f.sum<Tensor>(this, axes);
  }
  /** The mean over these axes, as in `sum`. */
  mean(axes?: Axes): Tensor {
    return f.mean<Tensor>(this, axes);
  }
  /** The greatest over these axes, as in `sum`. */
  max(axes?: Axes): Tensor {
    return f.max<Tensor>(this, axes);
  }
  /** The least over these axes, as in `sum`. */
  min(axes?: Axes): Tensor {
    return f.min<Tensor>(this, axes);
  }
  /** log Σ e^this over these axes, as in `sum`, without overflow. */
  logsumexp(axes?: Axes): Tensor {
    return f.logsumexp<Tensor>(this, axes);
  }
  /** Where the greatest along an axis stands, u32; the axis falls away. */
  argmax(axis: number): Tensor {
    return f.argmax<Tensor>(this, axis);
  }
  /** The same values, row-major, in another shape of as many. */
  reshape(shape: Shape): Tensor {
    return f.reshape<Tensor>(this, shape);
  }
  /** Repeated along axes of size 1 and new ones in front. */
  broadcastTo(shape: Shape): Tensor {
    return f.broadcastTo<Tensor>(this, shape);
  }
  /** Axes in another order; without an argument the last two change places. */
  transpose(permutation?: readonly number[]): Tensor {
    return f.transpose<Tensor>(this, permutation);
  }
  /** The part that begins at `starts` and has the shape `sizes`. */
  slice(starts: readonly number[], sizes: readonly number[]): Tensor {
    return f.slice<Tensor>(this, starts, sizes);
  }
  /** Elements from, from + 1, … from + size − 1 along an axis. */
  narrow(axis: number, from: number, size: number): Tensor {
    return f.narrow<Tensor>(this, axis, from, size);
  }
  /** Matrix product of the last two axes, [..., m, k] by [..., k, n]; the axes before them broadcast. */
  matmul(b: Tensor): Tensor {
    return f.matmul<Tensor>(this, b);
  }
  /**
   * The element or part at these indices of the first axes. Index tensors go together and broadcast, as NumPy's do: `m.at(i, j)` has
   * an element for each pair, `m.at(i, 0)` those of the first column. Negative numbers count from the end: `y.at(-1)` is the last.
   */
  at(...indices: readonly (Tensor | number)[]): Tensor {
    return f.at<Tensor>(this, ...indices);
  }
  /** Rows by their indices, an integer tensor: shape [...indices, ...shape of a row]. */
  gather(indices: Tensor): Tensor {
    return f.gather<Tensor>(this, indices);
  }
}
