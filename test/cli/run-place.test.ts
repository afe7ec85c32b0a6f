import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeRun } from "../../cli/run-place.ts";
import { OptionError } from "../../src/base/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "ansatz-place-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a run directory is made with those above it, and one that exists is taken", () => {
  const directory = join(folder, "a", "b");
  expect(makeRun(directory)).toBe(directory);
  expect(existsSync(directory)).toBe(true);
  expect(makeRun(directory)).toBe(directory);
});

test("a file is not", () => {
  writeFileSync(join(folder, "file"), "");
  for (const path of ["file", "file/run"]) expect(() => makeRun(join(folder, path))).toThrow(/cannot be made .*--out/);
});

test.skipIf(process.platform !== "linux")(
  "a file system without room for directories is an error, not an endless wait",
  () => {
    for (const path of ["/proc/none", "/proc/none/run"]) expect(() => makeRun(path)).toThrow(OptionError);
  },
);
