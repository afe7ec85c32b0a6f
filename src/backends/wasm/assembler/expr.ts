import { f32 as f32Bytes, f64 as f64Bytes, s32, s64, u32 } from "./encoding.ts";

export type ValType = "i32" | "i64" | "f32" | "f64" | "v128";

/** A function of the module under construction; its index is known only when the module is encoded. */
export interface FuncRef {
  readonly name: string;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

/** 16 bytes that the module keeps in an immutable global: V8 builds an immediate anew from three instructions at each use. */
export interface VectorConstant {
  readonly bytes: readonly number[];
}

/** One byte, or a function or constant whose index stands here once the module is encoded. */
export type Token = number | FuncRef | VectorConstant;

/** An expression tree: the operands are written first, then the instruction. `void` expressions are statements. */
export interface Expr {
  readonly type: ValType | "void";
  readonly args: readonly Expr[];
  readonly code: readonly Token[];
}

export const instr = (type: ValType | "void", code: readonly Token[], ...args: Expr[]): Expr => ({ type, args, code });

export function write(expr: Expr, out: Token[]): void {
  for (const arg of expr.args) write(arg, out);
  for (const token of expr.code) out.push(token);
}

/** Calls `f`; with several results use `FuncBuilder.letCall`. */
export const call = (f: FuncRef, ...args: Expr[]): Expr => instr(f.results[0] ?? "void", [0x10, f], ...args);

const simd = (opcode: number): number[] => [0xfd, ...u32(opcode)];

type Unary = (a: Expr) => Expr;
type Binary = (a: Expr, b: Expr) => Expr;
type Table<N extends string, F> = { readonly [K in N]: F };

function unary<N extends string>(type: ValType, rows: Record<N, number[]>): Table<N, Unary> {
  const out = {} as Record<N, Unary>;
  for (const name in rows) out[name] = (a) => instr(type, rows[name], a);
  return out;
}
function binary<N extends string>(type: ValType, rows: Record<N, number[]>): Table<N, Binary> {
  const out = {} as Record<N, Binary>;
  for (const name in rows) out[name] = (a, b) => instr(type, rows[name], a, b);
  return out;
}
const scalarRows = <N extends string>(rows: Record<N, number>): Record<N, number[]> =>
  Object.fromEntries(Object.entries<number>(rows).map(([k, v]) => [k, [v]])) as Record<N, number[]>;
const simdRows = <N extends string>(rows: Record<N, number>): Record<N, number[]> =>
  Object.fromEntries(Object.entries<number>(rows).map(([k, v]) => [k, simd(v)])) as Record<N, number[]>;

/** Loads and stores take a byte address, and a constant offset that costs nothing. Alignment is only a hint: 0 is always right. */
const load =
  (type: ValType, opcode: number[]) =>
  (address: Expr, offset = 0): Expr =>
    instr(type, [...opcode, 0, ...u32(offset)], address);
const store =
  (opcode: number[]) =>
  (address: Expr, value: Expr, offset = 0): Expr =>
    instr("void", [...opcode, 0, ...u32(offset)], address, value);
const loadLane =
  (opcode: number) =>
  (address: Expr, vector: Expr, lane: number, offset = 0): Expr =>
    instr("v128", [...simd(opcode), 0, ...u32(offset), lane], address, vector);
const storeLane =
  (opcode: number) =>
  (address: Expr, vector: Expr, lane: number, offset = 0): Expr =>
    instr("void", [...simd(opcode), 0, ...u32(offset), lane], address, vector);
const extract = (type: ValType, opcode: number) => (a: Expr, lane: number) => instr(type, [...simd(opcode), lane], a);
const replace = (opcode: number) => (a: Expr, lane: number, value: Expr) =>
  instr("v128", [...simd(opcode), lane], a, value);
const shift = (opcode: number) => (a: Expr, count: number | Expr) =>
  instr("v128", simd(opcode), a, typeof count === "number" ? i32.const(count) : count);

// biome-ignore format: opcode tables read best as tables
export const i32 = {
  const: (value: number): Expr => instr("i32", [0x41, ...s32(value)]),
  load: load("i32", [0x28]), load8_u: load("i32", [0x2d]), store: store([0x36]), 
  ...unary("i32", scalarRows({ eqz: 0x45, wrap_i64: 0xa7,  })),
  ...binary("i32", scalarRows({
    eq: 0x46, ne: 0x47, lt_s: 0x48, lt_u: 0x49, gt_s: 0x4a, gt_u: 0x4b, le_s: 0x4c, le_u: 0x4d, ge_s: 0x4e, 
    add: 0x6a, sub: 0x6b, mul: 0x6c, div_u: 0x6e, and: 0x71, or: 0x72, xor: 0x73,
    shl: 0x74, shr_s: 0x75, shr_u: 0x76, rotl: 0x77, 
  })),
};

// biome-ignore format: opcode tables read best as tables
export const i64 = {
  const: (value: bigint): Expr => instr("i64", [0x42, ...s64(value)]),
  load: load("i64", [0x29]), load32_u: load("i64", [0x35]), store: store([0x37]), 
  eqz: (a: Expr): Expr => instr("i32", [0x50], a),
  ...unary("i64", scalarRows({ clz: 0x79, extend_i32_u: 0xad, reinterpret_f64: 0xbd })),
  ...binary("i32", scalarRows({
    eq: 0x51, ne: 0x52, lt_u: 0x54, 
  })),
  ...binary("i64", scalarRows({
    add: 0x7c, sub: 0x7d, mul: 0x7e, and: 0x83, or: 0x84, xor: 0x85,
    shl: 0x86, shr_s: 0x87, shr_u: 0x88, rotl: 0x89,
  })),
};

// biome-ignore format: opcode tables read best as tables
export const f32 = {
  const: (value: number): Expr => instr("f32", [0x43, ...f32Bytes(value)]),
  load: load("f32", [0x2a]), store: store([0x38]),
  ...binary("i32", scalarRows({ eq: 0x5b, ne: 0x5c, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60 })),
  ...unary("f32", scalarRows({
    abs: 0x8b, neg: 0x8c, floor: 0x8e, nearest: 0x90, sqrt: 0x91,
    
  })),
  ...binary("f32", scalarRows({ add: 0x92, sub: 0x93, mul: 0x94, div: 0x95, min: 0x96, max: 0x97,  })),
};

// biome-ignore format: opcode tables read best as tables
export const f64 = {
  const: (value: number): Expr => instr("f64", [0x44, ...f64Bytes(value)]),
  load: load("f64", [0x2b]), store: store([0x39]),
  ...binary("i32", scalarRows({ eq: 0x61, ne: 0x62, lt: 0x63, gt: 0x64, le: 0x65, ge: 0x66 })),
  ...unary("f64", scalarRows({
    abs: 0x99, neg: 0x9a, floor: 0x9c, nearest: 0x9e, sqrt: 0x9f,
    convert_i32_s: 0xb7, convert_i32_u: 0xb8, convert_i64_s: 0xb9, convert_i64_u: 0xba, promote_f32: 0xbb, reinterpret_i64: 0xbf,
  })),
  ...binary("f64", scalarRows({ add: 0xa0, sub: 0xa1, mul: 0xa2, div: 0xa3, min: 0xa4, max: 0xa5, copysign: 0xa6 })),
};

const SHUFFLE = 13;

// biome-ignore format: opcode tables read best as tables
export const v128 = {
  /** 16 bytes, kept in a global of the module; all zeros and all ones are immediates, which need one instruction. */
  const: (bytes: readonly number[]): Expr =>
    instr("v128", bytes.every((b) => b === 0) || bytes.every((b) => b === 255) ? [...simd(12), ...bytes] : [{ bytes }]),
  load: load("v128", simd(0)), store: store(simd(11)),
  
  load32_splat: load("v128", simd(9)), load64_splat: load("v128", simd(10)),
  load32_zero: load("v128", simd(92)), load64_zero: load("v128", simd(93)),
  load16_lane: loadLane(85), load32_lane: loadLane(86), load64_lane: loadLane(87),
  store8_lane: storeLane(88), store32_lane: storeLane(90), store64_lane: storeLane(91),
  ...unary("v128", simdRows({ not: 77 })),
  ...binary("v128", simdRows({ and: 78, andnot: 79, or: 80, xor: 81 })),
  /** Bits of `a` where `mask` is 1, of `b` where it is 0. */
  bitselect: (a: Expr, b: Expr, mask: Expr): Expr => instr("v128", simd(82), a, b, mask),
  any_true: (a: Expr): Expr => instr("i32", simd(83), a),
  /** Byte shuffle: lane i of the result is byte `lanes[i]` of the 32 bytes a‖b. */
  shuffle: (a: Expr, b: Expr, lanes: readonly number[]): Expr => instr("v128", [...simd(SHUFFLE), ...lanes], a, b),
};

/** The 16 byte lanes that move 32-bit lanes `lanes` of a‖b (0–7), for `v128.shuffle`. */
export const lanes32 = (...lanes: number[]): number[] => lanes.flatMap((l) => [0, 1, 2, 3].map((b) => 4 * l + b));
/** The 16 byte lanes that move 64-bit lanes `lanes` of a‖b (0–3), for `v128.shuffle`. */
export const lanes64 = (...lanes: number[]): number[] =>
  lanes.flatMap((l) => [0, 1, 2, 3, 4, 5, 6, 7].map((b) => 8 * l + b));

// biome-ignore format: opcode tables read best as tables
export const i8x16 = {
  
  ...binary("v128", simdRows({ narrow_i16x8_u: 102, add: 110, sub: 113, eq: 35 })),
};

// biome-ignore format: opcode tables read best as tables
export const i16x8 = {
  ...unary("v128", simdRows({ extend_low_i8x16_u: 137,  })),
  ...binary("v128", simdRows({ narrow_i32x4_u: 134, add: 142, mul: 149 })),
};

// biome-ignore format: opcode tables read best as tables
export const i32x4 = {
  splat: (a: Expr): Expr => instr("v128", simd(17), a),
  /** All lanes the constant, or the four given. */
  const: (...values: number[]): Expr => {
    const all = values.length === 1 ? [values[0]!, values[0]!, values[0]!, values[0]!] : values;
    return v128.const(all.flatMap((v) => [0, 8, 16, 24].map((s) => (v >>> s) & 255)));
  },
  extract: extract("i32", 27), replace: replace(28), shl: shift(171), shr_s: shift(172), shr_u: shift(173),
  all_true: (a: Expr): Expr => instr("i32", simd(163), a),
  bitmask: (a: Expr): Expr => instr("i32", simd(164), a),
  ...unary("v128", simdRows({
    abs: 160, neg: 161, extend_low_i16x8_u: 169, trunc_sat_f32x4_s: 248, trunc_sat_f32x4_u: 249,
    trunc_sat_f64x2_s_zero: 252, trunc_sat_f64x2_u_zero: 253,
  })),
  ...binary("v128", simdRows({
    eq: 55, ne: 56, lt_s: 57, lt_u: 58, gt_s: 59, gt_u: 60, le_s: 61, le_u: 62, ge_s: 63, ge_u: 64,
    add: 174, sub: 177, mul: 181, min_s: 182, min_u: 183, max_s: 184, max_u: 185,
  })),
};

// biome-ignore format: opcode tables read best as tables
export const i64x2 = {
  splat: (a: Expr): Expr => instr("v128", simd(18), a),
  /** Both lanes the constant. */
  const: (value: bigint): Expr => {
    const bytes = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => Number((BigInt.asUintN(64, value) >> BigInt(8 * i)) & 255n));
    return v128.const([...bytes, ...bytes]);
  },
  extract: extract("i64", 29), replace: replace(30), shl: shift(203), shr_s: shift(204), shr_u: shift(205),
  all_true: (a: Expr): Expr => instr("i32", simd(195), a),
  bitmask: (a: Expr): Expr => instr("i32", simd(196), a),
  ...unary("v128", simdRows({
    abs: 192, neg: 193, extend_low_i32x4_s: 199, 
  })),
  ...binary("v128", simdRows({
    add: 206, sub: 209, mul: 213, eq: 214, ne: 215, 
    
  })),
};

// biome-ignore format: opcode tables read best as tables
export const f32x4 = {
  splat: (a: Expr): Expr => instr("v128", simd(19), a),
  /** All lanes the constant. */
  const: (value: number): Expr => { const b = f32Bytes(value); return v128.const([...b, ...b, ...b, ...b]); },
  extract: extract("f32", 31), 
  ...unary("v128", simdRows({
    abs: 224, neg: 225, sqrt: 227, floor: 104, nearest: 106,
    convert_i32x4_s: 250, convert_i32x4_u: 251, demote_f64x2_zero: 94,
  })),
  ...binary("v128", simdRows({
    eq: 65, ne: 66, lt: 67, gt: 68, le: 69, ge: 70, add: 228, sub: 229, mul: 230, div: 231, min: 232, max: 233, pmin: 234, pmax: 235,
  })),
  /** a·b + c, fused or not as the machine likes: only where relaxed SIMD was probed and determinism is not asked. */
  relaxed_madd: (a: Expr, b: Expr, c: Expr): Expr => instr("v128", simd(0x105), a, b, c),
};

// biome-ignore format: opcode tables read best as tables
export const f64x2 = {
  splat: (a: Expr): Expr => instr("v128", simd(20), a),
  /** Both lanes the constant. */
  const: (value: number): Expr => { const b = f64Bytes(value); return v128.const([...b, ...b]); },
  extract: extract("f64", 33), replace: replace(34),
  ...unary("v128", simdRows({
    abs: 236, neg: 237, sqrt: 239, floor: 117, nearest: 148,
    convert_low_i32x4_s: 254, convert_low_i32x4_u: 255, promote_low_f32x4: 95,
  })),
  ...binary("v128", simdRows({
    eq: 71, ne: 72, lt: 73, gt: 74, le: 75, ge: 76, add: 240, sub: 241, mul: 242, div: 243, min: 244, max: 245, pmin: 246, pmax: 247,
  })),
  /** a·b + c, fused or not as the machine likes: only where relaxed SIMD was probed and determinism is not asked. */
  relaxed_madd: (a: Expr, b: Expr, c: Expr): Expr => instr("v128", simd(0x107), a, b, c),
};

/** `a` when `condition` is not 0, else `b`; both are evaluated. */
export const select = (condition: Expr, a: Expr, b: Expr): Expr =>
  a.type === "v128" ? instr("v128", [0x1c, 1, 0x7b], a, b, condition) : instr(a.type, [0x1b], a, b, condition);

/** Sequentially consistent operations on shared memory; addresses must be multiples of 4. */
export const atomic = {
  load: (address: Expr, offset = 0): Expr => instr("i32", [0xfe, 0x10, 2, ...u32(offset)], address),
  store: (address: Expr, value: Expr, offset = 0): Expr =>
    instr("void", [0xfe, 0x17, 2, ...u32(offset)], address, value),
  /** Adds, and gives what was there before. */
  add: (address: Expr, value: Expr, offset = 0): Expr => instr("i32", [0xfe, 0x1e, 2, ...u32(offset)], address, value),
  /** Puts `value` where `expected` is, and gives what was there: it succeeded when that is `expected`. */
  compareExchange: (address: Expr, expected: Expr, value: Expr, offset = 0): Expr =>
    instr("i32", [0xfe, 0x48, 2, ...u32(offset)], address, expected, value),
  /** Sleeps while the word is `expected`, at most `nanoseconds` (i64): 0 woken, 1 it was another, 2 timed out. */
  wait: (address: Expr, expected: Expr, nanoseconds: Expr, offset = 0): Expr =>
    instr("i32", [0xfe, 0x01, 2, ...u32(offset)], address, expected, nanoseconds),
  /** Wakes at most `count` sleepers. */
  notify: (address: Expr, count: Expr, offset = 0): Expr =>
    instr("i32", [0xfe, 0x00, 2, ...u32(offset)], address, count),
};

/** Stops the program with an error. */
export const unreachable: Expr = instr("void", [0x00]);

export const memory = {
  /** Copies `bytes` from `source` to `target`; they may overlap. */
  copy: (target: Expr, source: Expr, bytes: Expr): Expr => instr("void", [0xfc, 10, 0, 0], target, source, bytes),
  /** Sets `bytes` bytes at `target` to the low byte of `value`. */
  fill: (target: Expr, value: Expr, bytes: Expr): Expr => instr("void", [0xfc, 11, 0], target, value, bytes),
};
