import { type Expr, i32 } from "./assembler/expr.ts";
import type { FuncBuilder, Local } from "./assembler/module.ts";
import type { RoutineContext } from "./routines.ts";

export const plusBytes = (address: Expr, count: Expr, bytes: number): Expr =>
  i32.add(address, i32.mul(count, i32.const(bytes)));

/** Where what this part does of `total` begins, and where it ends; all of it where the op is not cut. */
export function rangeOf({ parts }: RoutineContext, isCut: boolean, part: Expr, total: number): readonly [Expr, Expr] {
  if (!isCut) return [i32.const(0), i32.const(total)];
  const start = (p: Expr) => i32.div_u(i32.mul(p, i32.const(total)), i32.const(parts));
  return [start(part), start(i32.add(part, i32.const(1)))];
}

/** Calls `piece` with the first and the count of each piece of at most `size` between `from` and `to`. */
export function eachPiece(
  f: FuncBuilder,
  size: number,
  from: Expr,
  to: Expr,
  piece: (first: Local, count: Local) => void,
): void {
  const [end, first, count] = [f.let(to), f.let(from), f.local("i32")];
  f.while(
    () => i32.lt_s(first, end),
    () => {
      f.set(count, i32.sub(end, first));
      f.if(i32.gt_s(count, i32.const(size)), () => f.set(count, i32.const(size)));
      piece(first, count);
      f.set(first, i32.add(first, count));
    },
  );
}
