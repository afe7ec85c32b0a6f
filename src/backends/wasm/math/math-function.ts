import { InternalError } from "../../../base/errors.ts";
import type { Expr, FuncRef } from "../assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "../assembler/module.ts";
import { EXP_KERNELS } from "./exp.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import { LOG_KERNELS } from "./log.ts";
import { LOGISTIC_KERNELS } from "./logistic.ts";
import type { SPECIAL_KERNELS } from "./special.ts";
import { TRIG_KERNELS } from "./trig.ts";

const COMMON_KERNELS = { ...EXP_KERNELS, ...LOG_KERNELS, ...LOGISTIC_KERNELS, ...TRIG_KERNELS };

type SpecialName = keyof typeof SPECIAL_KERNELS;

/** The functions of this folder: f32 within 2 ulp, f64 within 4 ulp, the same bits on every machine (NaN payloads excepted). */
export type MathName = keyof typeof COMMON_KERNELS | SpecialName;

export const SPECIAL_NAMES: readonly SpecialName[] = ["pow", "lgamma", "digamma", "erf", "erfinv"];
export const MATH_NAMES: readonly MathName[] = [...(Object.keys(COMMON_KERNELS) as (keyof typeof COMMON_KERNELS)[]), ...SPECIAL_NAMES]; // biome-ignore format: one list

let special: Readonly<Record<SpecialName, { f32: Kernel; f64: Kernel }>> | null = null;

/** Must have been awaited before a function of SPECIAL_NAMES is asked for. */
export async function loadSpecialMath(): Promise<void> {
  special ??= (await import("./special.ts")).SPECIAL_KERNELS;
}

function kernelOf(name: MathName, dtype: "f32" | "f64"): Kernel {
  const row =
    name in COMMON_KERNELS ? COMMON_KERNELS[name as keyof typeof COMMON_KERNELS] : special?.[name as SpecialName];
  if (!row) throw new InternalError(`wasm: ${name} was not loaded before it was emitted`);
  return row[dtype];
}

/**
 * The function of 4 × f32 or 2 × f64 (pow: of two such vectors) in module `m`, defined at the first request. It takes
 * any bits in any lane: no trap, no loop without bound.
 */
export const mathFunction = (m: ModuleBuilder, name: MathName, dtype: "f32" | "f64"): FuncRef =>
  defineKernel(m, `${name}.${dtype}`, name === "pow" ? 2 : 1, kernelOf(name, dtype));

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
): Expr => kernelOf(name, dtype)(m, f, x, y);
