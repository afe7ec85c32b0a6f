import { type DType, isFloat } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { cumsumNode, cumulative } from "../../src/ops/cumulative.ts";
import { choleskyNode, linalg, solveNode } from "../../src/ops/linalg.ts";
import { extendOps } from "../../src/ops/table.ts";
import type { UnaryName } from "../../src/ops/vocabulary.ts";
import { type Entry, epsilon, exact, moved, type Pool, rounded, summed } from "./graph-pool.ts";

extendOps(linalg);
extendOps(cumulative);

const FLOATS: readonly DType[] = ["f32", "f64"];
const NUMBERS: readonly DType[] = ["f32", "f32", "f64", "i32", "u32"];
const INTS: readonly DType[] = ["i32", "u32"];
const ALL: readonly DType[] = ["f32", "f64", "i32", "u32", "u8", "bool"];

const WIDE: Partial<Record<DType, number>> = { i32: 2 ** 31, u32: 2 ** 32 };
/** Integers wrap; floats stay far from overflow. */
const LARGEST = 1e4;

/** Appends one op to the graph, of about this shape; null when it does not apply here. */
export type Move = (p: Pool, shape: Shape) => Entry | null;

const tame = (p: Pool, e: Entry): Entry => (isFloat(e.node.dtype) ? p.clamp(e, LARGEST) : e);

const arithmetic: Move = (p, shape) => {
  const dtype = p.random.pick(NUMBERS);
  const [x, y] = [tame(p, p.like(dtype, shape)), tame(p, p.like(dtype, shape))];
  const name = p.random.pick(["add", "sub", "mul", "minimum", "maximum"] as const);
  const node = p.random.chance(0.1) ? p.b[name](x.node, x.node) : p.b[name](x.node, y.node);
  if (!isFloat(dtype)) return exact(node, WIDE[dtype]!, 0);
  const top = Math.max(x.bound, y.bound);
  const grid = Math.max(x.grid, y.grid);
  const [worst, both] = [Math.max(x.error, y.error), x.error + y.error];
  const error = name === "mul" ? 2 * top * worst + worst * worst : name === "add" || name === "sub" ? 2 * both : worst;
  const bound = name === "mul" ? top * top : name === "add" || name === "sub" ? 2 * top : top;
  const result = exact(node, bound, name === "mul" ? 2 * grid : grid);
  return tame(p, error === 0 ? result : rounded(node, bound, error + epsilon(dtype) * bound));
};

/** Division of integers has rows for 0; of floats the divisor is kept away from it. */
const division: Move = (p, shape) => {
  const dtype = p.random.pick(NUMBERS);
  const x = tame(p, p.like(dtype, shape));
  if (!isFloat(dtype)) {
    const y = p.like(dtype, shape);
    return exact(p.random.chance(0.5) ? p.b.div(x.node, y.node) : p.b.rem(x.node, y.node), WIDE[dtype]!, 0);
  }
  if (p.random.chance(0.3)) return moved(p.b.div(x.node, p.random.pick([2, 4, -8])), { ...x, grid: x.grid + 3 });
  const y = p.like(dtype, shape);
  const away = p.b.maximum(p.b.abs(y.node), 0.5);
  const bound = 2 * x.bound;
  const node = p.b.div(x.node, away);
  const error = 2 * x.error + 4 * x.bound * y.error;
  return tame(p, error === 0 ? exact(node, bound, Infinity) : rounded(node, bound, error + epsilon(dtype) * bound));
};

const simpleUnary: Move = (p, shape) => {
  const dtype = p.random.pick(NUMBERS);
  const name = p.random.pick(["neg", "abs", "sign", "floor", "sqrt"] as const);
  if ((name === "floor" || name === "sqrt") && !isFloat(dtype)) return null;
  const x = p.like(dtype, shape, name !== "neg" && name !== "abs");
  if (name === "sqrt") return exact(p.b.sqrt(p.b.abs(x.node)), Math.sqrt(x.bound) + 1, Infinity);
  const bound = !isFloat(dtype) ? WIDE[dtype]! : name === "sign" ? 1 : name === "floor" ? x.bound + 1 : x.bound;
  const node = p.b[name](x.node);
  return x.error ? rounded(node, bound, x.error) : exact(node, bound, name === "floor" || name === "sign" ? 0 : x.grid);
};

interface Smooth {
  readonly low: number;
  readonly high: number;
  readonly slope: number;
  readonly bound: number;
}
/** Where each function is used here, its steepest slope there, and its greatest magnitude. */
const SMOOTH: Partial<Record<UnaryName, Smooth>> = {
  exp: { low: -20, high: 3, slope: 21, bound: 21 },
  log: { low: 0.25, high: LARGEST, slope: 4, bound: 10 },
  log1p: { low: -0.75, high: LARGEST, slope: 4, bound: 10 },
  expm1: { low: -20, high: 3, slope: 21, bound: 21 },
  tanh: { low: -50, high: 50, slope: 1, bound: 1 },
  sigmoid: { low: -50, high: 50, slope: 0.25, bound: 1 },
  softplus: { low: -50, high: 50, slope: 1, bound: 51 },
  sin: { low: -LARGEST, high: LARGEST, slope: 1, bound: 1 },
  cos: { low: -LARGEST, high: LARGEST, slope: 1, bound: 1 },
  lgamma: { low: 0.25, high: 100, slope: 5, bound: 400 },
  digamma: { low: 0.25, high: 100, slope: 18, bound: 5 },
  erf: { low: -9, high: 9, slope: 1.2, bound: 1 },
  erfinv: { low: -0.9, high: 0.9, slope: 3.5, bound: 1.2 },
};

const smoothUnary: Move = (p, shape) => {
  const dtype = p.random.pick(FLOATS);
  const [name, s] = p.random.pick(Object.entries(SMOOTH)) as [UnaryName, Smooth];
  const x = p.within(p.like(dtype, shape), s.low, s.high);
  // The reference's special functions are good to about 1e-14.
  const own = Math.max(4 * epsilon(dtype), 2e-14) * s.bound;
  return rounded(p.b[name](x.node), s.bound, s.slope * x.error + own);
};

const power: Move = (p, shape) => {
  const dtype = p.random.pick(FLOATS);
  const [x, y] = [p.within(p.like(dtype, shape), 0.5, 4), p.within(p.like(dtype, shape), -3, 3)];
  return rounded(p.b.pow(x.node, y.node), 64, 48 * x.error + 89 * y.error + 4 * 64 * epsilon(dtype));
};

const comparison: Move = (p, shape) => {
  const dtype = p.random.pick(ALL);
  const [x, y] = [p.like(dtype, shape, true), p.like(dtype, shape, true)];
  const name = p.random.pick(["eq", "ne", "lt", "le", "gt", "ge"] as const);
  return exact(p.b[name](x.node, y.node), 1, 0);
};

const choice: Move = (p, shape) => {
  const dtype = p.random.pick(ALL);
  const [x, y] = [p.like(dtype, shape), p.like(dtype, shape)];
  const node = p.b.select(p.bool(shape).node, x.node, y.node);
  return { node, bound: Math.max(x.bound, y.bound), grid: Math.max(x.grid, y.grid), error: Math.max(x.error, y.error) };
};

const bits: Move = (p, shape) => {
  const dtype = p.random.pick(["i32", "u32", "bool"] as const);
  const [x, y] = [p.like(dtype, shape, true), p.like(dtype, shape, true)];
  const bound = WIDE[dtype] ?? 1;
  const name = p.random.pick(["and", "or", "xor", "not", "shl", "shr", "rotl"] as const);
  if (name === "not") return exact(p.b.not(x.node), bound, 0);
  if (name === "and" || name === "or" || name === "xor") return exact(p.b[name](x.node, y.node), bound, 0);
  return dtype === "bool" ? null : exact(p.b[name](x.node, 1 + p.random.below(31)), bound, 0);
};

const casting: Move = (p, shape) => {
  const to = p.random.pick(ALL);
  const from = p.random.pick(ALL);
  return p.cast(p.like(from, shape, !isFloat(to)), to);
};

const bitcasting: Move = (p, shape) => {
  const { b } = p;
  switch (p.random.below(3)) {
    case 0:
      return exact(b.bitcast(p.like("i32", shape).node, "u32"), 2 ** 32, 0);
    case 1:
      // Without its sign, as two implementations may differ in the sign of a zero.
      return exact(b.bitcast(b.abs(p.like("f32", shape, true).node), p.random.pick(["u32", "i32"])), 2 ** 31, 0);
    default:
      return exact(b.bitcast(b.and(p.like("u32", shape).node, 0x3fffffff), "f32"), 2, Infinity);
  }
};

const someAxes = (p: Pool, shape: Shape): number[] => {
  const axes = shape.map((_, i) => i).filter(() => p.random.chance(0.5));
  return axes.length ? axes : [p.random.below(shape.length)];
};

const reduction: Move = (p, shape) => {
  if (!shape.length) return null;
  const dtype = p.random.pick(NUMBERS);
  const axes = someAxes(p, shape);
  const terms = sizeOf(axes.map((axis) => shape[axis]!));
  const name = p.random.pick(["sum", "sum", "max", "logsumexp"] as const);
  if (name === "logsumexp") {
    if (!isFloat(dtype) || terms === 0) return null;
    const x = p.clamp(p.like(dtype, shape), 30);
    const bound = x.bound + Math.log(terms) + 1;
    return rounded(p.b.logsumexp(x.node, axes), bound, x.error + (terms + 8) * epsilon(dtype) * bound + 1e-13);
  }
  const x = tame(p, p.like(dtype, shape));
  if (name === "max") return terms === 0 ? null : moved(p.b.max(x.node, axes), x);
  const node = p.b.sum(x.node, axes);
  if (!isFloat(dtype)) return exact(node, WIDE[dtype]!, 0);
  return tame(p, summed(node, x.bound * Math.max(terms, 1), x.grid, x.error * terms, terms));
};

const position: Move = (p, shape) => {
  if (!shape.length || sizeOf(shape) === 0) return null;
  const axis = p.random.below(shape.length);
  return exact(p.b.argmax(p.like(p.random.pick(NUMBERS), shape, true).node, axis), shape[axis]!, 0);
};

const view: Move = (p, shape) => {
  const e = p.any();
  const { b, random } = p;
  const from = e.node.shape;
  switch (random.below(5)) {
    case 0:
      return from.length > 1 ? p.transpose(e) : null;
    case 1: {
      const starts = from.map((d) => random.below(d + 1));
      const sizes = from.map((d, i) => (d === 0 ? 0 : Math.max(1, random.below(d - starts[i]! + 1))));
      return moved(
        b.slice(
          e.node,
          starts.map((s, i) => Math.min(s, from[i]! - sizes[i]!)),
          sizes,
        ),
        e,
      );
    }
    case 2:
      // A reshape of a transpose.
      return from.length > 1 ? p.reshape(p.transpose(e), [sizeOf(from)]) : null;
    case 3: {
      const low = from.map(() => random.below(3));
      const high = from.map(() => random.below(2));
      return sizeOf(from) < 300 ? moved(b.pad(e.node, low, high), e) : null;
    }
    default:
      return p.bend(e, shape);
  }
};

const joining: Move = (p, shape) => {
  if (!shape.length) return null;
  const axis = p.random.chance(0.6) ? 0 : p.random.below(shape.length);
  const dtype = p.random.pick(ALL);
  const parts = Array.from({ length: 2 + p.random.below(2) }, () =>
    p.like(dtype, shape.with(axis, p.random.chance(0.7) ? shape[axis]! : p.random.below(5))),
  );
  if (p.random.chance(0.15)) parts[1] = parts[0]!;
  const worst = (key: "bound" | "grid" | "error") => Math.max(...parts.map((e) => e[key]));
  const node = p.b.concat(
    parts.map((e) => e.node),
    axis,
  );
  return { node, bound: worst("bound"), grid: worst("grid"), error: worst("error") };
};

const gathering: Move = (p, shape) => {
  const table = p.any((e) => e.node.shape.length > 0 && e.node.shape[0]! > 0);
  if (!table.node.shape.length) return null;
  const lead = shape.slice(0, p.random.below(shape.length + 1));
  const index = p.like(p.random.pick(INTS), lead, true);
  if (sizeOf(lead) * sizeOf(table.node.shape.slice(1)) > 1e5) return null;
  return moved(p.b.gather(table.node, index.node), table);
};

const scattering: Move = (p, shape) => {
  const lead = shape.slice(0, p.random.below(shape.length + 1));
  const dtype = p.random.pick(NUMBERS);
  const updates = tame(p, p.like(dtype, shape));
  const index = p.like(p.random.pick(INTS), lead, true);
  const node = p.b.scatterAdd(updates.node, index.node, 1 + p.random.below(6));
  const terms = Math.max(1, sizeOf(lead));
  if (!isFloat(dtype)) return exact(node, WIDE[dtype]!, 0);
  return tame(p, summed(node, updates.bound * terms, updates.grid, updates.error * terms, terms));
};

const product: Move = (p, shape) => {
  const dtype = p.random.pick(FLOATS);
  const [m, k, n] = [0, 1, 2].map(() => p.random.pick([...shape, 1, 2, 16, 17, 33])) as [number, number, number];
  const lead = p.random.chance(0.3) ? [p.random.pick([1, 2, 3])] : [];
  const [transA, transB] = [p.random.chance(0.5), p.random.chance(0.5)];
  const a = tame(p, p.like(dtype, [...lead, ...(transA ? [k, m] : [m, k])]));
  const c = tame(p, p.like(dtype, [...lead, ...(transB ? [n, k] : [k, n])]));
  const node = p.b.matmul(a.node, c.node, transA, transB);
  const error = k * (a.bound * c.error + c.bound * a.error + a.error * c.error);
  return tame(p, summed(node, a.bound * c.bound * Math.max(k, 1), a.grid + c.grid, error, k + 1));
};

const counting: Move = (p, shape) => {
  if (!shape.length) return null;
  const axis = p.random.below(shape.length);
  return exact(p.b.iota(p.random.pick(["i32", "u32", "f32", "f64"]), shape, axis), shape[axis]!, 0);
};

const permuting: Move = (p, shape) =>
  exact(p.b.shuffle(p.like("u32", [sizeOf(shape)], true).node), Math.max(1, sizeOf(shape)), 0);

const passing: Move = (p, shape) => {
  const x = p.like(p.random.pick(FLOATS), shape);
  return moved(p.random.chance(0.5) ? p.b.stopGradient(x.node) : p.b.customVjp(x.node, [x.node], (_b, g) => [g]), x);
};

/** A matrix with small elements and a large diagonal: the inverse of either triangle, and of the matrix, is below 1. */
function tameMatrix(p: Pool, dtype: DType, lead: Shape, n: number): Entry {
  const x = p.clamp(p.like(dtype, [...lead, n, n]), 1);
  const onDiagonal = p.b.eq(p.b.iota("i32", x.node.shape, lead.length), p.b.iota("i32", x.node.shape, lead.length + 1));
  return { ...x, node: p.b.select(onDiagonal, p.b.fill(x.node, 2 * n), x.node), bound: 2 * n };
}

const someLead = (p: Pool): number[] => (p.random.chance(0.3) ? [p.random.pick([1, 2, 3])] : []);

/** Errors by ‖L⁻¹‖, ‖A⁻¹‖ < 1 and ‖L‖ ≤ √(3n), generously. */
const factoring: Move = (p, shape) => {
  const dtype = p.random.pick(FLOATS);
  const n = p.random.pick([...shape.filter((d) => d < 40), 2, 6, 9]);
  const a = tameMatrix(p, dtype, someLead(p), n);
  const error = 8 * (n + 1) * (a.error + 4 * n * epsilon(dtype));
  const l = rounded(choleskyNode(p.b, a.node), 2 * n, error);
  if (p.random.chance(0.5)) return l;
  const g = p.clamp(p.like(dtype, a.node.shape), 10);
  const bound = 8 * (n + 1) * g.bound;
  const node = p.b.builder.append("choleskyGradient", [l.node, g.node]);
  return tame(p, rounded(node, bound, 8 * (n + 1) * (g.error + g.bound * (l.error + 4 * n * epsilon(dtype)))));
};

const solving: Move = (p, shape) => {
  const dtype = p.random.pick(FLOATS);
  const [n, k] = [p.random.pick([...shape.filter((d) => d < 40), 5, 18]), p.random.pick([...shape, 1, 2, 17])];
  const lead = someLead(p);
  const t = tameMatrix(p, dtype, lead, n);
  const y = tame(p, p.like(dtype, [...lead, n, k]));
  const node = solveNode(p.b, t.node, y.node, p.random.chance(0.5), p.random.chance(0.5));
  return rounded(node, y.bound, y.error + y.bound * (n * t.error + 4 * (n + 2) * epsilon(dtype)));
};

const running: Move = (p, shape) => {
  if (!shape.length) return null;
  const x = tame(p, p.like(p.random.pick(NUMBERS), shape));
  const axis = p.random.below(shape.length);
  const terms = Math.max(shape[axis]!, 1);
  const node = cumsumNode(p.b, x.node, { axis, reverse: p.random.chance(0.5), exclusive: p.random.chance(0.5) });
  if (!isFloat(node.dtype)) return exact(node, WIDE[node.dtype]!, 0);
  return tame(p, summed(node, x.bound * terms, x.grid, x.error * terms, terms));
};

const weighted: readonly [number, Move][] = [
  [6, arithmetic],
  [2, division],
  [2, simpleUnary],
  [3, smoothUnary],
  [1, power],
  [2, comparison],
  [3, choice],
  [2, bits],
  [2, casting],
  [1, bitcasting],
  [5, reduction],
  [1, position],
  [5, view],
  [3, joining],
  [3, gathering],
  [2, scattering],
  [3, product],
  [1, factoring],
  [2, solving],
  [1, running],
  [2, counting],
  [1, permuting],
  [1, passing],
];

/** Every move as often as its weight says. */
export const moves: readonly Move[] = weighted.flatMap(([n, move]) => Array.from({ length: n }, () => move));
