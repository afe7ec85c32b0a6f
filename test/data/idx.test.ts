import { expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { parseIdx } from "../../src/data/idx.ts";

// The format as LeCun's MNIST page gives it: 00 00, type, rank, big-endian sizes, big-endian values.
const images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 253, 254, 255];

test("8-bit images are read without a copy", () => {
  const bytes = Uint8Array.from(images);
  const array = parseIdx(bytes, "a");
  expect(array).toEqual({ dtype: "u8", shape: [2, 1, 3], values: Uint8Array.of(1, 2, 3, 253, 254, 255) });
  expect(array.values.buffer).toBe(bytes.buffer);
});

test("bytes that start inside a larger buffer are read from where they start", () => {
  const padded = Uint8Array.from([9, 9, 9, ...images]);
  expect(parseIdx(padded.subarray(3), "a").values).toEqual(Uint8Array.of(1, 2, 3, 253, 254, 255));
});

test.each([
  { name: "i8", type: 9, bytes: [0xff, 0x80], values: Float32Array.of(-1, -128) },
  { name: "i16", type: 11, bytes: [0xff, 0xfe, 0x01, 0x00], values: Float32Array.of(-2, 256) },
  { name: "i32", type: 12, bytes: [0x80, 0, 0, 0, 0, 0, 1, 2], values: Float64Array.of(-(2 ** 31), 258) },
  { name: "f32", type: 13, bytes: [0x3f, 0xc0, 0, 0, 0xc0, 0x20, 0, 0], values: Float32Array.of(1.5, -2.5) },
  {
    name: "f64",
    type: 14,
    bytes: [0x3f, 0xf8, ...Array(6).fill(0), 0xc0, 4, ...Array(6).fill(0)],
    values: Float64Array.of(1.5, -2.5),
  },
])("$name values are big-endian", ({ type, bytes, values }) => {
  expect(parseIdx(Uint8Array.from([0, 0, type, 1, 0, 0, 0, 2, ...bytes]), "a").values).toEqual(values);
});

test.each([
  { what: "an empty file", bytes: [], message: /a is empty \(0 bytes\)/ },
  { what: "a file of another kind", bytes: [0x1f, 0x8b, 8, 3], message: /not an IDX file.*1f 8b 08 03.*00 00/ },
  { what: "a rank of 0", bytes: [0, 0, 8, 0], message: /not an IDX file/ },
  { what: "a cut header", bytes: images.slice(0, 10), message: /truncated.*asks for 16 bytes.*has 10/ },
  { what: "cut values", bytes: images.slice(0, -1), message: /truncated.*asks for 22 bytes.*has 21/ },
  { what: "bytes after the values", bytes: [...images, 0], message: /23 bytes, 1 more.*\[2, 1, 3\]/ },
])("$what is refused", ({ bytes, message }) => {
  const read = () => parseIdx(Uint8Array.from(bytes), "a");
  expect(read).toThrow(DataError);
  expect(read).toThrow(message);
});
