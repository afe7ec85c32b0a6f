import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha256 } from "../../src/vae/sha256.ts";

test.each([0, 1, 55, 56, 63, 64, 65, 1000])("the hash of %i bytes is that of OpenSSL", (length) => {
  const bytes = Uint8Array.from({ length }, (_, i) => (i * 151 + 7) % 256);
  expect(sha256(bytes)).toBe(createHash("sha256").update(bytes).digest("hex"));
});
