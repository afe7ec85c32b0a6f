import type { Expr, FuncRef } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { DIGAMMA_KERNELS } from "./digamma.ts";
import { ERF_KERNELS } from "./erf.ts";
import { ERFINV_KERNELS } from "./erfinv.ts";
import { EXP_KERNELS } from "./exp.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { LGAMMA_KERNELS } from "./lgamma.ts";
import { LOG_KERNELS } from "./log.ts";
import { LOGISTIC_KERNELS } from "./logistic.ts";
import { POW_KERNELS } from "./pow.ts";
import { TRIG_KERNELS } from "./trig.ts";

const KERNELS = {
  ...EXP_KERNELS,
  ...LOG_KERNELS,
  ...LOGISTIC_KERNELS,
  ...TRIG_KERNELS,
  ...POW_KERNELS,
  ...LGAMMA_KERNELS,
  ...DIGAMMA_KERNELS,
  ...ERF_KERNELS,
  ...ERFINV_KERNELS,
} satisfies Record<string, { f32: Kernel; f64: Kernel }>;

/**
 * The functions of this folder: f32 within 2 ulp, f64 within 4 ulp, the same bits on every machine (NaN payloads
 * excepted).
 */
export type MathName = keyof typeof KERNELS;

export const MATH_NAMES = Object.keys(KERNELS) as MathName[];

/**
 * The function of 4 × f32 or 2 × f64 (pow: of two such vectors) in module `m`, defined at the first request. It takes
 * any bits in any lane: no trap, no loop without bound.
 */
export const mathFunction = (m: ModuleBuilder, name: MathName, dtype: "f32" | "f64"): FuncRef =>
  defineKernel(m, `${name}.${dtype}`, name === "pow" ? 2 : 1, KERNELS[name][dtype]);

/**
 * The same written into the body of `f`. In a loop this is faster than a call: the compiler keeps the coefficients in
 * registers or on the stack instead of building each anew from immediates. Operands are locals; `y` is for pow.
 */
export const inlineMath = (
  m: ModuleBuilder,
  f: FuncBuilder,
  name: MathName,
  dtype: "f32" | "f64",
  x: Local,
  y: Local = x,
): Expr => KERNELS[name][dtype](m, f, x, y);
