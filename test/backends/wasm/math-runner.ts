import { call, i32, v128 } from "../../../src/backends/wasm/assembler/expr.ts";
import { ModuleBuilder } from "../../../src/backends/wasm/assembler/module.ts";
import { inlineMath, loadSpecialMath, type MathName, mathFunction } from "../../../src/backends/wasm/math/index.ts";

await loadSpecialMath();

export type FloatDtype = "f32" | "f64";

const REGION = 1 << 20;

/** A vectorised function as a map over bit patterns; `style` chooses between the call and the inlined form. */
export function mathRunner(name: MathName, dtype: FloatDtype, style: "call" | "inline" = "call") {
  const memory = new WebAssembly.Memory({ initial: 48 });
  const m = new ModuleBuilder();
  const ref = style === "call" ? mathFunction(m, name, dtype) : undefined;
  const run = m.function("run", ["i32"], [], (f, bytes) => {
    const at = f.local("i32");
    f.for(at, i32.const(0), bytes, 16, () => {
      const x = f.let(v128.load(at));
      const y = f.let(v128.load(at, REGION));
      const value = ref ? call(ref, ...(name === "pow" ? [x, y] : [x])) : inlineMath(m, f, name, dtype, x, y);
      f.do(v128.store(at, value, 2 * REGION));
    });
  });
  m.export("run", run);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.encode()), { env: { memory } });
  const loop = instance.exports["run"] as (bytes: number) => void;
  const bytesEach = dtype === "f32" ? 4 : 8;
  const region = (k: number) =>
    dtype === "f32"
      ? new Uint32Array(memory.buffer, k * REGION, REGION / 4)
      : new BigUint64Array(memory.buffer, k * REGION, REGION / 8);
  const load = (k: number, bits: readonly bigint[]) => {
    const to = region(k);
    bits.forEach((b, i) => {
      to[i] = dtype === "f32" ? Number(b) : b;
    });
  };
  return {
    imports: m.importNames,
    /** Results for the bit patterns `x` (and `y`), any number of them. */
    apply(x: readonly bigint[], y: readonly bigint[] = x): bigint[] {
      const out: bigint[] = [];
      const step = REGION / bytesEach;
      for (let from = 0; from < x.length; from += step) {
        const part = x.slice(from, from + step);
        load(0, part);
        load(1, y.slice(from, from + step));
        loop(Math.ceil((part.length * bytesEach) / 16) * 16);
        for (let i = 0; i < part.length; i++) out.push(BigInt(region(2)[i]!));
      }
      return out;
    },
  };
}

export interface Row {
  readonly inputs: readonly bigint[];
  /** The correctly rounded result, and what the rounding dropped of its magnitude, in ulps. */
  readonly expected: bigint;
  readonly residual: number;
}

export function parseRow(text: string): Row {
  const parts = text.split(" ");
  const bits = parts.slice(0, -1).map((p) => BigInt(`0x${p}`));
  return { inputs: bits.slice(0, -1), expected: bits.at(-1)!, residual: Number(parts.at(-1)) / 256 };
}

const FORMAT = {
  f32: { sign: 1n << 31n, infinity: 0x7f800000n },
  f64: { sign: 1n << 63n, infinity: 0x7ff0000000000000n },
};

export function toNumber(bits: bigint, dtype: FloatDtype): number {
  const view = new DataView(new ArrayBuffer(8));
  if (dtype === "f32") view.setUint32(0, Number(bits));
  else view.setBigUint64(0, bits);
  return dtype === "f32" ? view.getFloat32(0) : view.getFloat64(0);
}

/**
 * Distance from `actual` to the true result in ulps of the result, on bit patterns: infinity is the number after the
 * largest, a zero of the wrong sign or a NaN on one side alone is infinitely far.
 */
export function ulpError(actual: bigint, row: Row, dtype: FloatDtype): number {
  const { sign, infinity } = FORMAT[dtype];
  const magnitude = (bits: bigint) => bits & (sign - 1n);
  const expectedNaN = magnitude(row.expected) > infinity;
  const actualNaN = magnitude(actual) > infinity;
  if (expectedNaN || actualNaN) return expectedNaN && actualNaN ? 0 : Infinity;
  if (actual === row.expected) return Math.abs(row.residual);
  if (magnitude(actual) === 0n && magnitude(row.expected) === 0n) return Infinity;
  const ordered = (bits: bigint) => (bits & sign ? -magnitude(bits) : bits);
  const residual = row.expected & sign ? -row.residual : row.residual;
  return Math.abs(Number(ordered(actual) - ordered(row.expected)) - residual);
}

/** |actual − expected| in ulps of 1. */
export function absoluteUlps(actual: bigint, row: Row, dtype: FloatDtype): number {
  const ulp = dtype === "f32" ? 2 ** -23 : 2 ** -52;
  return Math.abs(toNumber(actual, dtype) - toNumber(row.expected, dtype)) / ulp;
}
