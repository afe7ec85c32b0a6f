import { bytesOf } from "../../../base/dtype.ts";
import { sizeOf } from "../../../base/shape.ts";
import type { Node } from "../../../ir/node.ts";
import { momentCount, sharesOf } from "../../../ops/rows.ts";
import { blasWorthwhile } from "../../native.ts";
import { call, type Expr, i32, memory } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { gemmFunction, gemmScratchBytes } from "../gemm.ts";
import { eachPiece, plusBytes, rangeOf } from "../pieces.ts";
import { addressOf, type RoutineContext, type RoutineEmitter, scratchOf, type WasmOptions } from "../routines.ts";
import { addFunction, momentsFunction, squaresFunction } from "./tiles.ts";

/** Bytes of what is made of a tile's rows: what the second cache of a core holds beside its operands. */
const TILE_BYTES = 1 << 17;
const [LEAST_ROWS, MOST_ROWS] = [16, 512];
/** Multiply-adds below which a sum is not cut. */
const WORTH_SHARING = 100_000;

/** Rows of a tile of which each makes `width` numbers. */
const tileRows = (width: number, bytes: number): number =>
  Math.max(LEAST_ROWS, Math.min(MOST_ROWS, Math.floor(TILE_BYTES / (width * bytes) / LEAST_ROWS) * LEAST_ROWS));

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Sizes of a tile's product [m, k] by [k, n]. */
type Sizes = readonly [m: number, n: number, k: number];
type Float = "f32" | "f64";

const backendOf = ({ blas }: WasmOptions, dtype: Float, [m, n, k]: Sizes): string =>
  blas && blasWorthwhile(dtype, m, n, k) ? "blas" : "wasm";
const packingBytes = (options: WasmOptions, dtype: Float, sizes: Sizes): number =>
  backendOf(options, dtype, sizes) === "blas" ? 0 : gemmScratchBytes(dtype, ...sizes);

interface Product {
  readonly m: Expr;
  readonly k: Expr;
  readonly a: Expr;
  readonly b: Expr;
  readonly to: Expr;
}

/** Emits products of a tile: rows times B, or the transposed rows times B. */
function productEmitter(c: RoutineContext, f: FuncBuilder, dtype: Float, sizes: Sizes, transA: boolean, scratch: Expr) {
  const [m, n, k] = sizes;
  const native = backendOf(c, dtype, sizes) === "blas";
  const routine = native ? c.m.importFunction("blas", `gemm_${dtype}`, Array(11).fill("i32"), []) : gemmFunction(c.m, dtype, c); // biome-ignore format: one choice
  const [lda, columns] = [i32.const(transA ? m : k), i32.const(n)];
  return (p: Product) => {
    const args = [i32.const(transA ? 1 : 0), i32.const(0), p.m, columns, p.k, p.a, lda, p.b, columns, p.to, columns];
    f.do(call(routine, ...(native ? args : [...args, scratch])));
  };
}

/** Scratch of this part. */
const ownScratch = (c: RoutineContext, table: Expr, part: Expr, node: Node): Expr =>
  isShared(c, node) ? plusBytes(scratchOf(c, table), part, c.scratchBytes) : scratchOf(c, table);

const squareSizes = (node: Node) => {
  const [rows, k] = node.shape as [number, number];
  const [d, , p] = node.inputs[1]!.shape as [number, number, number];
  const bytes = bytesOf(node.dtype);
  const tile = tileRows(k * p, bytes);
  return { rows, k, d, p, bytes, tile, product: [tile, k * p, d] as Sizes, dtype: node.dtype as Float };
};

/** Of each tile of rows one product by all of w; its residuals are squared and summed while they are in the cache. */
const rowSquares: RoutineEmitter = (c, f, table, part, node) => {
  if (sizeOf(node.shape) === 0) return;
  const { rows, k, d, p, bytes, tile, product: sizes, dtype } = squareSizes(node);
  const [x, w, shift] = node.inputs.map((input) => f.let(addressOf(c.plan, table, input))) as [Local, Local, Local];
  const out = f.let(addressOf(c.plan, table, node));
  const made = f.let(ownScratch(c, table, part, node));
  const packing = f.let(i32.add(made, i32.const(aligned(tile * k * p * bytes))));
  const product = productEmitter(c, f, dtype, sizes, false, packing);
  const squares = squaresFunction(c.m, dtype, c.relaxed, k, p);
  const [from, to] = rangeOf(c, isShared(c, node), part, Math.ceil(rows / tile)).map((at) => f.let(i32.mul(at, i32.const(tile)))) as [Local, Local]; // biome-ignore format: one line
  f.if(i32.gt_s(to, i32.const(rows)), () => f.set(to, i32.const(rows)));
  eachPiece(f, tile, from, to, (first, count) => {
    product({ m: count, k: i32.const(d), a: plusBytes(x, first, d * bytes), b: w, to: made });
    f.do(call(squares, made, shift, plusBytes(out, first, k * bytes), count));
  });
};
rowSquares.scratchBytes = (options, node) => {
  const { k, p, bytes, tile, product, dtype } = squareSizes(node);
  return aligned(tile * k * p * bytes) + packingBytes(options, dtype, product);
};
rowSquares.backend = (options, node) => backendOf(options, node.dtype as Float, squareSizes(node).product);

const momentSizes = (node: Node) => {
  const [rows, d] = node.inputs[0]!.shape as [number, number];
  const k = node.inputs[1]!.shape[1]!;
  const bytes = bytesOf(node.dtype);
  const count = momentCount(d);
  const tile = tileRows(count, bytes);
  return { rows, d, k, count, bytes, tile, product: [k, count, tile] as Sizes, dtype: node.dtype as Float };
};

/** Of each tile of rows (1, x, x xᵀ), and one product of the transposed weights with that. */
const rowMoments: RoutineEmitter = (c, f, table, part, node) => {
  if (sizeOf(node.shape) === 0) return;
  const { rows, d, k, count, bytes, tile, product: sizes, dtype } = momentSizes(node);
  const [x, g] = node.inputs.map((input) => f.let(addressOf(c.plan, table, input))) as [Local, Local];
  const out = f.let(addressOf(c.plan, table, node));
  const made = f.let(ownScratch(c, table, part, node));
  const sums = f.let(i32.add(made, i32.const(aligned(tile * count * bytes))));
  const packing = f.let(i32.add(sums, i32.const(aligned(k * count * bytes))));
  const product = productEmitter(c, f, dtype, sizes, true, packing);
  const [moments, add] = [momentsFunction(c.m, dtype, d), addFunction(c.m, dtype)];
  const shares = sharesOf(rows);
  const start = (share: Expr) => i32.div_u(i32.mul(share, i32.const(rows)), i32.const(shares));
  const share = f.local("i32");
  const [from, to] = rangeOf(c, isShared(c, node), part, shares).map((at) => f.let(at)) as [Local, Local];
  f.for(share, from, to, 1, () => {
    const own = f.let(plusBytes(out, share, k * count * bytes));
    f.do(memory.fill(own, i32.const(0), i32.const(k * count * bytes)));
    eachPiece(f, tile, start(share), start(i32.add(share, i32.const(1))), (first, size) => {
      f.do(call(moments, plusBytes(x, first, d * bytes), made, size));
      product({ m: i32.const(k), k: size, a: plusBytes(g, first, k * bytes), b: made, to: sums });
      f.do(call(add, own, sums, i32.const(k * count * bytes)));
    });
  });
};
rowMoments.scratchBytes = (options, node) => {
  const { k, count, bytes, tile, product, dtype } = momentSizes(node);
  return aligned(tile * count * bytes) + aligned(k * count * bytes) + packingBytes(options, dtype, product);
};
rowMoments.backend = (options, node) => backendOf(options, node.dtype as Float, momentSizes(node).product);

function isShared(c: RoutineContext, node: Node): boolean {
  const [rows, d] = node.inputs[0]!.shape as [number, number];
  const work = rows * d * sizeOf(node.op === "rowSquares" ? node.inputs[2]!.shape : node.shape.slice(1));
  return c.parts > 1 && work >= WORTH_SHARING && sharesOf(rows) >= c.parts;
}
rowSquares.shared = isShared;
rowMoments.shared = isShared;

/** Routines for sums over many rows, by op. */
export const emitters: Readonly<Record<string, RoutineEmitter>> = { rowSquares, rowMoments };
