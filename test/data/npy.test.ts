import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { parseNpy } from "../../src/data/npy.ts";

// Files written by numpy itself (fixtures/make_fixtures.py), whose values are formulas of 0, 1, …, 23 in shape [2, 3,
// 4].
const fixture = (name: string): Uint8Array => readFileSync(new URL(`./fixtures/${name}.npy`, import.meta.url));
const grid = (f: (i: number) => number): number[] => Array.from({ length: 24 }, (_, i) => f(i));

test.each([
  { file: "u1", dtype: "u8", values: grid((i) => i) },
  { file: "bool", dtype: "u8", values: grid((i) => (i % 3 === 0 ? 1 : 0)) },
  { file: "i1", dtype: "f32", values: grid((i) => -i + 0) },
  { file: "u2", dtype: "f32", values: grid((i) => i * 2000) },
  { file: "i2", dtype: "f32", values: grid((i) => -i * 1000 + 0) },
  { file: "i4", dtype: "f64", values: grid((i) => (-i * 1e8) / 2 + 0) },
  { file: "i8", dtype: "f64", values: grid((i) => i * 1e14) },
  { file: "f4", dtype: "f32", values: grid((i) => i / 8) },
  { file: "f4-big-endian", dtype: "f32", values: grid((i) => i / 8) },
  { file: "f8", dtype: "f64", values: grid((i) => i / 7) },
  { file: "f8-version-2", dtype: "f64", values: grid((i) => i / 7) },
  { file: "f8-version-3", dtype: "f64", values: grid((i) => i / 7) },
  { file: "f8-fortran", dtype: "f64", values: grid((i) => i / 7) },
])("numpy's $file array is read with its values", ({ file, dtype, values }) => {
  const array = parseNpy(fixture(file), file);
  expect(array.dtype).toBe(dtype);
  expect(array.shape).toEqual([2, 3, 4]);
  expect(Array.from(array.values)).toEqual(values);
});

test("a vector keeps its one axis", () => {
  expect(parseNpy(fixture("f8-vector"), "a")).toEqual({ dtype: "f64", shape: [2], values: Float64Array.of(1.5, -2.5) });
});

test("values that are not aligned in memory are read all the same", () => {
  const file = fixture("f8");
  const shifted = new Uint8Array(file.length + 1);
  shifted.set(file, 1);
  expect(Array.from(parseNpy(shifted.subarray(1), "a").values)).toEqual(grid((i) => i / 7));
});

const header = (text: string): Uint8Array => {
  const bytes = new TextEncoder().encode(text);
  return Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, bytes.length, 0, ...bytes]);
};

test.each([
  { what: "an empty file", bytes: new Uint8Array(0), message: /empty \(0 bytes\)/ },
  { what: "a file of another kind", bytes: Uint8Array.from([1, 2, 3]), message: /not an NPY file/ },
  { what: "an npz archive", bytes: Uint8Array.from([0x50, 0x4b, 3, 4, 0, 0]), message: /zip archive/ },
  { what: "a cut preamble", bytes: fixture("f8").slice(0, 8), message: /truncated.*10 bytes.*has 8/ },
  { what: "a cut header", bytes: fixture("f8").slice(0, 60), message: /truncated.*128 bytes.*has 60/ },
  { what: "cut values", bytes: fixture("f8").slice(0, -1), message: /truncated.*320 bytes.*has 319/ },
  { what: "a second array", bytes: Uint8Array.from([...fixture("f8"), 0]), message: /1 bytes after its array/ },
  { what: "a complex array", bytes: fixture("complex"), message: /type "<c16".*astype/ },
  {
    what: "a record array",
    bytes: header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"),
    message: /header that is not read.*no records/,
  },
  { what: "an integer beyond 2^53", bytes: fixture("i8-too-large"), message: /element 1 .*2\^53/ },
])("$what is refused", ({ bytes, message }) => {
  const read = () => parseNpy(bytes, "a");
  expect(read).toThrow(DataError);
  expect(read).toThrow(message);
});
