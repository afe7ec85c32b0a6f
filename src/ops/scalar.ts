import { allocate, type DType, isFloat, isInt } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { sameShape, showShape } from "../base/shape.ts";
import * as special from "../base/special.ts";
import type { Node } from "../ir/node.ts";
import { trigamma } from "./polygamma.ts";
import type { BinaryName, CompareName, Op, ShiftName, Trace, UnaryName } from "./vocabulary.ts";

type Domain = "float" | "number" | "int" | "bits";

/** An elementwise op in one row: its meaning on numbers, and the cotangents of its operands given (g, y, …x). */
interface ScalarOp {
  readonly on: Domain;
  readonly eval: (...x: number[]) => number;
  /** Where 32-bit integers need more than 53 bits on the way. */
  readonly evalInt?: (...x: number[]) => number;
  readonly vjp: ((b: Trace, g: Node, y: Node, ...x: Node[]) => (Node | null)[]) | null;
}

const none = () => [null, null];
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

// biome-ignore format: a table of formulas reads best with one row a line
export const unary: Record<UnaryName, ScalarOp> = {
  neg:      { on: "number", eval: (x) => -x,         vjp: (b, g) => [b.neg(g)] },
  abs:      { on: "number", eval: Math.abs,          vjp: (b, g, _y, x) => [b.mul(g, b.sign(x))] },
  sign:     { on: "number", eval: Math.sign,         vjp: none },
  floor:    { on: "float",  eval: Math.floor,        vjp: none },
  sqrt:     { on: "float",  eval: Math.sqrt,         vjp: (b, g, y) => [b.div(b.mul(g, 0.5), y)] },          // 1 / (2 √x)
  exp:      { on: "float",  eval: Math.exp,          vjp: (b, g, y) => [b.mul(g, y)] },                       // e^x
  log:      { on: "float",  eval: Math.log,          vjp: (b, g, _y, x) => [b.div(g, x)] },                   // 1 / x
  log1p:    { on: "float",  eval: Math.log1p,        vjp: (b, g, _y, x) => [b.div(g, b.add(x, 1))] },         // 1 / (1 + x)
  expm1:    { on: "float",  eval: Math.expm1,        vjp: (b, g, y) => [b.mul(g, b.add(y, 1))] },             // e^x
  tanh:     { on: "float",  eval: Math.tanh,         vjp: (b, g, y) => [b.mul(g, b.sub(1, b.mul(y, y)))] },   // 1 − tanh²
  sigmoid:  { on: "float",  eval: special.sigmoid,   vjp: (b, g, y) => [b.mul(g, b.mul(y, b.sub(1, y)))] },   // σ (1 − σ)
  softplus: { on: "float",  eval: special.softplus,  vjp: (b, g, _y, x) => [b.mul(g, b.sigmoid(x))] },        // σ(x)
  sin:      { on: "float",  eval: Math.sin,          vjp: (b, g, _y, x) => [b.mul(g, b.cos(x))] },
  cos:      { on: "float",  eval: Math.cos,          vjp: (b, g, _y, x) => [b.neg(b.mul(g, b.sin(x)))] },
  lgamma:   { on: "float",  eval: special.lgamma,    vjp: (b, g, _y, x) => [b.mul(g, b.digamma(x))] },
  digamma:  { on: "float",  eval: special.digamma,   vjp: (b, g, _y, x) => [b.mul(g, trigamma(b, x))] },
  erf:      { on: "float",  eval: special.erf,       vjp: (b, g, _y, x) => [b.mul(g, b.mul(b.exp(b.neg(b.mul(x, x))), TWO_OVER_SQRT_PI))] },
  erfinv:   { on: "float",  eval: special.erfinv,    vjp: (b, g, y) => [b.mul(g, b.mul(b.exp(b.mul(y, y)), 1 / TWO_OVER_SQRT_PI))] },
  not:      { on: "bits",   eval: (x) => ~x,         vjp: none },
};

// biome-ignore format: a table of formulas reads best with one row a line
export const binary: Record<BinaryName, ScalarOp> = {
  add: { on: "number", eval: (x, y) => x! + y!, vjp: (_b, g) => [g, g] },
  sub: { on: "number", eval: (x, y) => x! - y!, vjp: (b, g) => [g, b.neg(g)] },
  mul: { on: "number", eval: (x, y) => x! * y!, evalInt: Math.imul as (...x: number[]) => number, vjp: (b, g, _y, x, z) => [b.mul(g, z!), b.mul(g, x!)] },
  div: { on: "number", eval: (x, y) => x! / y!, evalInt: (x, y) => (y === 0 ? 0 : Math.trunc(x! / y!)),
         vjp: (b, g, y, _x, z) => [b.div(g, z!), b.neg(b.div(b.mul(g, y), z!))] },                            // −x / z² = −y / z
  rem: { on: "int",    eval: (x, y) => x! % y!, evalInt: (x, y) => (y === 0 ? 0 : x! % y!), vjp: none },
  pow: { on: "float",  eval: (x, y) => special.pow(x!, y!),
         vjp: (b, g, y, x, z) => [
           b.select(b.eq(z!, 0), 0, b.mul(g, b.mul(z!, b.pow(x!, b.sub(z!, 1))))),                            // z x^(z−1)
           b.select(b.gt(x!, 0), b.mul(g, b.mul(y, b.log(b.select(b.gt(x!, 0), x!, 1)))), 0),                 // x^z log x
         ] },
  minimum: { on: "number", eval: (x, y) => Math.min(x!, y!), vjp: (b, g, _y, x, z) => [b.select(b.le(x!, z!), g, 0), b.select(b.le(x!, z!), 0, g)] },
  maximum: { on: "number", eval: (x, y) => Math.max(x!, y!), vjp: (b, g, _y, x, z) => [b.select(b.ge(x!, z!), g, 0), b.select(b.ge(x!, z!), 0, g)] },
  and: { on: "bits",   eval: (x, y) => x! & y!, vjp: none },
  or:  { on: "bits",   eval: (x, y) => x! | y!, vjp: none },
  xor: { on: "bits",   eval: (x, y) => x! ^ y!, vjp: none },
};

export const compare: Record<CompareName, (x: number, y: number) => boolean> = {
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
  lt: (x, y) => x < y,
  le: (x, y) => x <= y,
  gt: (x, y) => x > y,
  ge: (x, y) => x >= y,
};

export const shift: Record<ShiftName, (x: number, bits: number) => number> = {
  shl: (x, bits) => x << bits,
  shr: (x, bits) => x >>> bits,
  rotl: (x, bits) => (x << bits) | (x >>> (32 - bits)),
};

const domains: Record<Domain, (dtype: DType) => boolean> = {
  float: isFloat,
  number: (d) => isFloat(d) || d === "i32" || d === "u32",
  int: (d) => d === "i32" || d === "u32",
  bits: (d) => d === "bool" || d === "i32" || d === "u32",
};
const domainText: Record<Domain, string> = {
  float: "f32 or f64",
  number: "f32, f64, i32 or u32",
  int: "i32 or u32",
  bits: "bool, i32 or u32",
};

/** Operands of an elementwise op have one dtype and one shape; broadcasting is the tensor facade's. */
function checkOperands(op: string, inputs: readonly Node[], on: Domain): void {
  const [first] = inputs as [Node];
  if (!domains[on](first.dtype)) {
    throw new ShapeError(`${op} takes ${domainText[on]}, not ${first.dtype}: cast the operand first`);
  }
  for (const other of inputs) {
    if (other.dtype !== first.dtype) {
      throw new ShapeError(`${op} mixes ${first.dtype} and ${other.dtype}: cast one of them, as by .cast("f64")`);
    }
    if (!sameShape(other.shape, first.shape)) {
      throw new ShapeError(`${op} got shapes ${showShape(first.shape)} and ${showShape(other.shape)}, which differ`);
    }
  }
}

/** Adds the new leading axis to the operands that lack it, so that all have one shape. */
function alignBatch(b: Trace, args: readonly Node[], batched: readonly boolean[], size: number): Node[] {
  return args.map(
    (arg, i) =>
    batched[i] ? arg : b.broadcast(arg, [size, ...arg.shape], arg.shape.map((_, axis) => axis + 1)), // biome-ignore format: short
  );
}

const elementwiseBatch: Op["batch"] = (b, args, batched, node, size) =>
  b.builder.append(node.op, alignBatch(b, args, batched, size), node.attrs);

/** Lifts a function of numbers to arrays; writing into a typed array rounds f32 and wraps integers. */
function evaluateWith(f: (...x: number[]) => number): Op["evaluate"] {
  return (args, node) => {
    const n = node.shape.reduce((p, d) => p * d, 1);
    const out = allocate(node.dtype, n);
    const [x, y, z] = args;
    if (!y) for (let i = 0; i < n; i++) out[i] = f(x![i]!);
    else if (!z) for (let i = 0; i < n; i++) out[i] = f(x![i]!, y[i]!);
    else for (let i = 0; i < n; i++) out[i] = f(x![i]!, y[i]!, z[i]!);
    return out;
  };
}

function lift(name: string, row: ScalarOp): Op {
  return {
    infer: (inputs) => {
      checkOperands(name, inputs, row.on);
      return { shape: inputs[0]!.shape, dtype: inputs[0]!.dtype };
    },
    vjp: row.vjp && ((b, g, node) => (isFloat(node.dtype) ? row.vjp!(b, g, node, ...node.inputs) : none())),
    batch: elementwiseBatch,
    evaluate: (args, node) => {
      const mask = node.dtype === "bool" ? (x: number) => x & 1 : null;
      const f = row.evalInt && !isFloat(node.dtype) ? row.evalInt : row.eval;
      return evaluateWith(mask ? (...x) => mask(f(...x)) : f)(args, node);
    },
  };
}

const liftCompare = (name: string, f: (x: number, y: number) => boolean): Op => ({
  infer: (inputs) => {
    const on = inputs[0]!.dtype === "bool" || inputs[0]!.dtype === "u8" ? null : "number";
    if (on) checkOperands(name, inputs, on);
    else if (inputs[1]!.dtype !== inputs[0]!.dtype || !sameShape(inputs[0]!.shape, inputs[1]!.shape)) {
      throw new ShapeError(`${name} needs two operands of one dtype and shape`);
    }
    return { shape: inputs[0]!.shape, dtype: "bool" };
  },
  vjp: none,
  batch: elementwiseBatch,
  evaluate: evaluateWith((x, y) => (f(x!, y!) ? 1 : 0)),
});

const liftShift = (name: string, f: (x: number, bits: number) => number): Op => ({
  infer: (inputs, attrs) => {
    const x = inputs[0]!;
    const bits = attrs.bits as number;
    if (!isInt(x.dtype) || x.dtype === "u8") throw new ShapeError(`${name} takes i32 or u32, not ${x.dtype}`);
    if (!Number.isInteger(bits) || bits < 1 || bits > 31)
      throw new ShapeError(`${name} takes 1 to 31 bits, not ${bits}`);
    return { shape: x.shape, dtype: x.dtype };
  },
  vjp: none,
  batch: elementwiseBatch,
  evaluate: (args, node) => evaluateWith((x) => f(x!, node.attrs.bits as number))(args, node),
});

const select: Op = {
  infer: ([condition, x, y]) => {
    if (condition!.dtype !== "bool") throw new ShapeError(`select needs a bool condition, not ${condition!.dtype}`);
    if (x!.dtype !== y!.dtype || !sameShape(x!.shape, y!.shape) || !sameShape(condition!.shape, x!.shape)) {
      throw new ShapeError(
        `select got bool${showShape(condition!.shape)}, ${x!.dtype}${showShape(x!.shape)} and ${y!.dtype}${showShape(y!.shape)}: ` +
          "all three need one shape, the last two one dtype",
      );
    }
    return { shape: x!.shape, dtype: x!.dtype };
  },
  vjp: (b, g, node) => [null, b.select(node.inputs[0]!, g, 0), b.select(node.inputs[0]!, 0, g)],
  batch: elementwiseBatch,
  evaluate: evaluateWith((c, x, y) => (c ? x! : y!)),
};

/** Float to integer truncates and saturates, as WebAssembly does; NaN gives 0. */
export function castNumber(x: number, from: DType, to: DType): number {
  if (to === "bool") return x !== 0 ? 1 : 0;
  if (!isFloat(from) || isFloat(to)) return x;
  const [low, high] = to === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : to === "u32" ? [0, 2 ** 32 - 1] : [0, 255];
  return Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high);
}

const cast: Op = {
  infer: ([x], attrs) => ({ shape: x!.shape, dtype: attrs.to as DType }),
  vjp: (b, g, node) => {
    const from = node.inputs[0]!.dtype;
    return [isFloat(from) && isFloat(node.dtype) ? b.cast(g, from) : null];
  },
  batch: elementwiseBatch,
  evaluate: (args, node) => evaluateWith((x) => castNumber(x!, node.inputs[0]!.dtype, node.dtype))(args, node),
};

const fourBytes = (dtype: DType) => dtype === "f32" || dtype === "i32" || dtype === "u32";

const bitcast: Op = {
  infer: ([x], attrs) => {
    const to = attrs.to as DType;
    if (!fourBytes(x!.dtype) || !fourBytes(to)) {
      throw new ShapeError(`bitcast is between f32, i32 and u32, not ${x!.dtype} to ${to}`);
    }
    return { shape: x!.shape, dtype: to };
  },
  vjp: none,
  batch: elementwiseBatch,
  evaluate: ([x], node) => {
    const out = allocate(node.dtype, x!.length);
    new Uint8Array(out.buffer).set(new Uint8Array(x!.buffer, x!.byteOffset, x!.byteLength));
    return out;
  },
};

const rows = <N extends string, R>(table: Record<N, R>, make: (name: string, row: R) => Op): Record<N, Op> =>
  Object.fromEntries(Object.entries<R>(table).map(([name, row]) => [name, make(name, row)])) as Record<N, Op>;

/** Every elementwise op. */
export const scalar = {
  ...rows(unary, lift),
  ...rows(binary, lift),
  ...rows(compare, liftCompare),
  ...rows(shift, liftShift),
  select,
  cast,
  bitcast,
};
