import type { LibraryHandle } from "koffi";
import { expect, test } from "vitest";
import { wrapLibrary } from "../../../src/backends/blas/library.ts";
import { type Foreign, lookupIn, namingOf } from "../../../src/backends/blas/symbols.ts";

/** A library that has these functions and records how each was opened. */
function library(functions: Readonly<Record<string, Foreign>>) {
  const opened: Record<string, string[]> = {};
  const open = (symbol: string, _result: string, args: string[]): Foreign => {
    const found = functions[symbol];
    if (!found) throw new Error(`no ${symbol}`);
    opened[symbol] = args;
    return found;
  };
  return { open, opened };
}
const nothing: Foreign = () => undefined;
const products = (prefix: string, suffix: string) =>
  Object.fromEntries(["s", "d"].map((letter) => [`${prefix}cblas_${letter}gemm${suffix}`, nothing]));

test.each([
  ["Debian's", products("", ""), { prefix: "", suffix: "", size: "int" }],
  ["SciPy's OpenBLAS", products("scipy_", ""), { prefix: "scipy_", suffix: "", size: "int" }],
  ["NumPy's OpenBLAS", products("scipy_", "64_"), { prefix: "scipy_", suffix: "64_", size: "int64" }],
  ["Julia's OpenBLAS", products("", "64_"), { prefix: "", suffix: "64_", size: "int64" }],
  ["one with 64-bit integers under the common names", { ...products("", ""), openblas_get_config: (): unknown => "OpenBLAS 0.3.21 USE64BITINT" }, { prefix: "", suffix: "", size: "int64" }],
  ["one without products", { cblas_sgemm: nothing }, null],
] as const)("%s names are found out", (_whose, functions, naming) => {
  expect(namingOf(library(functions).open)).toEqual(naming);
}); // biome-ignore format: a table

test("functions are looked up by their standard names, and sizes get the library's integer", () => {
  const { open, opened } = library({ scipy_dpotrf_64_: nothing });
  const lookup = lookupIn(open, { prefix: "scipy_", suffix: "64_", size: "int64" });
  expect(lookup("dpotrf_", "void", ["str", "size *", "uintptr_t", "_Out_ size *", "int"])).toBe(nothing);
  expect(opened.scipy_dpotrf_64_).toEqual(["str", "int64 *", "uintptr_t", "_Out_ int64 *", "int"]);
  expect(lookup("spotrf_", "void", [])).toBeNull();
});

test("MKL's layers are settled before it multiplies, but threads that the user chose hold", () => {
  const before = process.env.MKL_THREADING_LAYER;
  const callsWith = (chosen: string | undefined): unknown[][] => {
    if (chosen === undefined) delete process.env.MKL_THREADING_LAYER;
    else process.env.MKL_THREADING_LAYER = chosen;
    const calls: unknown[][] = [];
    const record = (name: string) => (...args: unknown[]) => void calls.push([name, ...args]); // biome-ignore format: short
    const { open } = library({
      cblas_sgemm: record("multiply"),
      cblas_dgemm: record("multiply"),
      MKL_Get_Version_String: record("introduce"),
      MKL_Set_Interface_Layer: record("interface"),
      MKL_Set_Threading_Layer: record("threading"),
    });
    // It multiplies nothing, so that the check of its products turns it down in the end.
    const koffi = { address: () => 0 } as unknown as Parameters<typeof wrapLibrary>[0];
    expect(() => wrapLibrary(koffi, { func: open } as unknown as LibraryHandle, "mkl", "mkl")).toThrow("wrong product");
    return calls;
  };
  try {
    expect(callsWith(undefined).slice(0, 2)).toEqual([["interface", 0], ["threading", 1]]); // biome-ignore format: short
    expect(callsWith("INTEL").map(([name]) => name)).toEqual(["interface", "introduce", "multiply"]);
  } finally {
    if (before === undefined) delete process.env.MKL_THREADING_LAYER;
    else process.env.MKL_THREADING_LAYER = before;
  }
});
