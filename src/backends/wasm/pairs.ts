import { bytesOf } from "../../base/dtype.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import { call, type Expr, type FuncRef, i32, memory } from "./assembler/expr.ts";
import type { FuncBuilder, Local } from "./assembler/module.ts";
import { advance, type Elements, elementsOf, emitDot, emitSubtract } from "./linalg/elements.ts";
import { eachPiece, plusBytes, rangeOf } from "./pieces.ts";
import { addressOf, type RoutineContext, type RoutineEmitter } from "./routines.ts";

/** Pairs that one call does: a function that is called often is soon replaced by optimised code. */
const CHUNK = 256;
/** Multiply-adds below which the pairs are not cut. */
const WORTH_SHARING = 100_000;

/** The row that the index at this address means: the nearest one where it lies outside. */
function rowAt(f: FuncBuilder, indices: Node, address: Expr, rows: number): Local {
  const at = f.let(i32.load(address));
  if (indices.dtype === "i32") f.if(i32.lt_s(at, i32.const(0)), () => f.set(at, i32.const(0)));
  f.if(i32.gt_u(at, i32.const(rows - 1)), () => f.set(at, i32.const(rows - 1)));
  return at;
}

const pairDots: RoutineEmitter = (c, f, table, part, node) => {
  const n = node.shape[0]!;
  if (n === 0) return;
  const [a, i, b, j] = node.inputs.map((x) => f.let(addressOf(c.plan, table, x))) as [Local, Local, Local, Local];
  const out = f.let(addressOf(c.plan, table, node));
  const t = elementsOf(node.dtype as "f32" | "f64");
  const dots = dotsFunction(c, t, node);
  eachPiece(f, CHUNK, ...rangeOf(c, isShared(c, node), part, n), (first, count) => {
    const plus = (from: Local, bytes: number) => plusBytes(from, first, bytes);
    f.do(call(dots, a, plus(i, 4), b, plus(j, 4), plus(out, t.bytes), count));
  });
};

function dotsFunction(c: RoutineContext, t: Elements, node: Node): FuncRef {
  const [tableA, indexA, tableB, indexB] = node.inputs as [Node, Node, Node, Node];
  const [rowsA, k] = tableA.shape as [number, number];
  const rowsB = tableB.shape[0]!;
  const name = `pair dots.${node.dtype}.${indexA.dtype}.${indexB.dtype}.${rowsA}.${rowsB}.${k}`;
  return c.m.once(name, () =>
    c.m.function("pair dots", Array(6).fill("i32"), [], (f, ...params) => {
      const [a, i, b, j, out, count] = params as [Local, Local, Local, Local, Local, Local];
      f.while(
        () => count,
        () => {
          const x = f.let(plusBytes(a, rowAt(f, indexA, i, rowsA), k * t.bytes));
          const y = f.let(plusBytes(b, rowAt(f, indexB, j, rowsB), k * t.bytes));
          f.do(t.scalar.store(out, emitDot(f, t, x, y, i32.const(k))));
          for (const pointer of [i, j]) advance(f, pointer, i32.const(4));
          advance(f, out, i32.const(t.bytes));
          f.set(count, i32.sub(count, i32.const(1)));
        },
      );
    }),
  );
}

/** Each part adds up the rows of the result that are its own, in the order of the pairs: the bits do not depend on how many parts there are. */
const pairSums: RoutineEmitter = (c, f, table, part, node) => {
  const [rows, k] = node.shape as [number, number];
  if (sizeOf(node.shape) === 0) return;
  const n = node.inputs[0]!.shape[0]!;
  const [g, i, b, j] = node.inputs.map((x) => f.let(addressOf(c.plan, table, x))) as [Local, Local, Local, Local];
  const out = f.let(addressOf(c.plan, table, node));
  const bytes = bytesOf(node.dtype);
  const t = elementsOf(node.dtype as "f32" | "f64");
  const sums = sumsFunction(c, t, node);
  const [from, to] = rangeOf(c, isShared(c, node), part, rows).map((row) => f.let(row)) as [Local, Local];
  const width = i32.const(k * bytes);
  f.do(memory.fill(plusBytes(out, from, k * bytes), i32.const(0), i32.mul(i32.sub(to, from), width)));
  eachPiece(f, CHUNK, i32.const(0), i32.const(n), (first, count) => {
    const plus = (at: Local, size: number) => plusBytes(at, first, size);
    f.do(call(sums, plus(g, bytes), plus(i, 4), b, plus(j, 4), out, from, to, count));
  });
};

function sumsFunction(c: RoutineContext, t: Elements, node: Node): FuncRef {
  const [, indexOut, tableB, indexB] = node.inputs as [Node, Node, Node, Node];
  const [rows, k] = node.shape as [number, number];
  const rowsB = tableB.shape[0]!;
  const name = `pair sums.${node.dtype}.${indexOut.dtype}.${indexB.dtype}.${rows}.${rowsB}.${k}`;
  return c.m.once(name, () =>
    c.m.function("pair sums", Array(8).fill("i32"), [], (f, ...params) => {
      const [g, i, b, j, out, from, to, count] = params as [Local, Local, Local, Local, Local, Local, Local, Local];
      f.while(
        () => count,
        () => {
          const row = rowAt(f, indexOut, i, rows);
          f.if(i32.lt_u(i32.sub(row, from), i32.sub(to, from)), () => {
            const target = f.let(plusBytes(out, row, k * t.bytes));
            const source = f.let(plusBytes(b, rowAt(f, indexB, j, rowsB), k * t.bytes));
            const factor = f.let(t.scalar.sub(t.scalar.zero, t.scalar.load(g)));
            emitSubtract(f, t, target, source, factor, i32.const(k));
          });
          for (const pointer of [i, j]) advance(f, pointer, i32.const(4));
          advance(f, g, i32.const(t.bytes));
          f.set(count, i32.sub(count, i32.const(1)));
        },
      );
    }),
  );
}

function isShared(c: RoutineContext, node: Node): boolean {
  return c.parts > 1 && node.inputs[1]!.shape[0]! * node.inputs[2]!.shape[1]! >= WORTH_SHARING;
}
pairDots.shared = isShared;
pairSums.shared = isShared;

/** Routines for products of chosen rows, by op. */
export const emitters: Readonly<Record<string, RoutineEmitter>> = { pairDots, pairSums };
