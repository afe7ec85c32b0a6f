import type { Expr } from "../assembler/expr.ts";
import type { FuncBuilder, Local } from "../assembler/module.ts";
import type { Lanes } from "./lanes.ts";

/** c[0] + c[1] x + … + c[n] xⁿ by Horner's rule: fewest operations, one after the other. */
export function horner({ float }: Lanes, x: Local, c: readonly number[]): Expr {
  return c
    .slice(0, -1)
    .reduceRight<Expr>((sum, ck) => float.add(float.mul(sum, x), float.const(ck)), float.const(c.at(-1)!));
}

/** The same polynomial as E(x²) + x O(x²): one multiplication more, half the latency. */
export function evenOdd(f: FuncBuilder, lanes: Lanes, x: Local, c: readonly number[]): Expr {
  const { add, mul } = lanes.float;
  const square = f.let(mul(x, x));
  const even = c.filter((_, k) => k % 2 === 0);
  const odd = c.filter((_, k) => k % 2 === 1);
  return add(horner(lanes, square, even), mul(horner(lanes, square, odd), x));
}

/**
 * A rational approximation p(u) / q(u), fitted to what a constant leaves of the function: its rounding errors are
 * small in the sum.
 */
export interface Rational {
  readonly p: readonly number[];
  readonly q: readonly number[];
}

export const rational = (f: FuncBuilder, lanes: Lanes, u: Local, { p, q }: Rational): Expr =>
  lanes.float.div(evenOdd(f, lanes, u, p), evenOdd(f, lanes, u, q));
