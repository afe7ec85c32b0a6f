import type { DType } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { broadcastShapes, normalizeAxis, type Shape, sameShape, showShape, sizeOf } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import { offsetIndices } from "../ops/gather.ts";
import type { BinaryName, CompareName, UnaryName } from "../ops/vocabulary.ts";
import type { Value } from "./value.ts";

type Axes = number | readonly number[];

/** Copies x along new or size-1 axes until it has `shape`, aligned at the last axis (NumPy's rule). */
export function broadcastTo<T extends Value>(x: T, shape: Shape): T {
  return x.of(broadcastNode(x, shape));
}

function broadcastNode({ node, trace }: Value, shape: Shape): Node {
  if (sameShape(node.shape, shape)) return node;
  if (!sameShape(broadcastShapes(node.shape, shape) ?? [], shape)) {
    throw new ShapeError(
      `${showShape(node.shape)} does not broadcast to ${showShape(shape)}: sizes must agree, or be 1`,
    );
  }
  const lead = shape.length - node.shape.length;
  const dims: number[] = [];
  for (const [axis, size] of node.shape.entries()) if (size === shape[axis + lead]) dims.push(axis + lead);
  const squeezed = node.shape.filter((size, axis) => size === shape[axis + lead]);
  return trace.broadcast(trace.reshape(node, squeezed), shape, dims);
}

/** Several operands, of which some may be numbers, at one common shape. */
function aligned<T extends Value>(op: string, operands: readonly (T | number)[]): { like: T; nodes: Node[] } {
  for (const x of operands as readonly unknown[]) {
    if (typeof x === "number" || (x as Value | null | undefined)?.node) continue;
    const what =
      Array.isArray(x) || ArrayBuffer.isView(x)
        ? "an array: arrays become tensors as fields of the model's data"
        : String(x);
    throw new TypeError(`${op} takes tensors and numbers, but was given ${what}`);
  }
  const like = operands.find((x): x is T => typeof x !== "number");
  if (!like) throw new TypeError(`${op} of numbers alone: compute it in JavaScript`);
  let shape: Shape = [];
  for (const x of operands) {
    if (typeof x === "number") continue;
    const joint = broadcastShapes(shape, x.node.shape);
    if (!joint) {
      const shown = operands.map((o) => (typeof o === "number" ? String(o) : showShape(o.node.shape))).join(" and ");
      throw new ShapeError(
        `${op} of shapes ${shown}, which do not broadcast: sizes must agree from the last axis on, or be 1`,
      );
    }
    shape = joint;
  }
  const nodes = operands.map((x) =>
    typeof x === "number" ? like.trace.constant(x, like.node.dtype, shape) : broadcastNode(x, shape),
  );
  return { like, nodes };
}

const unary =
  (op: UnaryName) =>
  <T extends Value>(x: T): T =>
    x.of(x.trace[op](x.node));

const binary =
  (op: BinaryName | CompareName) =>
  <T extends Value>(x: T | number, y: T | number): T => {
    const { like, nodes } = aligned(op, [x, y]);
    return like.of(like.trace[op](nodes[0]!, nodes[1]!));
  };

/** −x, element by element. */
export const neg = unary("neg");
/** |x|, element by element; its gradient at 0 is 0. */
export const abs = unary("abs");
/** −1, 0 or 1. */
export const sign = unary("sign");
/** The greatest whole number that is not above; its gradient is 0. */
export const floor = unary("floor");
/** √x, element by element; NaN below 0. */
export const sqrt = unary("sqrt");
/** e^x, element by element. */
export const exp = unary("exp");
/** The natural logarithm, element by element; −∞ at 0, NaN below. */
export const log = unary("log");
/** log(1 + x), exact near 0. */
export const log1p = unary("log1p");
/** e^x − 1, exact near 0. */
export const expm1 = unary("expm1");
/** The hyperbolic tangent, element by element. */
export const tanh = unary("tanh");
/** 1 / (1 + e^−x). */
export const sigmoid = unary("sigmoid");
/** log(1 + e^x). */
export const softplus = unary("softplus");
/** sin x, x in radians. */
export const sin = unary("sin");
/** cos x, x in radians. */
export const cos = unary("cos");
/** log |Γ(x)|. */
export const lgamma = unary("lgamma");
/** The derivative of `lgamma`. */
export const digamma = unary("digamma");
/** The error function. */
export const erf = unary("erf");
/** The inverse of `erf`, on (−1, 1). */
export const erfinv = unary("erfinv");
/** Of bool tensors, or bit by bit of integers. */
export const not = unary("not");

/** x + y, elementwise; shapes broadcast as in NumPy, and so in all functions of two arguments. @throws ShapeError where they do not */
export const add = binary("add");
/** x − y, element by element; shapes broadcast. */
export const sub = binary("sub");
/** x · y, element by element; shapes broadcast. `matmul` is the product of matrices. */
export const mul = binary("mul");
/** x / y, element by element; shapes broadcast. A division by 0 gives ±∞ or NaN. */
export const div = binary("div");
/** Of integers: what is left of x / y rounded toward 0, with the sign of x; 0 where y is 0. */
export const rem = binary("rem");
/** x to the power y, element by element; NaN where x is negative and y no whole number. */
export const pow = binary("pow");
/** The smaller of the two, elementwise. */
export const minimum = binary("minimum");
/** The larger of the two, elementwise. */
export const maximum = binary("maximum");
/** Of bool tensors, or bit by bit of integers; so `or` and `xor`. */
export const and = binary("and");
/** Whether x or y is true, element by element. */
export const or = binary("or");
/** Whether one of x and y alone is true, element by element. */
export const xor = binary("xor");
/** Whether x = y, elementwise: a bool tensor, for `where`; so `ne`, `lt`, `le`, `gt` and `ge`. */
export const eq = binary("eq");
/** Whether x and y differ, element by element. */
export const ne = binary("ne");
/** Whether x < y, element by element. */
export const lt = binary("lt");
/** Whether x ≤ y, element by element. */
export const le = binary("le");
/** Whether x > y, element by element. */
export const gt = binary("gt");
/** Whether x ≥ y, element by element. */
export const ge = binary("ge");

/** `x` where the condition holds, else `y`; all broadcast. Two numbers are f64. */
export function where<T extends Value>(given: T, x: T | number, y: T | number): T {
  const condition = given.node.dtype === "bool" ? given : ne(given, 0);
  const numbers = typeof x === "number" && typeof y === "number";
  const { like, nodes } = aligned("where", [numbers ? full(condition, [], x, "f64") : x, y]);
  const shape = broadcastShapes(nodes[0]!.shape, condition.node.shape);
  if (!shape)
    throw new ShapeError(
      `where: a condition of shape ${showShape(condition.node.shape)} for ${showShape(nodes[0]!.shape)}`,
    );
  const [a, b] = nodes.map((n) => broadcastNode(like.of(n), shape)) as [Node, Node];
  return like.of(like.trace.select(broadcastNode(condition, shape), a, b));
}

/** The same values in another type. */
export const cast = <T extends Value>(x: T, dtype: DType): T => x.of(x.trace.cast(x.node, dtype));
/** The same bits as another type of the same size. */
export const bitcast = <T extends Value>(x: T, dtype: DType): T => x.of(x.trace.bitcast(x.node, dtype));
/** The same value, taken for a constant by `gradient`. */
export const stopGradient = <T extends Value>(x: T): T => x.of(x.trace.stopGradient(x.node));

const axesOf = (x: Value, axes?: Axes): number[] => {
  const rank = x.node.shape.length;
  if (axes === undefined) return x.node.shape.map((_, axis) => axis);
  return (typeof axes === "number" ? [axes] : [...axes]).map((axis) => normalizeAxis(axis, rank)).sort((p, q) => p - q);
};

/** Sum over the given axes, all by default; they are dropped. */
export const sum = <T extends Value>(x: T, axes?: Axes): T => x.of(x.trace.sum(x.node, axesOf(x, axes)));
/** Greatest element over the given axes. */
export const max = <T extends Value>(x: T, axes?: Axes): T => x.of(x.trace.max(x.node, axesOf(x, axes)));
/** Least element over the given axes. */
export const min = <T extends Value>(x: T, axes?: Axes): T => neg(max(neg(x), axes));
/** log Σ e^x over the given axes, without overflow. */
export const logsumexp = <T extends Value>(x: T, axes?: Axes): T => x.of(x.trace.logsumexp(x.node, axesOf(x, axes)));
/** Arithmetic mean over the given axes. */
export function mean<T extends Value>(x: T, axes?: Axes): T {
  const over = axesOf(x, axes);
  return mul(sum(x, over), 1 / sizeOf(over.map((axis) => x.node.shape[axis]!)));
}
/** Index (u32) of the first greatest element along an axis. */
export const argmax = <T extends Value>(x: T, axis: number): T =>
  x.of(x.trace.argmax(x.node, normalizeAxis(axis, x.node.shape.length)));

/** The same values, row-major, in another shape of as many. One size may be −1: what the others leave. */
export const reshape = <T extends Value>(x: T, shape: Shape): T => {
  const rest = sizeOf(x.node.shape) / -sizeOf(shape);
  return x.of(x.trace.reshape(x.node, rest >= 0 && rest % 1 === 0 ? shape.map((d) => (d === -1 ? rest : d)) : shape));
};

/** Reorders the axes; without a permutation, exchanges the last two. */
export function transpose<T extends Value>(x: T, permutation?: readonly number[]): T {
  const rank = x.node.shape.length;
  const order = permutation ?? [...Array(rank - 2).keys(), rank - 1, rank - 2];
  return x.of(x.trace.transpose(x.node, order));
}

/** `sizes` elements from `starts`, on every axis. */
export const slice = <T extends Value>(x: T, starts: readonly number[], sizes: readonly number[]): T =>
  x.of(x.trace.slice(x.node, starts, sizes));

/** Elements `from` … `from + size − 1` along one axis. */
export function narrow<T extends Value>(x: T, axis: number, from: number, size: number): T {
  const { shape } = x.node;
  const at = normalizeAxis(axis, shape.length);
  return slice(x, shape.map((_, d) => (d === at ? from : 0)), shape.with(at, size)); // biome-ignore format: short
}

/** Zeros around: so many before and after along each axis. */
export const pad = <T extends Value>(x: T, low: readonly number[], high: readonly number[]): T =>
  x.of(x.trace.pad(x.node, low, high));

/** Joins tensors along an axis, the first if none is named. @throws ShapeError where other axes differ */
export function concat<T extends Value>(parts: readonly T[], axis = 0): T {
  const first = parts[0];
  if (!first) throw new ShapeError("concat of no tensors");
  const nodes = parts.map((p) => p.node);
  return first.of(first.trace.concat(nodes, normalizeAxis(axis, first.node.shape.length)));
}

/** Joins tensors, and numbers among them, along a new axis, the first if none is named. */
export const stack = <T extends Value>(parts: readonly (T | number)[], axis = 0): T => {
  const { like, nodes } = aligned("stack", parts);
  const at = normalizeAxis(axis, nodes[0]!.shape.length + 1);
  return concat(nodes.map((n) => reshape(like.of(n), n.shape.toSpliced(at, 0, 1))), at); // biome-ignore format: short
};

/** Data are floating-point, indices among them too. */
const whole = (indices: Value): Node => (indices.node.dtype[0] === "f" ? cast(indices, "i32") : indices).node;

/** Rows x[indices] along the first axis: shape indices.shape ++ x.shape[1:]. Indices are whole numbers in any dtype. */
export const gather = <T extends Value>(x: T, indices: T): T => x.of(x.trace.gather(x.node, whole(indices)));

/**
 * x[i, j, …] along the first axes, by numbers, negative ones from the end, or tensors of whole numbers in any dtype. Tensors go together and broadcast, as NumPy's:
 * with i and j of shape [n] the result has n parts, x[i_1, j_1] and so on, and x[i, 0] has those of column 0.
 */
export function at<T extends Value>(x: T, ...indices: readonly (T | number)[]): T {
  let part = x;
  let lead: Shape = []; // the axes that the indices before have made
  for (const index of indices) {
    const axis = lead.length;
    const rows = part.node.shape[axis]!;
    const after = part.node.shape.slice(axis + 1);
    if (typeof index === "number")
      part = reshape(narrow(part, axis, index < 0 ? index + rows : index, 1), [...lead, ...after]);
    else if (axis) {
      // An element's own rows stand together among all of them.
      const [own, shared] = aligned("at", [index, full(index, lead, 0)]).nodes as [Node, Node];
      lead = shared.shape;
      part = reshape(broadcastTo(part, [...lead, rows, ...after]), [-1, ...after]);
      const flat = cast(reshape(index.of(own), [-1]), "u32").node;
      part = reshape(gather(part, x.of(offsetIndices(x.trace, flat, rows, sizeOf(lead), true))), [...lead, ...after]);
    } else {
      part = gather(part, cast(index, "u32"));
      lead = index.node.shape;
    }
  }
  return part;
}

/** zeros([rows, …]) with each update added at its index, a whole number in any dtype. */
export const scatterAdd = <T extends Value>(updates: T, indices: T, rows: number): T =>
  updates.of(updates.trace.scatterAdd(updates.node, whole(indices), rows));

/** Matrix product over the last two axes; leading axes broadcast. */
export function matmul<T extends Value>(a: T, b: T): T {
  const [ra, rb] = [a.node.shape.slice(0, -2), b.node.shape.slice(0, -2)];
  const lead = broadcastShapes(ra, rb);
  if (!lead)
    throw new ShapeError(
      `matmul of ${showShape(a.node.shape)} by ${showShape(b.node.shape)}: leading axes do not broadcast`,
    );
  const left = broadcastNode(a, [...lead, ...a.node.shape.slice(-2)]);
  const right = broadcastNode(b, [...lead, ...b.node.shape.slice(-2)]);
  return a.of(a.trace.matmul(left, right));
}

/** A tensor of `like`'s dtype (or the given one) whose elements all are `value`. */
export const full = <T extends Value>(like: T, shape: Shape, value: number, dtype: DType = like.node.dtype): T =>
  like.of(like.trace.constant(value, dtype, shape));

/** 0, 1, 2, … along one axis. */
export const iota = <T extends Value>(like: T, shape: Shape, axis: number, dtype: DType = "u32"): T =>
  like.of(like.trace.iota(dtype, shape, axis));

/** A random permutation of 0 … n−1 from n random u32 words. */
export const shuffle = <T extends Value>(words: T): T => words.of(words.trace.shuffle(words.node));

/** softmax along the last axis. */
export const softmax = <T extends Value>(x: T): T =>
  exp(sub(x, reshape(logsumexp(x, -1), [...x.node.shape.slice(0, -1), 1])));

/** The value `y`, whose gradient goes to `xs` by `rule(g, y, xs)` and not into how y was made. */
export function customVjp<T extends Value>(
  y: T,
  xs: readonly T[],
  rule: (g: T, y: T, xs: readonly T[]) => readonly (T | null)[],
): T {
  const nodes = xs.map((x) => x.node);
  return y.of(
    y.trace.customVjp(y.node, nodes, (_b, g, value, args) =>
      rule(y.of(g), y.of(value), args.map((x) => y.of(x))).map((t) => t?.node ?? null)), // biome-ignore format: short
  );
}
