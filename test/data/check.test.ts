import { expect, test } from "vitest";
import { SupportError } from "../../src/base/errors.ts";
import { type Binarize, checkSupport, type DataSupport } from "../../src/data/check.ts";
import { type Dataset, type DataValues, datasetOf, selectRows } from "../../src/data/dataset.ts";

const gray = datasetOf(
  { dtype: "u8", shape: [2, 2, 3], values: Uint8Array.of(0, 255, 0, 255, 0, 0, 0, 0, 0, 0, 143, 255) },
  { name: "faces/train", source: "faces.idx" },
);
const table = (values: DataValues, scale = 1): Dataset => ({
  ...datasetOf(
    { dtype: "f64", shape: [2, 2], values: new Float64Array(4) },
    { name: "t", source: "t.csv", columns: ["a", "b"] },
  ),
  values,
  scale,
});

const binary: DataSupport = { kind: "binary" };
const unit: DataSupport = { kind: "unitInterval" };
const real: DataSupport = { kind: "real" };
const three: DataSupport = { kind: "categories", count: 3 };
const check = (data: Dataset, support: DataSupport, binarize: Binarize = "none", likelihood = "some") =>
  checkSupport(data, support, { likelihood, binarize });

test("gray values under a Bernoulli are refused with their place, and told what to do", () => {
  expect(() => check(gray, binary, "none", "bernoulli")).toThrow(SupportError);
  expect(() => check(gray, binary, "none", "bernoulli")).toThrow(
    "faces.idx: found 143 (0.5608 of 1) at row 1, pixel (1, 1) (counted from 0), but the bernoulli likelihood needs " +
      "every value to be 0 or 255 (which stands for 1). For gray values use --binarize dynamic (drawn anew at each " +
      "step) or --binarize threshold, or --likelihood continuous-bernoulli.",
  );
});

test("after a split the row is that of the file", () => {
  expect(() => check(selectRows(gray, [1]), binary)).toThrow(/row 1, pixel \(1, 1\)/);
});

// Each support with the values just inside and just outside of it.
test.each<{ support: DataSupport; binarize?: Binarize; inside: number[]; outside: number[] }>([
  { support: binary, inside: [0, 1, -0], outside: [0.5, 2, -1, Number.NaN] },
  { support: binary, binarize: "threshold", inside: [0, 0.5, 1], outside: [1.0000001, -1e-9, Number.NaN] },
  { support: binary, binarize: "dynamic", inside: [0, 0.5, 1], outside: [255, -1] },
  { support: unit, inside: [0, 0.3, 1], outside: [1.5, -0.1, Number.NaN, Number.POSITIVE_INFINITY] },
  { support: real, inside: [0, -1e300, 5], outside: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] },
  { support: three, inside: [0, 1, 2], outside: [3, -1, 0.5, Number.NaN] },
])("$support.kind with binarize $binarize holds $inside and not $outside", ({ support, binarize, inside, outside }) => {
  for (const value of inside) check(table(Float64Array.of(0, 1, value, 0)), support, binarize);
  for (const value of outside) {
    expect(() => check(table(Float64Array.of(0, 1, 0, value)), support, binarize)).toThrow(/row 1, column 1 \("b"\)/);
  }
});

test.each([0, 1, 2, 3, 4, 5, 6])("an 8-bit value outside is found at place %i, whatever the length", (place) => {
  const values = new Uint8Array(7);
  values[place] = 9;
  const data = datasetOf({ dtype: "u8", shape: [7, 1], values }, { name: "t", source: "t.npy" });
  expect(() => check(data, three)).toThrow(`found 9 at row ${place}, column 0`);
});

test("the scale says which stored value stands for 1", () => {
  check(table(Float64Array.of(0, 16, 16, 0), 16), binary);
  expect(() => check(table(Float64Array.of(0, 16, 1, 0), 16), binary)).toThrow(/found 1 \(0\.0625 of 1\)/);
  expect(() => check(table(Float64Array.of(0, 16, 17, 0), 16), unit)).toThrow(/found 17/);
});

test("a category is the stored integer, not the scaled one", () => {
  check(gray, { kind: "categories", count: 256 });
  expect(() => check(gray, { kind: "categories", count: 255 })).toThrow(/found 255 at row 0.*0 to 254/);
});

test("values that no rescaling of gray would mend are not sent to --binarize alone", () => {
  expect(() => check(table(Float64Array.of(4.9, 1, 1, 1)), binary)).toThrow(/--likelihood gaussian/);
});
