import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as special from "../../src/base/special.ts";
import { parseRow, toNumber, ulpError } from "../backends/wasm/math-runner.ts";

/** Inputs with the correctly rounded results of mpmath at 80 digits (scripts/make-math-tables.py), in f64. */
function tableOf(name: string) {
  const file = new URL(`../tables/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { f64: string[] }).f64.map(parseRow);
}

const bitsOf = (x: number): bigint => new BigUint64Array(Float64Array.of(x).buffer)[0]!;

/** Relative errors that the doc comments promise; absolute ones where a function passes through zero. */
const functions: Record<string, { relative: number; absolute?: number; f: (...x: number[]) => number }> = {
  sigmoid: { relative: 1e-15, f: special.sigmoid },
  softplus: { relative: 1e-15, f: special.softplus },
  pow: { relative: 4e-15, f: special.pow },
  lgamma: { relative: 4e-14, absolute: 1e-14, f: special.lgamma },
  digamma: { relative: 4e-14, absolute: 1e-14, f: special.digamma },
  erf: { relative: 1e-14, f: special.erf },
  erfinv: { relative: 4e-14, f: special.erfinv },
};

describe.each(Object.entries(functions))("%s", (_name, { relative, absolute = 0, f }) => {
  test("agrees with mpmath, special values included", () => {
    const misses = tableOf(_name).flatMap((row) => {
      const x = row.inputs.map((bits) => toNumber(bits, "f64"));
      const got = f(...x);
      const want = toNumber(row.expected, "f64");
      const near = Math.abs(got - want) <= relative * Math.abs(want) + absolute + 2 ** -1070;
      const same = Object.is(got, want) || ulpError(bitsOf(got), row, "f64") === 0;
      return same || (near && !Object.is(want, 0) && !Object.is(want, -0)) || (near && absolute > 0)
        ? []
        : [`${_name}(${x}) = ${got}, not ${want}`];
    });
    expect(misses).toEqual([]);
  });
});
