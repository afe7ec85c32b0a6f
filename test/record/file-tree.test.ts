import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { writeFileTree } from "../../src/record/file-tree.ts";

const folder = mkdtempSync(join(tmpdir(), "file-tree-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("files come to their places, folders are made, nothing else is left", () => {
  writeFileTree(join(folder, "new", "store"), { ".zgroup": Uint8Array.of(1), "a/b/0.0": Uint8Array.of(2, 3) });
  expect(Array.from(readFileSync(join(folder, "new", "store", "a", "b", "0.0")))).toEqual([2, 3]);
  expect(readdirSync(join(folder, "new"))).toEqual(["store"]);
});

test("what is there already is not overwritten", () => {
  const place = join(folder, "new", "store");
  expect(() => writeFileTree(place, { ".zgroup": Uint8Array.of(9) })).toThrow(
    new OptionError(`${place} exists already. Choose another place, or remove it first.`),
  );
  expect(Array.from(readFileSync(join(place, ".zgroup")))).toEqual([1]);
});
