import { type DType, isFloat } from "../base/dtype.ts";
import { OptionError, ShapeError } from "../base/errors.ts";
import { sameShape, showShape } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import { appendScan, placeholder } from "../ops/scan/draft.ts";
import { attrsOf, layoutOf, type Piece, takePiece } from "../ops/scan/layout.ts";
import { loops } from "../ops/scan.ts";
import { extendOps } from "../ops/table.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { full, not } from "./functions.ts";
import type { Tensor } from "./tensor.ts";
import { type Leaf, leavesOf, rebuildTree, type Tree } from "./tree.ts";

/** What a scan goes over. */
export interface ScanOptions<C extends Tree, X extends Tree | undefined> {
  /** What goes from step to step, at the start: a tensor, or a record or array of tensors. */
  readonly carry: C;
  /** Tensors whose first axis is time: each step gets its row of each. */
  readonly xs?: X;
  /** Number of steps; needed only without xs. */
  readonly length?: number;
  /** From the last row to the first. Stacked results stay in the order of the rows. */
  readonly reverse?: boolean;
  /** A bool scalar: no step is taken from a carry where it holds. Rows of steps that were not taken are 0. */
  readonly until?: (carry: C) => Tensor;
}

/** What a step gives: the next carry, of the same dtypes and shapes, and if wanted a row of results. */
export interface ScanStep<C extends Tree, Y extends Tree | undefined> {
  readonly carry: C;
  readonly y?: Y;
}

export interface ScanResult<C extends Tree, Y extends Tree | undefined> {
  /** After the last step. */
  readonly carry: C;
  /** The rows of each step's `y`, stacked along a new first axis. */
  readonly ys: Y;
  /** How many steps were taken, an f64 or f32 scalar: fewer than the rows only with `until`. */
  readonly steps: Tensor;
}

const shown = ({ dtype, shape }: Tensor): string => `${dtype}${showShape(shape)}`;

function lengthOf(given: number | undefined, xs: readonly Leaf[]): number {
  const length = given ?? xs[0]?.tensor.shape[0];
  if (length === undefined) {
    throw new OptionError(
      "scan: without xs (tensors whose first axis is time) the number of steps is needed: give `length`",
    );
  }
  if (!Number.isInteger(length) || length < 0) throw new OptionError(`scan: length ${length} is not a number of steps`);
  for (const { path, tensor } of xs) {
    if (tensor.shape[0] !== length) {
      throw new ShapeError(
        `${path} is ${shown(tensor)}; its first axis is time and must be ${length}, as ` +
          (given === undefined ? "that of the first of xs" : "`length` says"),
      );
    }
  }
  return length;
}

const nameOf = (path: string): string => path.slice("scan: ".length);

function checkStep(before: readonly Leaf[], after: readonly Leaf[]): void {
  for (const [i, { path, tensor }] of before.entries()) {
    const next = after[i];
    if (next?.path !== path) {
      throw new ShapeError(
        `scan: the step returns no ${nameOf(path)}: it must return every part of the carry it was given`,
      );
    }
    if (next.tensor.dtype !== tensor.dtype || !sameShape(next.tensor.shape, tensor.shape)) {
      throw new ShapeError(
        `${path} begins as ${shown(tensor)} and the step returns ${shown(next.tensor)}: a carry keeps its dtype and ` +
          "shape; reshape, broadcast or cast one of them",
      );
    }
  }
  if (after.length > before.length) {
    throw new ShapeError(
      `scan: the step returns ${nameOf(after[before.length]!.path)}, which the carry at the start does not have`,
    );
  }
}

/** The one dtype of the packed result: f32 only where all that it holds is exact there. */
function packedType(tensors: readonly Tensor[]): DType {
  const exact = tensors.every(({ dtype }) => dtype === "f32" || dtype === "u8" || dtype === "bool");
  return exact && tensors.some(({ dtype }) => isFloat(dtype)) ? "f32" : "f64";
}

/**
 * A loop over time inside a program: `step(carry, x, t)` is traced once and run for each row of xs, with the carry of the step
 * before. It may use any tensors from outside; what does not depend on carry, x or t is computed once, before the loop.
 * Differentiable any number of times (carries are stored on the way and the step is computed again), and batched by vmap.
 *
 * @param step  gets the carry, the row of each of xs, and the row's number t (an i32 scalar)
 * @returns     the last carry, and the rows of `y` stacked along a new first axis
 * @throws      ShapeError when the carry changes dtype or shape, or xs disagree in length; OptionError without a length
 *
 * @example AR(1): `scan({ carry: y0, xs: noise }, (y, e) => { const next = phi.mul(y).add(e); return { carry: next, y: next }; })`
 */
export function scan<C extends Tree, X extends Tree | undefined = undefined, Y extends Tree | undefined = undefined>(
  options: ScanOptions<C, X>,
  step: (carry: C, x: X, t: Tensor) => ScanStep<C, Y>,
): ScanResult<C, Y> {
  extendOps(loops);
  const starts = leavesOf(options.carry, "scan: carry");
  const rows = leavesOf(options.xs, "scan: xs");
  const like = (starts[0] ?? rows[0])?.tensor;
  if (!like) throw new OptionError("scan: there is neither a carry nor xs: one of them needs a tensor");
  const b = like.trace;
  const length = lengthOf(options.length, rows);

  const stand = (tensor: Tensor, shape = tensor.shape) => tensor.of(placeholder(b, { dtype: tensor.dtype, shape }));
  const carried = starts.map(({ tensor }) => stand(tensor));
  const inRow = rows.map(({ tensor }) => stand(tensor, tensor.shape.slice(1)));
  const index = placeholder(b, { dtype: "i32", shape: [] });
  const result = step(rebuildTree(options.carry, carried), rebuildTree(options.xs as X, inRow), like.of(index));
  const after = leavesOf(result.carry, "scan: carry");
  checkStep(starts, after);
  const ys = leavesOf(result.y, "scan: y").map((leaf) => leaf.tensor);
  if (!after.length && !ys.length)
    throw new OptionError("scan: the step returns neither a carry nor y: there is no result");

  const dtype = packedType([...carried, ...ys]);
  const standIns = new Map<Node, Node>();
  const carries = starts.map(({ tensor }, i) => {
    const at = tensor.dtype === dtype ? carried[i]!.node : placeholder(b, { dtype, shape: tensor.shape });
    if (at !== carried[i]!.node) standIns.set(carried[i]!.node, b.cast(at, tensor.dtype));
    return { from: b.cast(tensor.node, dtype), at, next: b.cast(after[i]!.tensor.node, dtype) };
  });
  if (options.until) {
    const flag = (carry: C): Node => {
      const holds = options.until!(carry);
      if (holds.dtype !== "bool" || holds.shape.length) {
        throw new ShapeError(`scan: until gives ${shown(holds)}; it must give one bool`);
      }
      return b.cast(holds.node, dtype);
    };
    carries.push({ from: flag(options.carry), at: placeholder(b, { dtype, shape: [] }), next: flag(result.carry) });
  }
  const packed = appendScan(b, {
    length,
    reverse: options.reverse ?? false,
    carries,
    xs: rows.map(({ tensor }, i) => ({ rows: tensor.node, at: inRow[i]!.node })),
    ys: ys.map((y) => b.cast(y.node, dtype)),
    index,
    until: options.until ? starts.length : -1,
    standIns,
  });

  const layout = layoutOf(attrsOf(packed));
  const take = (piece: Piece, as: DType): Tensor => like.of(takeAs(b, packed, piece, as));
  return {
    carry: rebuildTree(options.carry, starts.map(({ tensor }, i) => take(layout.carries[i]!, tensor.dtype))),
    ys: rebuildTree(result.y as Y, ys.map((y, i) => take(layout.ys[i]!, y.dtype))),
    steps: layout.steps ? take(layout.steps, dtype) : full(like, [], length, dtype),
  }; // biome-ignore format: one result
}

const takeAs = (b: Trace, packed: Node, piece: Piece, dtype: DType): Node => b.cast(takePiece(b, packed, piece), dtype);

/**
 * Repeats `step` while the condition holds, at most `max` times: `scan` with an early end. Differentiable through the steps taken;
 * a gradient takes memory for the carries of `max` steps, and time for those taken.
 *
 * @param condition  of the carry, a bool scalar
 * @param step       gets the carry and the number of steps taken before (an i32 scalar)
 * @returns          the last carry, and how many steps were taken; after `max` steps the condition may still hold
 */
export function whileLoop<C extends Tree>(
  initial: C,
  condition: (carry: C) => Tensor,
  step: (carry: C, t: Tensor) => C,
  { max }: { readonly max: number },
): { readonly carry: C; readonly steps: Tensor } {
  const { carry, steps } = scan({ carry: initial, length: max, until: (c: C) => not(condition(c)) }, (c: C, _x, t) => ({
    carry: step(c, t),
  }));
  return { carry, steps };
}
