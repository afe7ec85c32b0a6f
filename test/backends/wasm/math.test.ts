import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MATH_NAMES, type MathName } from "../../../src/backends/wasm/math/index.ts";
import { absoluteUlps, type FloatDtype, mathRunner, parseRow, type Row, toNumber, ulpError } from "./math-runner.ts";

const DTYPES: readonly FloatDtype[] = ["f32", "f64"];
const BOUND = { f32: 2, f64: 4 } as const;

/** Inputs with the correctly rounded results of mpmath at 80 digits (scripts/make-math-tables.py). */
const tableOf = (name: MathName, dtype: FloatDtype): Row[] => {
  const file = new URL(`../../tables/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as Record<FloatDtype, string[]>)[dtype].map(parseRow);
};

const apply = (name: MathName, dtype: FloatDtype, rows: readonly Row[], style?: "inline"): bigint[] =>
  mathRunner(name, dtype, style).apply(
    rows.map((r) => r.inputs[0]!),
    rows.map((r) => r.inputs.at(-1)!),
  );

/** Near the zeros of lgamma and digamma on the negative axis an absolute error of 4 ulps of 1 is enough. */
const excused = (name: MathName, actual: bigint, row: Row, dtype: FloatDtype): boolean =>
  (name === "lgamma" || name === "digamma") &&
  toNumber(row.inputs[0]!, dtype) < 0 &&
  absoluteUlps(actual, row, dtype) <= 4;

describe.each(DTYPES)("%s functions of the wasm backend", (dtype) => {
  test.each(MATH_NAMES)(`%s is within ${BOUND[dtype]} ulp of mpmath, special values included`, (name) => {
    const rows = tableOf(name, dtype);
    expect(rows.length).toBeGreaterThan(300);
    const actual = apply(name, dtype, rows);
    const misses = rows.flatMap((row, i) => {
      const error = ulpError(actual[i]!, row, dtype);
      if (error <= BOUND[dtype] || excused(name, actual[i]!, row, dtype)) return [];
      const at = row.inputs.map((b) => toNumber(b, dtype)).join(", ");
      return [`${name}(${at}) = ${toNumber(actual[i]!, dtype)}, not ${toNumber(row.expected, dtype)}: ${error} ulp`];
    });
    expect(misses).toEqual([]);
  });

  test.each(MATH_NAMES)("%s written into a loop gives the bits of the call", (name) => {
    const rows = tableOf(name, dtype);
    const number = (bits: bigint) => toNumber(bits, dtype);
    expect(apply(name, dtype, rows, "inline").map(number)).toEqual(apply(name, dtype, rows).map(number));
  });

  test.each(MATH_NAMES)("%s gives a lane the same result whatever stands in the others", (name) => {
    const rows = tableOf(name, dtype);
    const runner = mathRunner(name, dtype);
    const [x, y] = [rows.map((r) => r.inputs[0]!), rows.map((r) => r.inputs.at(-1)!)];
    // every result again with another neighbour: the rows reversed, and moved by one lane
    const order = rows.map((_, i) => rows.length - 1 - i);
    const straight = runner.apply(x, y).map((b) => toNumber(b, dtype));
    const turned = runner.apply([0n, ...order.map((i) => x[i]!)], [0n, ...order.map((i) => y[i]!)]).slice(1);
    expect(turned.map((b) => toNumber(b, dtype))).toEqual(order.map((i) => straight[i]!));
  });
});

test("no function brings an import from JavaScript into the module", () => {
  const imports = MATH_NAMES.flatMap((name) => DTYPES.flatMap((dtype) => mathRunner(name, dtype).imports));
  expect(imports).toEqual([]);
});

test("the distance in ulps tells wrong signs of zero, single NaNs and half ulps apart", () => {
  const row = (expected: bigint, residual = 0): Row => ({ inputs: [0n], expected, residual });
  expect(ulpError(0x3f800001n, row(0x3f800000n, 0.25), "f32")).toBe(0.75);
  expect(ulpError(0xbf800001n, row(0xbf800000n, 0.25), "f32")).toBe(0.75);
  expect(ulpError(0x80000000n, row(0n), "f32")).toBe(Infinity);
  expect(ulpError(0x7fc00000n, row(0x3f800000n), "f32")).toBe(Infinity);
  expect(ulpError(0x7f800000n, row(0x7f7fffffn), "f32")).toBe(1);
});
