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
const session = (runtime: Parameters<typeof backendRecord>[0]) => newSession(0, backendRecord(runtime, false));
const withBlas = session({ blas, relaxed: true });

test("a session like the last differs in nothing", () => {
  expect(differences(withBlas, session({ blas: { ...blas }, relaxed: true }), false)).toEqual([]);
});

test("another thread count, core type or library is named", () => {
  expect(differences(withBlas, session({ blas: { ...blas, threads: 8 }, relaxed: true }), false)).toEqual([
    "thread count was 2, now 8",
  ]);
  expect(differences(withBlas, session({ blas: { ...blas, coreName: "Zen" }, relaxed: true }), false)).toEqual([
    "core type was SkylakeX, now Zen",
  ]);
  expect(differences(withBlas, session({ blas: null, relaxed: true }), false)[0]).toBe(
    "BLAS was /usr/lib/libopenblas.so.0, now none",
  );
});

test("for a deterministic run the machine does not matter", () => {
  expect(differences(withBlas, session({ blas: null, relaxed: false }), true)).toEqual([]);
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
