import { bytesOf } from "../../base/dtype.ts";
import { sizeOf, stridesOf } from "../../base/shape.ts";
import type { Node } from "../../ir/node.ts";
import { type Expr, i32, i64 } from "./assembler/expr.ts";
import type { FuncBuilder } from "./assembler/module.ts";
import { addressOf, element, type RoutineContext, type RoutineEmitter } from "./routines.ts";

function argmax(c: RoutineContext, f: FuncBuilder, table: Expr, _part: Expr, node: Node): void {
  const x = node.inputs[0]!;
  const axis = node.attrs.axis as number;
  const stride = stridesOf(x.shape)[axis]!;
  const length = x.shape[axis]!;
  const outer = sizeOf(x.shape.slice(0, axis));
  const e = element[x.dtype as keyof typeof element];
  const size = bytesOf(x.dtype);
  const from = f.let(addressOf(c.plan, table, x));
  const to = f.let(addressOf(c.plan, table, node));
  const [i, j, k] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const best = f.local(x.dtype === "u32" ? "i32" : (x.dtype as "f32"));
  const where = f.local("i32");
  f.for(i, i32.const(0), i32.const(outer), 1, () => {
    f.for(j, i32.const(0), i32.const(stride), 1, () => {
      const row = f.let(i32.add(from, i32.mul(i32.add(i32.mul(i, i32.const(stride * length)), j), i32.const(size))));
      f.set(best, e.load(row));
      f.set(where, i32.const(0));
      f.for(k, i32.const(1), i32.const(length), 1, () => {
        const value = f.let(e.load(i32.add(row, i32.mul(k, i32.const(stride * size)))));
        f.if(e.gt(value, best), () => {
          f.set(best, value);
          f.set(where, k);
        });
      });
      f.do(i32.store(to, where));
      f.set(to, i32.add(to, i32.const(4)));
    });
  });
}

/** Fisher and Yates from the inside out: element i goes to a place j ≤ i, and what was there to i. */
function shuffle(c: RoutineContext, f: FuncBuilder, table: Expr, _part: Expr, node: Node): void {
  const bits = f.let(addressOf(c.plan, table, node.inputs[0]!));
  const out = f.let(addressOf(c.plan, table, node));
  const i = f.local("i32");
  f.for(i, i32.const(0), i32.const(node.shape[0]!), 1, () => {
    const word = i64.load32_u(i32.add(bits, i32.mul(i, i32.const(4))));
    const j = i32.wrap_i64(i64.shr_u(i64.mul(word, i64.extend_i32_u(i32.add(i, i32.const(1)))), i64.const(32n)));
    const other = f.let(i32.add(out, i32.mul(j, i32.const(4))));
    f.do(i32.store(i32.add(out, i32.mul(i, i32.const(4))), i32.load(other)));
    f.do(i32.store(other, i));
  });
}

/** Routines whose results are indices, by op. */
export const emitters: Readonly<Record<string, RoutineEmitter>> = { argmax, shuffle };
