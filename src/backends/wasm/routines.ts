import { bytesOf } from "../../base/dtype.ts";
import { sizeOf, stridesOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import { matmulSizes } from "../../ops/contract.ts";
import { batchStride } from "../../passes/fuse.ts";
import type { Plan } from "../../passes/plan.ts";
import { type Blas, blasWorthwhile } from "../native.ts";
import { call, type Expr, f32, f64, f64x2, i32, memory, type ValType, v128 } from "./assembler/expr.ts";
import type { FuncBuilder, ModuleBuilder } from "./assembler/module.ts";
import { gemmFunction, gemmScratchBytes } from "./gemm.ts";
import { type EmittedKernel, emitLoop, placeAddress } from "./loop.ts";
import type { LoopSpec, Source, Stream } from "./loop-spec.ts";

export interface WasmOptions {
  /** Serves the matrix products it is worth a call for; null for the wasm kernels alone. */
  readonly blas: Blas | null;
  /** Fused multiply-add in the wasm products. */
  readonly relaxed: boolean;
  /** How many threads share a step; more than one needs a shared memory. */
  readonly parts: number;
  readonly sharedMemory: boolean;
}

/** What an emitter of a routine works with. */
export interface RoutineContext extends WasmOptions {
  readonly m: ModuleBuilder;
  readonly plan: Plan;
  /** Bytes of scratch for each part. A routine that is not shared uses the first part's. */
  readonly scratchBytes: number;
  /** Writes the kernels of this context's plan, named by a prefix: for a routine that holds a plan of its own. */
  readonly emitKernels: (c: RoutineContext, prefix: string) => EmittedKernel[];
}

/** Writes a routine: the body of a function of (table, part). Operands lie in row-major order, except a product's. */
export interface RoutineEmitter {
  (c: RoutineContext, f: FuncBuilder, table: Expr, part: Expr, node: Node): void;
  /** Bytes of scratch it uses; `inner` tells what a plan inside it needs. Its address stands in the table, behind the slots. */
  scratchBytes?(options: WasmOptions, node: Node, inner: (plan: Plan) => number): number;
  /** Which backend runs it, if not wasm: for `explain`. */
  backend?(options: WasmOptions, node: Node): string;
  /** Whether threads do a part each; by default one does it all. */
  shared?(c: RoutineContext, node: Node): boolean;
  /** Done before anything is emitted: for what has to be loaded. `inner` loads what a plan inside it needs. */
  prepare?(node: Node, inner: (plan: Plan) => Promise<void>): Promise<void>;
}

/** Address of the scratch. */
export const scratchOf = (c: RoutineContext, table: Expr): Expr => i32.load(table, 4 * c.plan.slots.length);

/** An operand as a stream over its own shape. */
function streamOf(plan: Plan, x: Node): Stream {
  const access = plan.accesses.of(x);
  return { place: plan.places.get(access.root)!, dtype: x.dtype, offset: access.offset, strides: access.strides };
}

/** The byte address of an operand's or result's first element. */
export const addressOf = (plan: Plan, table: Expr, x: Node): Expr => {
  const { place, offset, dtype } = streamOf(plan, x);
  return placeAddress(table, { slot: place.slot, offset: place.offset + offset * bytesOf(dtype) });
};

interface MatrixOperand {
  /** Whether the matrix is stored transposed. */
  readonly flipped: boolean;
  readonly leading: number;
  readonly batch: number;
}

function matrixOperand(plan: Plan, x: Node): MatrixOperand {
  const access = plan.accesses.of(x);
  const r = x.shape.length;
  const [rows, columns] = [x.shape[r - 2]!, x.shape[r - 1]!];
  const [rowStride, columnStride] = [access.strides[r - 2]!, access.strides[r - 1]!];
  const batch = batchStride(access, x.shape)!;
  const plain = (columns === 1 || columnStride === 1) && (rows === 1 || rowStride >= columns);
  if (plain) return { flipped: false, leading: rows === 1 ? columns : rowStride, batch };
  return { flipped: true, leading: columns === 1 ? rows : columnStride, batch };
}

/** Which backend serves a product, and its function. */
matmul.backend = ({ blas }: WasmOptions, node: Node): string => {
  const { m, n, k } = matmulSizes(node);
  return blas && blasWorthwhile(node.dtype as "f64", m, n, k) ? "blas" : "wasm";
};

/** Packing space. */
matmul.scratchBytes = (options: WasmOptions, node: Node): number => {
  const { m, n, k } = matmulSizes(node);
  return matmul.backend(options, node) === "blas" ? 0 : gemmScratchBytes(node.dtype as "f64", m, n, k);
};

const GEMM_PARAMS: ValType[] = Array.from({ length: 11 }, () => "i32");

/** Multiply-adds below which a product is not cut. */
const WORTH_SHARING = 100_000;
/** Shares of a product are whole blocks of rows or columns. */
const BLOCK = 16;

matmul.shared = (c: RoutineContext, node: Node): boolean => {
  const { batch, m, n, k } = matmulSizes(node);
  return c.parts > 1 && batch * m * n * k >= WORTH_SHARING && Math.max(batch * BLOCK, m, n) >= 2 * BLOCK * c.parts;
};

/** Products of matrices, batch after batch; a share is some of the batch, or of the rows or columns of the result. */
function matmul(c: RoutineContext, f: FuncBuilder, table: Expr, part: Expr, node: Node): void {
  const [a, b] = node.inputs as [Node, Node];
  const { batch, m, n, k } = matmulSizes(node);
  const [left, right] = [matrixOperand(c.plan, a), matrixOperand(c.plan, b)];
  const transA = (node.attrs.transA as boolean) !== left.flipped;
  const transB = (node.attrs.transB as boolean) !== right.flipped;
  const dtype = node.dtype as "f64";
  const native = matmul.backend(c, node) === "blas";
  const routine = native ? c.m.importFunction("blas", `gemm_${dtype}`, GEMM_PARAMS, []) : gemmFunction(c.m, dtype, c);
  const size = bytesOf(node.dtype);
  const pointers = [
    f.let(addressOf(c.plan, table, a)),
    f.let(addressOf(c.plan, table, b)),
    f.let(addressOf(c.plan, table, node)),
  ];
  const [pa, pb, pc] = pointers as [(typeof pointers)[0], (typeof pointers)[0], (typeof pointers)[0]];
  const shared = matmul.shared(c, node);
  const axis = !shared ? "none" : batch >= c.parts ? "batch" : m >= n ? "rows" : "columns";
  /** Where this part's share of `size` begins and how long it is, in steps of `block`. */
  const range = (size: number, block: number) => {
    const blocks = Math.ceil(size / block);
    const at = (p: Expr) => i32.mul(i32.div_u(i32.mul(p, i32.const(blocks)), i32.const(c.parts)), i32.const(block));
    const from = f.let(at(part));
    const end = f.let(at(i32.add(part, i32.const(1))));
    f.if(i32.gt_u(end, i32.const(size)), () => f.set(end, i32.const(size)));
    return { from, end };
  };
  const skip = (pointer: (typeof pointers)[0], from: Expr, elements: number) =>
    f.set(pointer, i32.add(pointer, i32.mul(from, i32.const(elements * size))));
  let [rows, columns]: Expr[] = [i32.const(m), i32.const(n)];
  if (axis === "rows") {
    const { from, end } = range(m, BLOCK);
    rows = f.let(i32.sub(end, from));
    skip(pa, from, transA ? 1 : left.leading);
    skip(pc, from, n);
  } else if (axis === "columns") {
    const { from, end } = range(n, BLOCK);
    columns = f.let(i32.sub(end, from));
    skip(pb, from, transB ? right.leading : 1);
    skip(pc, from, 1);
  }
  const once = () => {
    const args = [
      i32.const(transA ? 1 : 0), i32.const(transB ? 1 : 0), rows!, columns!, i32.const(k),
      pa, i32.const(left.leading), pb, i32.const(right.leading), pc, i32.const(n),
    ]; // biome-ignore format: one call
    const scratch = scratchOf(c, table);
    const own = shared ? i32.add(scratch, i32.mul(part, i32.const(c.scratchBytes))) : scratch;
    f.do(call(routine, ...(native ? args : [...args, own])));
  };
  if (batch === 1) {
    once();
    return;
  }
  const at = f.local("i32");
  const turns = axis === "batch" ? range(batch, 1) : { from: i32.const(0), end: i32.const(batch) };
  if (axis === "batch") {
    skip(pa, turns.from, left.batch);
    skip(pb, turns.from, right.batch);
    skip(pc, turns.from, m * n);
  }
  f.for(at, turns.from, turns.end, 1, () => {
    once();
    f.set(pa, i32.add(pa, i32.const(left.batch * size)));
    f.set(pb, i32.add(pb, i32.const(right.batch * size)));
    f.set(pc, i32.add(pc, i32.const(m * n * size)));
  });
}

/** A scalar element, for the routines that go one by one. */
export const element = {
  f32: { load: f32.load, store: f32.store, gt: f32.gt, add: f32.add },
  f64: { load: f64.load, store: f64.store, gt: f64.gt, add: f64.add },
  i32: { load: i32.load, store: i32.store, gt: i32.gt_s, add: i32.add },
  u32: { load: i32.load, store: i32.store, gt: i32.gt_u, add: i32.add },
};

function scatterAdd(c: RoutineContext, f: FuncBuilder, table: Expr, _part: Expr, node: Node): void {
  const [updates, indices] = node.inputs as [Node, Node];
  const rows = node.attrs.rows as number;
  const width = sizeOf(node.shape.slice(1));
  const size = bytesOf(node.dtype);
  // Two f64 at a time where rows are whole vectors.
  const step = node.dtype === "f64" && width % 2 === 0 ? 2 : 1;
  const e = step > 1 ? { ...v128, add: f64x2.add } : element[node.dtype as keyof typeof element];
  const source = f.let(addressOf(c.plan, table, updates));
  const index = f.let(addressOf(c.plan, table, indices));
  const target = f.let(addressOf(c.plan, table, node));
  f.do(memory.fill(target, i32.const(0), i32.const(sizeOf(node.shape) * size)));
  const [i, j] = [f.local("i32"), f.local("i32")];
  const at = f.local("i32");
  f.for(i, i32.const(0), i32.const(sizeOf(indices.shape)), 1, () => {
    f.set(at, i32.load(index));
    if (indices.dtype === "i32") f.if(i32.lt_s(at, i32.const(0)), () => f.set(at, i32.const(0)));
    f.if(i32.gt_u(at, i32.const(rows - 1)), () => f.set(at, i32.const(rows - 1)));
    const row = f.let(i32.add(target, i32.mul(at, i32.const(width * size))));
    f.for(j, i32.const(0), i32.const(width), step, () => {
      f.do(e.store(row, e.add(e.load(row), e.load(source))));
      f.set(row, i32.add(row, i32.const(step * size)));
      f.set(source, i32.add(source, i32.const(step * size)));
    });
    f.set(index, i32.add(index, i32.const(4)));
  });
}

/** Copies x into part of a larger array: the loop that pad and concat are made of. */
function placeInto(
  c: RoutineContext,
  f: FuncBuilder,
  table: Expr,
  node: Node,
  x: Node,
  start: readonly number[],
): void {
  if (sizeOf(x.shape) === 0) return;
  const strides = stridesOf(node.shape);
  const access = c.plan.accesses.of(x);
  const source: Source = c.plan.accesses.isComputed(access.root)
    ? computedSource(access.root, access.offset, access.strides)
    : { kind: "memory", stream: streamOf(c.plan, x) };
  const target: Stream = {
    place: c.plan.places.get(node)!,
    dtype: node.dtype,
    offset: start.reduce((n, s, axis) => n + s * strides[axis]!, 0),
    strides,
  };
  const spec: LoopSpec = {
    name: `${node.op} piece`,
    shape: x.shape,
    items: [],
    stores: [{ source, target }],
    reductions: [],
  };
  f.do(call(emitLoop(c.m, spec).run, table, i32.const(0)));
}

/** A constant or a count as the source of a loop. */
export function computedSource(root: Node, offset: number, strides: readonly number[]): Source {
  return root.op === "const"
    ? { kind: "constant", dtype: root.dtype, value: root.attrs.value as number }
    : { kind: "count", dtype: root.dtype, offset, strides };
}

function pad(c: RoutineContext, f: FuncBuilder, table: Expr, _part: Expr, node: Node): void {
  const bytes = sizeOf(node.shape) * bytesOf(node.dtype);
  f.do(memory.fill(addressOf(c.plan, table, node), i32.const(0), i32.const(bytes)));
  placeInto(c, f, table, node, node.inputs[0]!, node.attrs.low as number[]);
}

function concat(c: RoutineContext, f: FuncBuilder, table: Expr, _part: Expr, node: Node): void {
  const axis = node.attrs.axis as number;
  const home = c.plan.places.get(node)!;
  const strides = stridesOf(node.shape);
  let at = 0;
  for (const piece of node.inputs) {
    const { root, offset } = c.plan.accesses.of(piece);
    const place = c.plan.places.get(root);
    const bytes = at * strides[axis]! * bytesOf(node.dtype);
    // A piece that the planner put here needs no copy.
    const there =
      place?.slot === home.slot &&
      place.offset === home.offset + bytes &&
      offset === 0 &&
      sizeOf(node.shape.slice(0, axis)) === 1;
    if (!there) placeInto(c, f, table, node, piece, node.shape.map((_, d) => (d === axis ? at : 0))); // biome-ignore format: short
    at += piece.shape[axis]!;
  }
}

/** By op; those that are not in the core come here when the first program that holds one is compiled. */
export const emitters: Record<string, RoutineEmitter> = {
  matmul,
  scatterAdd,
  pad,
  concat,
};

/** Emits a routine. */
export function emitRoutine(c: RoutineContext, node: Node, name: string): EmittedKernel {
  const emit = emitters[node.op]!;
  const run = c.m.function(name, ["i32", "i32"], [], (f, table, part) => emit(c, f, table!, part!, node));
  return { before: null, run, parallel: !!emit.shared?.(c, node) };
}
