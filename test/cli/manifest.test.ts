import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { backendRecord, differences, newSession, readRunManifest } from "../../cli/manifest.ts";

const blas = {
  library: "/usr/lib/libopenblas.so.0",
  vendor: "openblas" as const,
  description: "OpenBLAS 0.3.21 SkylakeX",
  coreName: "SkylakeX",
  threads: 2,
  setThreads: () => {},
  bind: () => {
    throw new Error("not bound in this test");
  },
};
const noThreads = async () => null;
const session = async (blasOfIt: typeof blas | null, relaxed = true) =>
  newSession(0, await backendRecord({ blas: blasOfIt, relaxed, threads: noThreads }, false));
const withBlas = await session(blas);

test("a session like the last differs in nothing", async () => {
  expect(differences(withBlas, await session({ ...blas }), false)).toEqual([]);
});

test("another thread count, core type or library is named", async () => {
  expect(differences(withBlas, await session({ ...blas, threads: 8 }), false)).toEqual(["thread count was 2, now 8"]);
  expect(differences(withBlas, await session({ ...blas, coreName: "Zen" }), false)).toEqual([
    "core type was SkylakeX, now Zen",
  ]);
  expect(differences(withBlas, await session(null), false)[0]).toBe("BLAS was /usr/lib/libopenblas.so.0, now none");
});

test("for a deterministic run the machine does not matter", async () => {
  expect(differences(withBlas, await session(null, false), true)).toEqual([]);
});

test("a manifest of another format is refused with the version that wrote it", () => {
  const run = mkdtempSync(join(tmpdir(), "ansatz-manifest-"));
  try {
    writeFileSync(join(run, "manifest.json"), '{ "format": 99, "ansatz": "7.0.0" }');
    expect(() => readRunManifest(run)).toThrow(/has format 99.*it says 7\.0\.0/);
  } finally {
    rmSync(run, { recursive: true });
  }
});
