import type { Node } from "../../../ir/node.ts";
import { attrsOf, operandsOf } from "../../../ops/scan/layout.ts";
import { type Expr, f32, f32x4, f64, i32, i32x4, i64, memory, select, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import { placeAddress } from "../loop.ts";
import { addressOf, type RoutineContext } from "../routines.ts";

/** Where the packed result lies. */
export const addressOfResult = (c: RoutineContext, table: Expr, node: Node): Expr =>
  placeAddress(table, c.plan.places.get(node)!);

/** How many steps there are at most: the rows, or the count that was given, whichever is less. */
export function stepLimit(c: RoutineContext, f: FuncBuilder, table: Expr, node: Node): Local {
  const { length } = attrsOf(node);
  const { count } = operandsOf(node);
  const limit = f.let(i32.const(length));
  if (!count) return limit;
  const address = addressOf(c.plan, table, count);
  const whole =
    count.dtype === "f64"
      ? i32x4.trunc_sat_f64x2_s_zero(v128.load64_splat(address))
      : i32x4.trunc_sat_f32x4_s(v128.load32_splat(address));
  const given = f.let(i32x4.extract(whole, 0));
  f.set(limit, select(i32.lt_s(given, limit), given, limit));
  return limit;
}

/** Whether the flag at this address is set. */
export const isSet = (node: Node, address: Expr): Expr =>
  node.dtype === "f64" ? f64.ne(f64.load(address), f64.const(0)) : f32.ne(f32.load(address), f32.const(0));

/** Writes how many steps were taken. */
export function storeSteps(f: FuncBuilder, node: Node, out: Expr, offset: number | null, taken: Expr): void {
  if (offset === null) return;
  if (node.dtype === "f64") f.do(f64.store(out, f64.convert_i32_s(taken), offset));
  else f.do(v128.store32_lane(out, f32x4.convert_i32x4_s(i32x4.splat(taken)), 0, offset));
}

/** Bytes up to which a copy is written out. */
const SHORT = 128;

/** Copies bytes between places that do not overlap. */
export function copyBytes(f: FuncBuilder, to: Local, from: Local, bytes: number): void {
  if (bytes > SHORT) {
    f.do(memory.copy(to, from, i32.const(bytes)));
    return;
  }
  let at = 0;
  for (; at + 16 <= bytes; at += 16) f.do(v128.store(to, v128.load(from, at), at));
  for (; at + 8 <= bytes; at += 8) f.do(i64.store(to, i64.load(from, at), at));
  for (; at + 4 <= bytes; at += 4) f.do(i32.store(to, i32.load(from, at), at));
}
