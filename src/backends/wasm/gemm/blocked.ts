import { call, type Expr, type FuncRef, i32, select } from "../assembler/expr.ts";
import type { ModuleBuilder } from "../assembler/module.ts";
import { kernelFunction, type Tile } from "./kernel.ts";
import { i32s, type Lanes, type Locals } from "./lanes.ts";
import { packColumnsFunction, packRowsFunction } from "./pack.ts";

/** Block sizes, in elements. */
interface Blocking {
  readonly tile: Tile;
  /** Columns of a tile. */
  readonly nr: number;
  /** Longest piece of k: a panel of B, kc × nr, stays in the first-level cache. */
  readonly kc: number;
  /** Rows of a packed block of A and columns of a packed block of B: both stay in the second-level cache. */
  readonly mc: number;
  readonly nc: number;
}

const BLOCKING: Record<"f32" | "f64", Blocking> = {
  f32: { tile: { rows: 5, vectors: 2 }, nr: 8, kc: 512, mc: 240, nc: 512 },
  f64: { tile: { rows: 5, vectors: 2 }, nr: 4, kc: 512, mc: 120, nc: 256 },
};

/** Up to this many rows of A, B is read where it stands: packing it would cost as much as multiplying. */
const FEW_ROWS = 12;

/** Size in bytes of the packing scratch that `gemmFunction` needs for these shapes: bounded, a multiple of 16. */
export function gemmScratchBytes(dtype: "f32" | "f64", m: number, n: number, k: number): number {
  const { tile, nr, kc, mc, nc } = BLOCKING[dtype];
  const up = (value: number, step: number) => Math.ceil(value / step) * step;
  const elements = Math.min(k, kc) * (up(Math.min(n, nc), nr) + up(Math.min(m, mc), tile.rows));
  return up(elements * (dtype === "f32" ? 4 : 8), 16);
}

const min = (a: Expr, b: Expr): Expr => select(i32.lt_s(a, b), a, b);

/** The blocked product; parameters like `gemmFunction` (../gemm.ts), leading dimensions in bytes. */
export function blockedFunction(m: ModuleBuilder, t: Lanes): FuncRef {
  const { tile, nr, kc, mc, nc } = BLOCKING[t.dtype];
  const mr = tile.rows;
  const packRowsA = packRowsFunction(m, t, mr);
  const packRowsB = packRowsFunction(m, t, nr);
  const packColumnsB = packColumnsFunction(m, t, nr);
  const stripStreams = stripFunction(m, t, tile, "streams");
  const stripInterleaved = stripFunction(m, t, tile, "interleaved");
  const bytes = (elements: Expr) => i32.mul(elements, i32.const(t.bytes));

  return m.function(`gemm.${t.dtype}.${t.relaxed}.blocked`, i32s(12), [], (f, ...params) => {
    const [transA, transB, rows, cols, k, a, lda, b, ldb, c, ldc, scratch] = params as Locals<12>;
    const [jc, pc, ic, j, i] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const [width, depth, height, panel] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const [packedA, bStride, panelStride] = [f.local("i32"), f.local("i32"), f.local("i32")];
    // Then only B's last, incomplete panel is packed.
    const inPlace = f.let(i32.and(i32.eqz(transB), i32.le_s(rows, i32.const(FEW_ROWS))));
    // k is cut into equal pieces of at most kc, so that no thin one is left over.
    const pieces = f.let(i32.div_u(i32.add(k, i32.const(kc - 1)), i32.const(kc)));
    const piece = f.let(i32.div_u(i32.sub(i32.add(k, pieces), i32.const(1)), pieces));

    const packB = () => {
      f.for(j, i32.const(0), width, nr, () => {
        const left = f.let(i32.sub(width, j));
        const column = i32.add(jc, j);
        const target = i32.add(scratch, i32.mul(bytes(j), depth));
        f.if(
          transB,
          () => {
            const source = i32.add(b, i32.add(i32.mul(column, ldb), bytes(pc)));
            f.do(call(packColumnsB, source, ldb, depth, left, target));
          },
          () => {
            const source = i32.add(b, i32.add(bytes(column), i32.mul(pc, ldb)));
            f.if(i32.or(i32.eqz(inPlace), i32.lt_s(left, i32.const(nr))), () => {
              f.do(call(packRowsB, source, ldb, depth, left, target));
            });
          },
        );
      });
    };
    const packA = () => {
      f.for(i, i32.const(0), height, mr, () => {
        const source = i32.add(a, i32.add(bytes(i32.add(ic, i)), i32.mul(pc, lda)));
        const target = i32.add(packedA, i32.mul(bytes(i), depth));
        f.do(call(packRowsA, source, lda, depth, i32.sub(height, i), target));
      });
    };
    f.for(jc, i32.const(0), cols, nc, () => {
      f.set(width, min(i32.sub(cols, jc), i32.const(nc)));
      f.for(pc, i32.const(0), k, 0, () => {
        f.set(depth, min(i32.sub(k, pc), piece));
        f.set(packedA, i32.add(scratch, i32.mul(bytes(roundUp(width, nr)), depth)));
        packB();
        f.for(ic, i32.const(0), rows, mc, () => {
          f.set(height, min(i32.sub(rows, ic), i32.const(mc)));
          f.if(transA, packA);
          f.for(j, i32.const(0), width, nr, () => {
            const left = f.let(i32.sub(width, j));
            f.set(panel, i32.add(scratch, i32.mul(bytes(j), depth)));
            f.set(bStride, i32.const(nr * t.bytes));
            f.if(i32.and(inPlace, i32.ge_s(left, i32.const(nr))), () => {
              f.set(panel, i32.add(b, i32.add(bytes(i32.add(jc, j)), i32.mul(pc, ldb))));
              f.set(bStride, ldb);
            });
            const target = i32.add(c, i32.add(i32.mul(ic, ldc), bytes(i32.add(jc, j))));
            f.if(
              transA,
              () => {
                f.set(panelStride, i32.mul(depth, i32.const(mr * t.bytes)));
                f.do(
                  call(
                    stripInterleaved,
                    packedA,
                    panelStride,
                    i32.const(mr * t.bytes),
                    panel,
                    bStride,
                    depth,
                    target,
                    ldc,
                    height,
                    left,
                    pc,
                  ),
                );
              },
              () => {
                const source = i32.add(a, i32.add(i32.mul(ic, lda), bytes(pc)));
                f.set(panelStride, i32.mul(lda, i32.const(mr)));
                f.do(
                  call(stripStreams, source, panelStride, lda, panel, bStride, depth, target, ldc, height, left, pc),
                );
              },
            );
          });
        });
        f.set(pc, i32.add(pc, depth));
      });
    });
  });
}

const roundUp = (value: Expr, step: number): Expr =>
  i32.mul(i32.div_u(i32.add(value, i32.const(step - 1)), i32.const(step)), i32.const(step));

/**
 * One panel of B against all rows of a block of A: the loop around the kernel. Parameters (all i32): a, panelStride (bytes from
 * one group of rows to the next), and then those of the kernel with `rows` the height of the whole block.
 */
function stripFunction(m: ModuleBuilder, t: Lanes, tile: Tile, layout: "interleaved" | "streams"): FuncRef {
  const kernel = kernelFunction(m, t, tile, layout);
  // Half of a tile's columns or fewer need half of its arithmetic.
  const narrow = kernelFunction(m, t, { rows: tile.rows, vectors: 1 }, layout);
  return m.function(`gemm.${t.dtype}.${t.relaxed}.strip.${layout}`, i32s(11), [], (f, ...params) => {
    const [a, panelStride, aStride, b, bStride, k, c, cStride, rows, cols, accumulate] = params as Locals<11>;
    const loop = (ref: FuncRef) =>
      f.doWhile(
        () => {
          f.do(call(ref, a, aStride, b, bStride, k, c, cStride, rows, cols, accumulate));
          f.set(a, i32.add(a, panelStride));
          f.set(c, i32.add(c, i32.mul(cStride, i32.const(tile.rows))));
          f.set(rows, i32.sub(rows, i32.const(tile.rows)));
        },
        () => i32.gt_s(rows, i32.const(0)),
      );
    f.if(
      i32.gt_s(cols, i32.const(t.count)),
      () => loop(kernel),
      () => loop(narrow),
    );
  });
}
