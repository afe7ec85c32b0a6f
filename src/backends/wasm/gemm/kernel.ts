import { call, type Expr, type FuncRef, i32, select, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { i32s, type Lanes, type Locals, plus, range } from "./lanes.ts";

/** The tile of C that one kernel call keeps in registers: `rows` × (`vectors` · lanes) elements. */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
}

/**
 * After so many rows of a tile stands a branch that is never taken. It costs next to nothing and ends the basic block: inside one,
 * V8 (measured on Node 20) puts all loads before the first multiplication, and a tile of 5 × 2 vectors then has more live values
 * than x86 has registers, and runs at 60 % of the speed that it has with two rows per block. Counted here: the sums, a row of B,
 * and the splats of one block, in 14 of the 16 registers. The loop over k is written out twice for the same reason, with an exit in
 * the middle; without one V8 merges the copies into a single block.
 */
const rowsPerBlock = (tile: Tile): number => 14 - tile.rows * tile.vectors - tile.vectors;

/**
 * The innermost routine (the microkernel of Van Zee and van de Geijn, "BLIS", 2015): one tile of C as a sum of k outer
 * products, held in registers from the first to the last.
 *
 * Parameters (all i32): a, aStride, b, bStride, k, c, cStride, rows, cols, accumulate. Strides in bytes.
 * - `interleaved`: the tile's elements of column p of A lie side by side at a + p·aStride (a packed panel, or A stored
 *   transposed); the panel must hold `tile.rows` of them, whatever `rows` is.
 * - `streams`: row i of A lies at a + i·aStride, contiguous in p (A as stored).
 * - row p of B's panel lies at b + p·bStride and is at least as wide as the tile.
 * - `rows` and `cols` say how much of the tile belongs to C; rows beyond are computed again from the last one and stored over it
 *   with the same values, which costs no branch; columns beyond are not stored.
 * - C is overwritten, or added to where `accumulate` is not 0. k is at least 1.
 */
export function kernelFunction(m: ModuleBuilder, t: Lanes, tile: Tile, layout: "interleaved" | "streams"): FuncRef {
  const name = `gemm.${t.dtype}.${t.relaxed}.${layout}.${tile.rows}x${tile.vectors}`;
  return m.once(name, () =>
    m.function(name, i32s(10), [], (f, ...params) => {
      const [a, aStride, b, bStride, k, c, cStride, rows, cols, accumulate] = params as Locals<10>;
      const sums = range(tile.rows).map(() => range(tile.vectors).map(() => f.local("v128")));
      const aRow = layout === "streams" ? clampedRows(f, a, aStride, rows, tile.rows) : [];
      const row = range(tile.vectors).map(() => f.local("v128"));

      const splat = f.local("v128");
      const step = (leave: (condition: Expr) => void) => {
        row.forEach((vector, v) => {
          f.set(vector, v128.load(b, 16 * v));
        });
        sums.forEach((sum, i) => {
          if (i > 0 && i % rowsPerBlock(tile) === 0) leave(i32.lt_s(k, i32.const(0)));
          f.set(splat, layout === "streams" ? t.loadSplat(aRow[i]!) : t.loadSplat(a, i * t.bytes));
          sum.forEach((s, v) => {
            f.set(s, t.madd(splat, row[v]!, s));
          });
        });
        if (layout === "interleaved") f.set(a, i32.add(a, aStride));
        else for (const pointer of aRow) f.set(pointer, plus(pointer, t.bytes));
        f.set(b, i32.add(b, bStride));
        f.set(k, plus(k, -1));
      };
      f.block((leave) =>
        f.doWhile(
          () => {
            step(leave);
            leave(i32.eqz(k));
            step(leave);
          },
          () => k,
        ),
      );
      storeTile(m, f, t, tile, sums, c, cStride, rows, cols, accumulate);
    }),
  );
}

/** Pointers to rows 0 … count−1, those from `rows` on being the last row again. */
function clampedRows(f: FuncBuilder, base: Expr, stride: Expr, rows: Local, count: number): Local[] {
  const pointers = [f.let(base)];
  for (let i = 1; i < count; i++) {
    const previous = pointers[i - 1]!;
    pointers.push(f.let(select(i32.gt_s(rows, i32.const(i)), i32.add(previous, stride), previous)));
  }
  return pointers;
}

function storeTile(
  m: ModuleBuilder,
  f: FuncBuilder,
  t: Lanes,
  tile: Tile,
  sums: readonly (readonly Local[])[],
  c: Local,
  cStride: Local,
  rows: Local,
  cols: Local,
  accumulate: Local,
): void {
  const cRow = clampedRows(f, c, cStride, rows, tile.rows);
  f.if(
    i32.ge_s(cols, i32.const(tile.vectors * t.count)),
    () => {
      f.if(accumulate, () => {
        sums.forEach((sum, i) => {
          sum.forEach((s, v) => {
            f.set(s, t.add(s, v128.load(cRow[i]!, 16 * v)));
          });
        });
      });
      sums.forEach((sum, i) => {
        sum.forEach((s, v) => {
          f.do(v128.store(cRow[i]!, s, 16 * v));
        });
      });
    },
    () => {
      // Each row once: here a row stored twice would be added to twice.
      const partial = partialStoreFunction(m, t);
      sums.forEach((sum, i) => {
        f.if(i32.gt_s(rows, i32.const(i)), () => {
          sum.forEach((s, v) => {
            const storeVector = () =>
              f.do(call(partial, plus(cRow[i]!, 16 * v), s, plus(cols, -v * t.count), accumulate));
            if (v === 0) storeVector();
            else f.if(i32.gt_s(cols, i32.const(v * t.count)), storeVector);
          });
        });
      });
    },
  );
}

/**
 * Stores (or adds) the first `width` lanes of a vector, at least one; all of them where `width` is larger.
 * Parameters: address, vector, width, accumulate.
 */
function partialStoreFunction(m: ModuleBuilder, t: Lanes): FuncRef {
  const name = `gemm.${t.dtype}.partialStore`;
  return m.once(name, () =>
    m.function(name, ["i32", "v128", "i32", "i32"], [], (f, address, vector, width, accumulate) => {
      const [at, value, lanes, adding] = [address!, vector!, width!, accumulate!];
      f.if(i32.ge_s(lanes, i32.const(t.count)), () => {
        f.if(adding, () => f.set(value, t.add(value, v128.load(at))));
        f.do(v128.store(at, value));
        f.return();
      });
      // 1, 2 or 3 lanes of f32, 1 of f64: 64 bits first, and 32 bits after them or alone.
      if (t.count === 2) {
        f.if(adding, () => f.set(value, t.add(value, v128.load64_zero(at))));
        f.do(v128.store64_lane(at, value, 0));
        return;
      }
      f.if(i32.eq(lanes, i32.const(1)), () => {
        f.if(adding, () => f.set(value, t.add(value, v128.load32_zero(at))));
        f.do(v128.store32_lane(at, value, 0));
        f.return();
      });
      const before = f.local("v128");
      f.if(adding, () => {
        f.set(before, v128.load64_zero(at));
        f.if(i32.eq(lanes, i32.const(3)), () => f.set(before, v128.load32_lane(at, before, 2, 8)));
        f.set(value, t.add(value, before));
      });
      f.do(v128.store64_lane(at, value, 0));
      f.if(i32.eq(lanes, i32.const(3)), () => f.do(v128.store32_lane(at, value, 2, 8)));
    }),
  );
}
