import type { TypedArray } from "../base/dtype.ts";
import { allocate, isFloat } from "../base/dtype.ts";
import { sameShape, sizeOf, stridesOf } from "../base/shape.ts";
import { type Graph, nodesOf } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import { opRow } from "../ops/table.ts";
import { createTrace } from "../ops/trace.ts";
import type { Trace } from "../ops/vocabulary.ts";

/** Rewrites one node whose operands are already simple: the better node, or null when the rule does not apply. */
type Rule = (b: Trace, node: Node) => Node | null;

const valueOf = (node: Node): number | null => (node.op === "const" ? (node.attrs.value as number) : null);
const isValue = (node: Node, value: number): boolean => node.op === "const" && Object.is(node.attrs.value, value);

/** Exact in any arithmetic, so folding them never differs from running them. Transcendentals are left to the kernels. */
const FOLDABLE = new Set([
  "neg", "abs", "sign", "floor", "sqrt", "add", "sub", "mul", "div", "rem", "minimum", "maximum", "and", "or", "xor", "not",
  "eq", "ne", "lt", "le", "gt", "ge", "shl", "shr", "rotl", "select", "cast", "bitcast",
]); // biome-ignore format: a list

const foldConstants: Rule = (b, node) => {
  if (!FOLDABLE.has(node.op) || !node.inputs.every((x) => x.op === "const")) return null;
  const scalar = { ...node, shape: [] };
  const args = node.inputs.map((x): TypedArray => {
    const one = allocate(x.dtype, 1);
    one[0] = valueOf(x)!;
    return one;
  });
  return b.constant(opRow(node.op).evaluate(args, scalar)[0]!, node.dtype, node.shape);
};

const movementOfConstant: Rule = (b, node) => {
  if (!["broadcast", "reshape", "transpose", "slice"].includes(node.op)) return null;
  const value = valueOf(node.inputs[0]!);
  return value === null ? null : b.constant(value, node.dtype, node.shape);
};

/** Neutral elements. Nothing that could turn a NaN into a number: x·0 stays. */
const neutral: Rule = (_b, node) => {
  const [x, y] = node.inputs as [Node, Node];
  switch (node.op) {
    case "add":
      if (isValue(y, -0) || isValue(y, 0)) return x;
      return isValue(x, 0) ? y : null;
    case "sub":
      return isValue(y, 0) ? x : null;
    case "mul":
      return isValue(y, 1) ? x : isValue(x, 1) ? y : null;
    case "div":
      return isValue(y, 1) ? x : null;
    default:
      return null;
  }
};

/** Division by a power of two is exact as a multiplication. */
const divideByPowerOfTwo: Rule = (b, node) => {
  if (node.op !== "div" || !isFloat(node.dtype)) return null;
  const value = valueOf(node.inputs[1]!);
  if (value === null) return null;
  const power = Math.round(Math.log2(Math.abs(value)));
  if (Math.abs(value) !== 2 ** power || Math.abs(power) > 100) return null;
  return b.mul(node.inputs[0]!, 1 / value);
};

const inverseMovement: Rule = (b, node) => {
  const x = node.inputs[0];
  if (!x) return null;
  if (node.op === "reshape") {
    if (sameShape(x.shape, node.shape)) return x;
    return x.op === "reshape" ? b.reshape(x.inputs[0]!, node.shape) : null;
  }
  if (node.op === "transpose") {
    const p = node.attrs.permutation as readonly number[];
    if (p.every((axis, i) => axis === i)) return x;
    if (x.op !== "transpose") return null;
    const q = x.attrs.permutation as readonly number[];
    return b.transpose(x.inputs[0]!, p.map((axis) => q[axis]!)); // biome-ignore format: short
  }
  if (node.op === "broadcast") {
    if (sameShape(x.shape, node.shape)) return x;
    if (x.op !== "broadcast") return null;
    const outer = node.attrs.dims as readonly number[];
    return b.broadcast(x.inputs[0]!, node.shape, (x.attrs.dims as readonly number[]).map((d) => outer[d]!)); // biome-ignore format: short
  }
  if (node.op === "slice") {
    if (sameShape(x.shape, node.shape)) return x;
    if (x.op !== "slice") return null;
    const inner = x.attrs.starts as readonly number[];
    return b.slice(x.inputs[0]!, (node.attrs.starts as readonly number[]).map((s, i) => s + inner[i]!), node.shape); // biome-ignore format: short
  }
  if (node.op === "pad") {
    return sameShape(x.shape, node.shape) ? x : null;
  }
  return node.op === "neg" && x.op === "neg" ? x.inputs[0]! : null;
};

const swapsLastTwo = (node: Node): boolean => {
  if (node.op !== "transpose") return false;
  const p = node.attrs.permutation as readonly number[];
  const r = p.length;
  return r >= 2 && p[r - 1] === r - 2 && p[r - 2] === r - 1 && p.slice(0, -2).every((axis, i) => axis === i);
};

/** A transposed operand becomes a flag of the product. */
const transposeIntoMatmul: Rule = (b, node) => {
  if (node.op !== "matmul") return null;
  const [x, y] = node.inputs as [Node, Node];
  const { transA, transB } = node.attrs as { transA: boolean; transB: boolean };
  if (swapsLastTwo(x)) return b.matmul(x.inputs[0]!, y, !transA, transB);
  if (swapsLastTwo(y)) return b.matmul(x, y.inputs[0]!, transA, !transB);
  return null;
};

/** Σ over an axis that was made by copying: one multiplication. */
const sumOfBroadcast: Rule = (b, node) => {
  const value = node.op === "sum" ? valueOf(node.inputs[0]!) : null;
  if (value === null) return null;
  const copies = sizeOf((node.attrs.axes as number[]).map((axis) => node.inputs[0]!.shape[axis]!));
  return b.constant(copies ? value * copies : 0, node.dtype, node.shape);
};

/** A reduction over all axes goes in two steps, inner axes first: sums of sums lose less, and threads can share the first. */
const reduceInTwo: Rule = (b, node) => {
  if (node.op !== "sum" && node.op !== "max") return null;
  const x = node.inputs[0]!;
  const axes = node.attrs.axes as readonly number[];
  if (axes.length < 2 || axes.length < x.shape.length || x.shape[0]! < 2) return null;
  return node.op === "sum" ? b.sum(b.sum(x, axes.slice(1)), [0]) : b.max(b.max(x, axes.slice(1)), [0]);
};

/** An index that is c + Σ s_i·(coordinate i), none of them negative: [c, s_0, s_1, …], or null. Looks at a few nodes only. */
function affine({ op, inputs, attrs, shape }: Node, depth = 8): number[] | null {
  if (op === "iota") return [0, ...shape.map((_, axis) => +(axis === attrs.axis))];
  if (op === "const") return [attrs.value as number, ...shape.map(() => 0)];
  const [x, y] = inputs;
  const p = depth && x && /[iu]32/.test(x.dtype) && affine(x, depth - 1);
  if (!p) return null;
  if (op === "cast") return p;
  if (op === "broadcast") return [p[0]!, ...shape.map((_, axis) => p[(attrs.dims as number[]).indexOf(axis) + 1 || NaN] ?? 0)]; // biome-ignore format: short
  const q = y && affine(y, depth - 1);
  if (!q) return null;
  if (op === "add") return p.map((s, i) => s + q[i]!);
  const value = valueOf(y);
  if (value === null || value < 0) return null;
  if (op === "mul") return p.map((s) => s * value);
  // A clamp that changes nothing.
  const last = p.reduce((n, s, i) => n + s * (shape[i - 1]! - 1));
  return (op === "maximum" ? value <= p[0]! : op === "minimum" && value >= last) ? p : null;
}

/** Rows that are taken or added in their order, as a plate does with its data: a slice, or all there is. */
const rowsInOrder: Rule = (b, node) => {
  const scatter = node.op === "scatterAdd";
  if (!scatter && node.op !== "gather") return null;
  const [x, { shape }] = node.inputs as [Node, Node];
  const [at, ...strides] = affine(node.inputs[1]!) ?? [];
  const wanted = stridesOf(shape);
  const size = sizeOf(shape);
  const [rows, ...rest] = (scatter ? node : x).shape as [number];
  if (!(at! >= 0 && at! + size <= rows) || shape.some((d, i) => d > 1 && strides[i] !== wanted[i])) return null;
  const none = rest.map(() => 0);
  if (scatter) return b.pad(b.reshape(x, [size, ...rest]), [at!, ...none], [rows - at! - size, ...none]);
  return b.reshape(size === rows ? x : b.slice(x, [at!, ...none], [size, ...rest]), node.shape);
};

type Pieces = readonly (readonly [start: number, piece: Node])[];

/** What a pad or a concat is made of along its one axis; between the pieces it is 0. */
function piecesOf({ op, inputs, attrs, shape }: Node): { axis: number; pieces: Pieces } | null {
  if (op === "concat") {
    const axis = attrs.axis as number;
    let end = 0;
    const all = inputs.map((x) => [(end += x.shape[axis]!) - x.shape[axis]!, x] as const);
    return { axis, pieces: all.filter(([, x]) => !isValue(x, 0)) };
  }
  if (op !== "pad") return null;
  const x = inputs[0]!;
  const grown = shape.flatMap((d, axis) => (d === x.shape[axis] ? [] : axis));
  const axis = grown[0]!;
  if (grown.length !== 1) return null;
  const low = (attrs.low as number[])[axis]!;
  const inner = piecesOf(x);
  const pieces: Pieces = inner?.axis === axis ? inner.pieces : [[0, x]];
  return { axis, pieces: pieces.map(([start, piece]) => [start + low, piece]) };
}

/** Sums of tensors that are 0 where the others are not, as gradients of slices are: one concatenation. */
const joinPieces: Rule = (b, node) => {
  const [p, q] = node.op === "add" ? node.inputs.map(piecesOf) : [];
  if (!p || !q || p.axis !== q.axis) return null;
  const { axis } = p;
  const parts: Node[] = [];
  let end = 0;
  const zeros = (until: number) => {
    if (until > end) parts.push(b.constant(0, node.dtype, node.shape.with(axis, until - end)));
  };
  for (const [start, piece] of [...p.pieces, ...q.pieces].sort(([x], [y]) => x - y)) {
    if (start < end) return null;
    zeros(start);
    parts.push(piece);
    end = start + piece.shape[axis]!;
  }
  zeros(node.shape[axis]!);
  return b.concat(parts, axis);
};

/** The rules, tried in order on every node until none applies. */
const RULES: readonly Rule[] = [
  foldConstants,
  movementOfConstant,
  neutral,
  divideByPowerOfTwo,
  inverseMovement,
  transposeIntoMatmul,
  sumOfBroadcast,
  reduceInTwo,
  rowsInOrder,
  joinPieces,
];

/**
 * Rebuilds the graph with the rules applied, ops without an emitter lowered to others, and everything unused gone.
 *
 * @param keeps  whether the backend evaluates this op itself; the others are lowered by their row
 */
export function simplify(graph: Graph, keeps: (op: string) => boolean): Graph {
  const b = createTrace();
  const done = new Map<Node, Node>();
  const settle = (start: Node): Node => {
    let node = start;
    for (let turn = 0; turn < 32; turn++) {
      let next: Node | null = null;
      for (const rule of RULES) {
        next = rule(b, node);
        if (next) break;
      }
      if (!next || next === node) break;
      node = next;
    }
    return node;
  };
  const rebuild = (node: Node, map: Map<Node, Node>): Node => {
    if (node.op === "input") return b.input(node.attrs.name as string, node.dtype, node.shape);
    if (node.op === "const") return b.constant(node.attrs.value as number, node.dtype, node.shape);
    const copy = b.builder.append(node.op, node.inputs.map((x) => map.get(x)!), node.attrs); // biome-ignore format: short
    const row = opRow(node.op);
    if (row.lower && !keeps(node.op)) return settleTree(row.lower(b, copy), copy);
    return settle(copy);
  };
  /** Simplifies what a lowering made; its operands are simple already. */
  const settleTree = (root: Node, below: Node): Node => {
    const map = new Map<Node, Node>(below.inputs.map((x) => [x, x]));
    const visit = (node: Node): Node => {
      const known = map.get(node) ?? (node.inputs.length ? undefined : node);
      if (known) return known;
      for (const x of node.inputs) visit(x);
      const made = rebuild(node, new Map(node.inputs.map((x) => [x, visit(x)])));
      map.set(node, made);
      return made;
    };
    return visit(root);
  };
  for (const node of nodesOf(graph)) done.set(node, rebuild(node, done));
  /** A result that is a state or input itself must be taken before that may be overwritten. */
  const own = (name: string, node: Node): Node =>
    node.op === "input" && node.attrs.name !== name ? b.builder.append("copy", [node]) : node;
  return { outputs: new Map([...graph.outputs].map(([name, node]) => [name, own(name, done.get(node)!)])) };
}
