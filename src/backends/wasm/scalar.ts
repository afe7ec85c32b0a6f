import type { DType } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import type { Node } from "../../ir/node.ts";
import type { BinaryName, CompareName, ShiftName, UnaryName } from "../../ops/vocabulary.ts";
import { call, type Expr, f32x4, f64x2, i32x4, i64x2, lanes32, v128 } from "./assembler/expr.ts";
import type { FuncBuilder, Local, ModuleBuilder } from "./assembler/module.ts";
import { inlineMath, type MathName, mathFunction } from "./math/index.ts";
import { constant, type Lanes, mask32 } from "./vector.ts";

/** Where an elementwise value is being emitted. Operands are locals, so that they may be named twice. */
export interface EmitContext {
  readonly m: ModuleBuilder;
  readonly f: FuncBuilder;
  readonly lanes: Lanes;
  /** Inside a loop of many turns: short functions are written out, so that their constants stay in registers. */
  readonly inline: boolean;
}

type Unary = (c: EmitContext, x: Expr, dtype: DType) => Expr;
type Binary = (c: EmitContext, x: Expr, y: Expr, dtype: DType) => Expr;

/** A choice by dtype; u32 falls back to i32, where the two agree. */
interface ByType<F> {
  readonly f32?: F;
  readonly f64?: F;
  readonly i32?: F;
  readonly u32?: F;
  readonly bool?: F;
}

function choose<F>(op: string, rows: ByType<F>, dtype: DType): F {
  const row = dtype === "u32" ? (rows.u32 ?? rows.i32) : dtype === "u8" ? rows.u32 : rows[dtype];
  if (!row) throw new InternalError(`wasm: no emitter for ${op} of ${dtype}: add it to src/backends/wasm/scalar.ts`);
  return row;
}

const math =
  (name: MathName): Unary =>
  ({ m }, x, dtype) =>
    call(mathFunction(m, name, dtype as "f32" | "f64"), x);

/** As `math`, but written out in loops. Two that begin alike, as softplus and sigmoid, then share what is common. */
const hotMath =
  (name: MathName): Unary =>
  (c, x, dtype) =>
    c.inline ? inlineMath(c.m, c.f, name, dtype as "f32" | "f64", x as Local) : math(name)(c, x, dtype);

const typed1 =
  (op: string, rows: ByType<(x: Expr) => Expr>): Unary =>
  (_c, x, dtype) =>
    choose(op, rows, dtype)(x);
const typed2 =
  (op: string, rows: ByType<(x: Expr, y: Expr) => Expr>): Binary =>
  (_c, x, y, dtype) =>
    choose(op, rows, dtype)(x, y);

/** (x > 0) − (x < 0), and NaN for NaN. */
const sign: Unary = (_c, x, dtype) => {
  const zero = constant(dtype, 0);
  const one = constant(dtype, 1);
  if (dtype === "i32") return i32x4.sub(i32x4.gt_s(zero, x), i32x4.gt_s(x, zero));
  if (dtype === "u32") return v128.and(i32x4.ne(x, zero), one);
  const v = dtype === "f32" ? f32x4 : f64x2;
  const signed = v128.or(one, v128.and(x, constant(dtype, -0)));
  return v128.bitselect(x, signed, v128.or(v.eq(x, zero), v.ne(x, x)));
};

/** Integer quotients through f64, which holds every 32-bit quotient exactly; x / 0 = 0. */
function quotient(c: EmitContext, x: Expr, y: Expr, dtype: DType): Expr {
  const { f } = c;
  const unsigned = dtype === "u32";
  const toFloat = unsigned ? f64x2.convert_low_i32x4_u : f64x2.convert_low_i32x4_s;
  const toInt = unsigned ? i32x4.trunc_sat_f64x2_u_zero : i32x4.trunc_sat_f64x2_s_zero;
  const high = (v: Expr) => v128.shuffle(v, v, lanes32(2, 3, 2, 3));
  const low = f.let(toInt(f64x2.div(toFloat(x), toFloat(y))));
  const top = f.let(toInt(f64x2.div(toFloat(high(x)), toFloat(high(y)))));
  const q = f.let(v128.shuffle(low, top, lanes32(0, 1, 4, 5)));
  // −2³¹ / −1 wraps round to itself, where the conversion would saturate.
  const wrapped = unsigned ? q : v128.bitselect(i32x4.neg(x), q, i32x4.eq(y, i32x4.const(-1)));
  return f.let(v128.andnot(wrapped, i32x4.eq(y, i32x4.const(0))));
}

const divide: Binary = (c, x, y, dtype) =>
  dtype === "f32" ? f32x4.div(x, y) : dtype === "f64" ? f64x2.div(x, y) : quotient(c, x, y, dtype);

const remainder: Binary = (c, x, y, dtype) =>
  v128.andnot(i32x4.sub(x, i32x4.mul(quotient(c, x, y, dtype), y)), i32x4.eq(y, i32x4.const(0)));

// biome-ignore format: one row an op
export const unary: Record<UnaryName, Unary> = {
  neg: typed1("neg", { f32: f32x4.neg, f64: f64x2.neg, i32: i32x4.neg }),
  abs: typed1("abs", { f32: f32x4.abs, f64: f64x2.abs, i32: i32x4.abs, u32: (x) => x }),
  sign,
  floor: typed1("floor", { f32: f32x4.floor, f64: f64x2.floor }),
  sqrt: typed1("sqrt", { f32: f32x4.sqrt, f64: f64x2.sqrt }),
  not: typed1("not", { i32: v128.not, bool: v128.not }),
  exp: hotMath("exp"), log: hotMath("log"), log1p: hotMath("log1p"), expm1: hotMath("expm1"), tanh: hotMath("tanh"),
  sigmoid: hotMath("sigmoid"), softplus: hotMath("softplus"), sin: math("sin"), cos: math("cos"), lgamma: math("lgamma"), digamma: math("digamma"),
  erf: math("erf"), erfinv: math("erfinv"),
};

// biome-ignore format: one row an op
export const binary: Record<BinaryName, Binary> = {
  add: typed2("add", { f32: f32x4.add, f64: f64x2.add, i32: i32x4.add }),
  sub: typed2("sub", { f32: f32x4.sub, f64: f64x2.sub, i32: i32x4.sub }),
  mul: typed2("mul", { f32: f32x4.mul, f64: f64x2.mul, i32: i32x4.mul }),
  div: divide,
  rem: remainder,
  pow: ({ m }, x, y, dtype) => call(mathFunction(m, "pow", dtype as "f32" | "f64"), x, y),
  minimum: typed2("minimum", { f32: f32x4.min, f64: f64x2.min, i32: i32x4.min_s, u32: i32x4.min_u }),
  maximum: typed2("maximum", { f32: f32x4.max, f64: f64x2.max, i32: i32x4.max_s, u32: i32x4.max_u }),
  and: typed2("and", { i32: v128.and, bool: v128.and }),
  or: typed2("or", { i32: v128.or, bool: v128.or }),
  xor: typed2("xor", { i32: v128.xor, bool: v128.xor }),
};

const notXor = (x: Expr, y: Expr) => v128.not(v128.xor(x, y));

// biome-ignore format: one row an op
const compare: Record<CompareName, ByType<(x: Expr, y: Expr) => Expr>> = {
  eq: { f32: f32x4.eq, f64: f64x2.eq, i32: i32x4.eq, u32: i32x4.eq, bool: notXor },
  ne: { f32: f32x4.ne, f64: f64x2.ne, i32: i32x4.ne, u32: i32x4.ne, bool: v128.xor },
  lt: { f32: f32x4.lt, f64: f64x2.lt, i32: i32x4.lt_s, u32: i32x4.lt_u, bool: (x, y) => v128.andnot(y, x) },
  le: { f32: f32x4.le, f64: f64x2.le, i32: i32x4.le_s, u32: i32x4.le_u, bool: (x, y) => v128.or(v128.not(x), y) },
  gt: { f32: f32x4.gt, f64: f64x2.gt, i32: i32x4.gt_s, u32: i32x4.gt_u, bool: (x, y) => v128.andnot(x, y) },
  ge: { f32: f32x4.ge, f64: f64x2.ge, i32: i32x4.ge_s, u32: i32x4.ge_u, bool: (x, y) => v128.or(x, v128.not(y)) },
};

// biome-ignore format: one row an op
const shift: Record<ShiftName, (x: Expr, bits: number) => Expr> = {
  shl: (x, bits) => i32x4.shl(x, bits),
  shr: (x, bits) => i32x4.shr_u(x, bits),
  rotl: (x, bits) => v128.or(i32x4.shl(x, bits), i32x4.shr_u(x, 32 - bits)),
};

/** Lane values of one dtype become those of another. `x` is a local. */
function cast(lanes: Lanes, x: Expr, from: DType, to: DType): Expr {
  const zero = i32x4.const(0);
  if (to === "bool") {
    if (from === "f64") return f64x2.ne(x, f64x2.const(0));
    const mask = from === "f32" ? f32x4.ne(x, f32x4.const(0)) : i32x4.ne(x, zero);
    return lanes === 4 ? mask : i64x2.extend_low_i32x4_s(mask);
  }
  switch (from) {
    case "bool":
      return to === "f64" ? v128.and(x, f64x2.const(1)) : v128.and(mask32(lanes, x), constant(to, 1));
    case "f32":
      if (to === "f64") return f64x2.promote_low_f32x4(x);
      if (to === "i32") return i32x4.trunc_sat_f32x4_s(x);
      return to === "u32" ? i32x4.trunc_sat_f32x4_u(x) : i32x4.min_u(i32x4.trunc_sat_f32x4_u(x), i32x4.const(255));
    case "f64":
      if (to === "f32") return f32x4.demote_f64x2_zero(x);
      if (to === "i32") return i32x4.trunc_sat_f64x2_s_zero(x);
      return to === "u32"
        ? i32x4.trunc_sat_f64x2_u_zero(x)
        : i32x4.min_u(i32x4.trunc_sat_f64x2_u_zero(x), i32x4.const(255));
    default:
      if (to === "f32") return from === "u32" ? f32x4.convert_i32x4_u(x) : f32x4.convert_i32x4_s(x);
      if (to === "f64") return from === "i32" ? f64x2.convert_low_i32x4_s(x) : f64x2.convert_low_i32x4_u(x);
      return to === "u8" ? v128.and(x, i32x4.const(255)) : x;
  }
}

function select(lanes: Lanes, dtype: DType, condition: Expr, x: Expr, y: Expr): Expr {
  const wide = dtype === "f64" || dtype === "bool";
  return v128.bitselect(x, y, wide ? condition : mask32(lanes, condition));
}

const isIn = <T extends object>(table: T, key: string): key is keyof T & string => key in table;

/** One elementwise node. Every scalar op has its row here; the compiler and the conformance suite find what is missing. */
export function emitScalar(c: EmitContext, node: Node, args: readonly Expr[]): Expr {
  const [x, y, z] = args as [Expr, Expr, Expr];
  const from = node.inputs[0]!.dtype;
  const { op } = node;
  if (isIn(unary, op)) return unary[op](c, x, from);
  if (isIn(binary, op)) return binary[op](c, x, y, from);
  if (isIn(compare, op)) {
    const mask = choose(op, compare[op], from)(x, y);
    const narrow = c.lanes === 2 && from !== "f64" && from !== "bool";
    return narrow ? i64x2.extend_low_i32x4_s(mask) : mask;
  }
  if (isIn(shift, op)) return shift[op](x, node.attrs.bits as number);
  switch (op) {
    case "select":
      return select(c.lanes, node.dtype, x, y, z);
    case "cast":
      return cast(c.lanes, x, from, node.dtype);
    case "bitcast":
    case "copy":
      return x;
    default:
      throw new InternalError(`wasm: no emitter for op "${op}": add a row to src/backends/wasm/scalar.ts`);
  }
}
