import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { encodeSafetensors, type StoredTensor } from "../../src/data/safetensors.ts";
import { decodeSafetensors } from "../../src/data/safetensors-read.ts";

// Written by the official package (fixtures/make_fixtures.py).
const official = new Uint8Array(readFileSync(new URL("./fixtures/official.safetensors", import.meta.url)));
const tensors: Record<string, StoredTensor> = {
  pixels: { dtype: "u8", shape: [1, 3], data: Uint8Array.of(0, 255, 16) },
  "encoder.weight": { dtype: "f32", shape: [2, 3], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) },
  bias: { dtype: "f64", shape: [3], data: Float64Array.of(-1.5, 0, 2.25) },
  'ä "quoted"': { dtype: "f32", shape: [1], data: Float32Array.of(1) },
  "adam.t": { dtype: "i32", shape: [], data: Int32Array.of(7) },
  mask: { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) },
  empty: { dtype: "f32", shape: [0, 4], data: new Float32Array(0) },
  rng: { dtype: "u32", shape: [2], data: Uint32Array.of(1, 2 ** 32 - 1) },
};

test("what the official package wrote is read", () => {
  expect(decodeSafetensors(official)).toEqual({ tensors, metadata: { step: "42" } });
});

test("the same content gives the official package's bytes, in whatever order it comes", () => {
  expect(encodeSafetensors(tensors, { step: "42" })).toEqual(official);
  expect(encodeSafetensors(Object.fromEntries(Object.entries(tensors).reverse()), { step: "42" })).toEqual(official);
  expect(encodeSafetensors(tensors, { b: "1", a: "2" })).toEqual(encodeSafetensors(tensors, { a: "2", b: "1" }));
});

test("views into a larger memory are stored as what they show", () => {
  const memory = Float32Array.of(9, 1, 2, 9);
  const bytes = encodeSafetensors({ w: { dtype: "f32", shape: [2], data: memory.subarray(1, 3) } });
  expect(decodeSafetensors(bytes).tensors.w?.data).toEqual(Float32Array.of(1, 2));
});

test.each([1, 2, 3, 4, 5, 6, 7])("bytes at offset %i of a Buffer are read", (offset) => {
  const buffer = Buffer.concat([Buffer.alloc(offset), official]);
  expect(decodeSafetensors(buffer.subarray(offset)).tensors).toEqual(tensors);
});

test("any cut of a file is called truncated", () => {
  for (let length = 0; length < official.length; length++) {
    expect(() => decodeSafetensors(official.subarray(0, length), "s")).toThrow(/s is truncated/);
  }
});

const file = (header: string, dataBytes: number): Uint8Array => {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
};
const entry = (dtype: string, shape: string, offsets: string): string =>
  `{"w":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}}`;

test.each([
  { what: "a header that is no JSON", bytes: file("{x", 0), message: /header is not a JSON object/ },
  { what: "a header that is a list", bytes: file("[]", 0), message: /header is not a JSON object/ },
  { what: "an immense header", bytes: new Uint8Array(16).fill(0xff), message: /not a sound safetensors file/ },
  { what: "a type that is not ours", bytes: file(entry("BF16", "[1]", "[0,2]"), 2), message: /"w" has type "BF16"/ },
  { what: "a hole", bytes: file(entry("F32", "[1]", "[4,8]"), 8), message: /bytes 4 to 8, where 0 to 4/ },
  {
    what: "offsets that do not fit the shape",
    bytes: file(entry("F32", "[2]", "[0,4]"), 4),
    message: /0 to 8 were expected/,
  },
  { what: "a negative size", bytes: file(entry("F32", "[-1]", "[0,4]"), 4), message: /lacks a shape or offsets/ },
  { what: "no offsets", bytes: file('{"w":{"dtype":"F32","shape":[1]}}', 4), message: /lacks a shape or offsets/ },
  { what: "metadata of numbers", bytes: file('{"__metadata__":{"a":1}}', 0), message: /__metadata__/ },
  {
    what: "bytes after the last tensor",
    bytes: file(entry("F32", "[1]", "[0,4]"), 5),
    message: /1 bytes after its last/,
  },
])("$what is refused", ({ bytes, message }) => {
  expect(() => decodeSafetensors(bytes)).toThrow(DataError);
  expect(() => decodeSafetensors(bytes)).toThrow(message);
});

test("a tensor whose array does not fit its shape is not written", () => {
  expect(() => encodeSafetensors({ w: { dtype: "f32", shape: [3], data: new Float32Array(2) } })).toThrow(
    /"w".*length 2/,
  );
});
