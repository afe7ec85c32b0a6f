import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { gunzip } from "../../src/data/gzip.ts";

const content = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 251);

test("what zlib packed is unpacked", () => {
  expect(gunzip(gzipSync(content), "a")).toEqual(content);
});

test("bytes that are not gzip are left as they are", () => {
  expect(gunzip(content, "a")).toBe(content);
});

test.each([
  { what: "ends early", bytes: gzipSync(content).subarray(0, -20) },
  { what: "lost its trailer", bytes: gzipSync(content).subarray(0, -6) },
  { what: "is a header alone", bytes: gzipSync(content).subarray(0, 10) },
  { what: "states an impossible length", bytes: new Uint8Array(gzipSync(content)).fill(0xff, -2) },
  { what: "states a shorter length", bytes: new Uint8Array(gzipSync(content)).fill(1, -4, -3) },
])("gzip that $what is refused", ({ bytes }) => {
  expect(() => gunzip(Uint8Array.from(bytes), "a.gz")).toThrow(DataError);
  expect(() => gunzip(Uint8Array.from(bytes), "a.gz")).toThrow(/a\.gz cannot be unpacked/);
});
