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

  add(y: Tensor | number): Tensor {
    return f.add<Tensor>(this, y);
  }
  sub(y: Tensor | number): Tensor {
    return f.sub<Tensor>(this, y);
  }
  mul(y: Tensor | number): Tensor {
    return f.mul<Tensor>(this, y);
  }
  div(y: Tensor | number): Tensor {
    return f.div<Tensor>(this, y);
  }
  pow(y: Tensor | number): Tensor {
    return f.pow<Tensor>(this, y);
  }
  minimum(y: Tensor | number): Tensor {
    return f.minimum<Tensor>(this, y);
  }
  maximum(y: Tensor | number): Tensor {
    return f.maximum<Tensor>(this, y);
  }
  eq(y: Tensor | number): Tensor {
    return f.eq<Tensor>(this, y);
  }
  ne(y: Tensor | number): Tensor {
    return f.ne<Tensor>(this, y);
  }
  lt(y: Tensor | number): Tensor {
    return f.lt<Tensor>(this, y);
  }
  le(y: Tensor | number): Tensor {
    return f.le<Tensor>(this, y);
  }
  gt(y: Tensor | number): Tensor {
    return f.gt<Tensor>(this, y);
  }
  ge(y: Tensor | number): Tensor {
    return f.ge<Tensor>(this, y);
  }
  neg(): Tensor {
    return f.neg<Tensor>(this);
  }
  abs(): Tensor {
    return f.abs<Tensor>(this);
  }
  floor(): Tensor {
    return f.floor<Tensor>(this);
  }
  square(): Tensor {
    return f.mul<Tensor>(this, this);
  }
  sqrt(): Tensor {
    return f.sqrt<Tensor>(this);
  }
  exp(): Tensor {
    return f.exp<Tensor>(this);
  }
  log(): Tensor {
    return f.log<Tensor>(this);
  }
  log1p(): Tensor {
    return f.log1p<Tensor>(this);
  }
  expm1(): Tensor {
    return f.expm1<Tensor>(this);
  }
  tanh(): Tensor {
    return f.tanh<Tensor>(this);
  }
  sigmoid(): Tensor {
    return f.sigmoid<Tensor>(this);
  }
  softplus(): Tensor {
    return f.softplus<Tensor>(this);
  }
  sin(): Tensor {
    return f.sin<Tensor>(this);
  }
  cos(): Tensor {
    return f.cos<Tensor>(this);
  }
  lgamma(): Tensor {
    return f.lgamma<Tensor>(this);
  }
  digamma(): Tensor {
    return f.digamma<Tensor>(this);
  }
  erf(): Tensor {
    return f.erf<Tensor>(this);
  }
  erfinv(): Tensor {
    return f.erfinv<Tensor>(this);
  }
  cast(dtype: DType): Tensor {
    return f.cast<Tensor>(this, dtype);
  }
  stopGradient(): Tensor {
    return f.stopGradient<Tensor>(this);
  }
  sum(axes?: Axes): Tensor {
    return f.sum<Tensor>(this, axes);
  }
  mean(axes?: Axes): Tensor {
    return f.mean<Tensor>(this, axes);
  }
  max(axes?: Axes): Tensor {
    return f.max<Tensor>(this, axes);
  }
  min(axes?: Axes): Tensor {
    return f.min<Tensor>(this, axes);
  }
  logsumexp(axes?: Axes): Tensor {
    return f.logsumexp<Tensor>(this, axes);
  }
  argmax(axis: number): Tensor {
    return f.argmax<Tensor>(this, axis);
  }
  reshape(shape: Shape): Tensor {
    return f.reshape<Tensor>(this, shape);
  }
  broadcastTo(shape: Shape): Tensor {
    return f.broadcastTo<Tensor>(this, shape);
  }
  transpose(permutation?: readonly number[]): Tensor {
    return f.transpose<Tensor>(this, permutation);
  }
  slice(starts: readonly number[], sizes: readonly number[]): Tensor {
    return f.slice<Tensor>(this, starts, sizes);
  }
  narrow(axis: number, from: number, size: number): Tensor {
    return f.narrow<Tensor>(this, axis, from, size);
  }
  matmul(b: Tensor): Tensor {
    return f.matmul<Tensor>(this, b);
  }
  /** The element or part at these indices of the first axes: `m.at(i, j)` is `m.at(i).at(j)`. */
  at(...indices: readonly (Tensor | number)[]): Tensor {
    return indices.reduce<Tensor>((x, i) => f.at<Tensor>(x, i), this);
  }
  gather(indices: Tensor): Tensor {
    return f.gather<Tensor>(this, indices);
  }
}
