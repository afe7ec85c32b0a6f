import type { DType, TypedArray } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Builder, InferRule } from "../ir/builder.ts";
import type { Graph } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";

/** Elementwise ops of one operand. A new one is a name here and a row in scalar.ts; the compiler finds what is missing. */
export type UnaryName =
  | "neg" | "abs" | "sign" | "floor" | "sqrt" | "exp" | "log" | "log1p" | "expm1" | "tanh" | "sigmoid" | "softplus"
  | "sin" | "cos" | "lgamma" | "digamma" | "erf" | "erfinv" | "not"; // biome-ignore format: a list

/** Elementwise ops of two operands of one dtype. */
export type BinaryName = "add" | "sub" | "mul" | "div" | "rem" | "pow" | "minimum" | "maximum" | "and" | "or" | "xor";

/** Elementwise comparisons: bool results. */
export type CompareName = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** Elementwise integer ops whose second operand is a constant number of bits. */
export type ShiftName = "shl" | "shr" | "rotl";

export type Operand = Node | number;

/** What rules and callers append with: one method an op, over one builder. Numbers become constants of the other operand's type. */
export type Trace = { readonly builder: Builder } & { readonly [K in UnaryName]: (x: Node) => Node } & {
  readonly [K in BinaryName | CompareName]: (x: Operand, y: Operand) => Node;
} & { readonly [K in ShiftName]: (x: Node, bits: number) => Node } & {
  input(name: string, dtype: DType, shape: Shape): Node;
  constant(value: number, dtype: DType, shape?: Shape): Node;
  /** A constant of the dtype and shape of `like`. */
  fill(like: Node, value: number): Node;
  select(condition: Node, whenTrue: Operand, whenFalse: Operand): Node;
  /** Value conversion; float to int truncates towards zero and saturates, NaN gives 0; anything to bool is x ≠ 0. */
  cast(x: Node, to: DType): Node;
  /** The same 32 bits read as another 32-bit dtype. */
  bitcast(x: Node, to: DType): Node;
  /** Reductions drop the reduced axes. */
  sum(x: Node, axes: readonly number[]): Node;
  max(x: Node, axes: readonly number[]): Node;
  /** Index (u32) of the first greatest element along one axis. */
  argmax(x: Node, axis: number): Node;
  logsumexp(x: Node, axes: readonly number[]): Node;
  /** 0, 1, 2, … along `axis`. */
  iota(dtype: DType, shape: Shape, axis: number): Node;
  reshape(x: Node, shape: Shape): Node;
  /** Input axis i becomes output axis dims[i] (increasing); the others are new. */
  broadcast(x: Node, shape: Shape, dims: readonly number[]): Node;
  /** Output axis i is input axis permutation[i]. */
  transpose(x: Node, permutation: readonly number[]): Node;
  slice(x: Node, starts: readonly number[], sizes: readonly number[]): Node;
  /** Zeros around x. */
  pad(x: Node, low: readonly number[], high: readonly number[]): Node;
  concat(parts: readonly Node[], axis: number): Node;
  /** Rows x[indices]: shape indices.shape ++ x.shape[1:]. An index outside is clamped to the nearest row. */
  gather(x: Node, indices: Node): Node;
  /** zeros([rows, …]) with each update row added at its index: the adjoint of gather. */
  scatterAdd(updates: Node, indices: Node, rows: number): Node;
  /** op(A) op(B) over equal leading axes; a transposed operand is stored with its last two axes exchanged. */
  matmul(a: Node, b: Node, transA?: boolean, transB?: boolean): Node;
  stopGradient(x: Node): Node;
  /** The value y; its gradient goes to `xs` by `rule`, and not into how y was made. */
  customVjp(y: Node, xs: readonly Node[], rule: CustomRule): Node;
  /** A permutation of 0 … n−1 from n random words: Fisher and Yates, driven by bits[i]. */
  shuffle(bits: Node): Node;
};

export type CustomRule = (b: Trace, g: Node, y: Node, xs: readonly Node[]) => readonly (Node | null)[];

/** Reverse-mode differentiation and vectorisation, as the rules of an op with a body of its own are handed them. */
export type Differentiate = (
  b: Trace,
  outputs: readonly Node[],
  cotangents: readonly Node[],
  wrt: readonly Node[],
) => Node[];
export type Vectorise = (
  b: Trace,
  outputs: readonly Node[],
  replacements: ReadonlyMap<Node, Node>,
  size: number,
) => Node[];

/**
 * One row of the op table: all that an op means. Emitters of a backend are the only other place that knows it.
 * `null` says "not offered".
 */
export interface Op {
  readonly infer: InferRule;
  /** Cotangents of the operands from the cotangent of the result; null where nothing flows. */
  readonly vjp: ((b: Trace, g: Node, node: Node, vjp: Differentiate) => readonly (Node | null)[]) | null;
  /** The op over operands of which some have a new leading axis of length `size`; the result has it too. */
  readonly batch: (
    b: Trace,
    args: readonly Node[],
    batched: readonly boolean[],
    node: Node,
    size: number,
    vmap: Vectorise,
  ) => Node;
  /** The meaning, as plain loops: the oracle. */
  readonly evaluate: (args: readonly TypedArray[], node: Node) => TypedArray;
  /** The op in terms of others, for backends without an emitter of their own. */
  readonly lower?: (b: Trace, node: Node) => Node;
  /** Rewrites a simplified graph that holds the op: for what needs the users of its nodes. `simplify` is for graphs inside it. */
  readonly tidy?: (graph: Graph, simplify: (graph: Graph) => Graph) => Graph;
}
