import { call, type Expr, type FuncRef, f32x4, f64x2, lanes32, v128 } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";

/**
 * Appends the statements that compute a function of whole vectors to `f`, and returns the result. It never returns
 * from `f`, traps or loops without bound, so that it can stand inside any loop body. `m` is for the routines it
 * shares with others; `y` is the second operand of `pow` and x again for the rest.
 */
export type Kernel = (m: ModuleBuilder, f: FuncBuilder, x: Local, y: Local) => Expr;

/** The kernel as a function of module `m`, defined at the first request. */
export function defineKernel(m: ModuleBuilder, name: string, arity: 1 | 2, kernel: Kernel): FuncRef {
  return m.once(`math.${name}`, () =>
    m.function(`math.${name}`, arity === 1 ? ["v128"] : ["v128", "v128"], ["v128"], (f, ...args) =>
      kernel(m, f, args[0]!, args.at(-1)!),
    ),
  );
}

/** 4 × f32 by a kernel on 2 × f64: both halves are promoted, evaluated by one function, and demoted. */
export const promoted =
  (name: string, arity: 1 | 2, kernel: Kernel): Kernel =>
  (m, f, x, y) => {
    const narrow = defineKernel(m, `${name}.narrow`, arity, kernel);
    const operands = arity === 1 ? [x] : [x, y];
    const half = (of: readonly Expr[]): Expr =>
      f32x4.demote_f64x2_zero(call(narrow, ...of.map((v) => f64x2.promote_low_f32x4(v))));
    const upper = operands.map((v) => v128.shuffle(v, v, lanes32(2, 3, 2, 3)));
    return v128.shuffle(f.let(half(operands)), f.let(half(upper)), lanes32(0, 1, 4, 5));
  };
