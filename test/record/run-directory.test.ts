import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import {
  appendMetric,
  checkpoint,
  createRun,
  openRun,
  readManifest,
  readMetrics,
  readState,
  truncateMetrics,
  writeManifest,
  writeReport,
} from "../../src/record/run-directory.ts";

let folder: string;
let run: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ansatz-run-"));
  run = join(folder, "runs", "a");
});
afterEach(() => rmSync(folder, { recursive: true }));

const metrics = (): string => readFileSync(join(run, "metrics.jsonl"), "utf8");

test("a run is its four files and nothing else", () => {
  createRun(run, { seed: 1 });
  appendMetric(run, { step: 1, negElbo: 2.5 }, { step: 2, negElbo: 2 });
  checkpoint(run, Uint8Array.of(1, 2, 3));
  expect(writeReport(run, "<p>")).toBe(join(run, "report.html"));
  expect(readdirSync(run).sort()).toEqual(["manifest.json", "metrics.jsonl", "report.html", "state.safetensors"]);
  expect(readManifest(run)).toEqual({ seed: 1 });
  expect(readMetrics(run)).toEqual([
    { step: 1, negElbo: 2.5 },
    { step: 2, negElbo: 2 },
  ]);
  expect(readMetrics(run, 1)).toEqual([{ step: 1, negElbo: 2.5 }]);
  expect(new Uint8Array(readState(run)!)).toEqual(Uint8Array.of(1, 2, 3));
  expect(readFileSync(join(run, "report.html"), "utf8")).toBe("<p>");
});

test("a run without a checkpoint or metrics has neither", () => {
  createRun(run, {});
  expect(readState(run)).toBeNull();
  expect(readMetrics(run)).toEqual([]);
  truncateMetrics(run, 5);
});

test("a manifest can be replaced", () => {
  createRun(run, { status: "running" });
  writeManifest(run, { status: "done" });
  expect(openRun(run)).toEqual({ status: "done" });
});

test("a directory that holds a run is refused, with the ways on, and is left as it was", () => {
  createRun(run, { seed: 1 });
  checkpoint(run, Uint8Array.of(1));
  expect(() => createRun(run, { seed: 2 })).toThrow(OptionError);
  expect(() => createRun(run, { seed: 2 })).toThrow(/already holds a run .*--out.*--resume.*--overwrite/);
  expect(readManifest(run)).toEqual({ seed: 1 });
  expect(readState(run)).not.toBeNull();
});

test("overwriting removes the old run and no other file", () => {
  createRun(run, { seed: 1 });
  checkpoint(run, Uint8Array.of(1));
  appendMetric(run, { step: 1 });
  writeReport(run, "old");
  writeFileSync(join(run, "notes.txt"), "mine");
  createRun(run, { seed: 2 }, { overwrite: true });
  expect(readdirSync(run).sort()).toEqual(["manifest.json", "notes.txt"]);
  expect(readManifest(run)).toEqual({ seed: 2 });
});

test("a file where the directory should be is refused", () => {
  writeFileSync(join(folder, "file"), "");
  expect(() => createRun(join(folder, "file"), {})).toThrow(/cannot be made/);
});

test("what a killed writer left is removed when the run is opened, and other files are not", () => {
  createRun(run, {});
  for (const name of [".state.safetensors.123.tmp", ".metrics.jsonl.7.tmp", ".mine.7.tmp"]) {
    writeFileSync(join(run, name), "half");
  }
  openRun(run);
  expect(readdirSync(run).sort()).toEqual([".mine.7.tmp", "manifest.json"]);
});

test("a half-written last line of the metrics is passed over, and gone after truncation", () => {
  createRun(run, {});
  appendMetric(run, { step: 1 }, { step: 2, nested: { a: 1 } });
  appendFileSync(join(run, "metrics.jsonl"), '{"step":3,"nested":{"a":1}');
  expect(readMetrics(run).map((row) => row.step)).toEqual([1, 2]);
  truncateMetrics(run, 99);
  appendMetric(run, { step: 3 });
  expect(metrics()).toBe('{"step":1}\n{"step":2,"nested":{"a":1}}\n{"step":3}\n');
});

test("truncation drops the rows after the checkpoint's step and keeps the others byte for byte", () => {
  createRun(run, {});
  writeFileSync(join(run, "metrics.jsonl"), '{"step": 1, "x": 1.50}\n{"step":2}\n{"step":3}\n');
  truncateMetrics(run, 2);
  expect(metrics()).toBe('{"step": 1, "x": 1.50}\n{"step":2}\n');
});

test.each(["{oops}", '{"negElbo":1}', ""])("a bad line %j before the last is refused with its number", (line) => {
  createRun(run, {});
  writeFileSync(join(run, "metrics.jsonl"), `{"step":1}\n${line}\n{"step":3}\n`);
  expect(() => readMetrics(run)).toThrow(DataError);
  expect(() => readMetrics(run)).toThrow(/metrics\.jsonl, line 2/);
});

test("what is no run is refused with what a run is", () => {
  expect(() => readManifest(run)).toThrow(/does not exist.*train --out/);
  expect(() => readManifest(folder)).toThrow(/holds no run: it has no manifest\.json/);
  createRun(run, {});
  writeFileSync(join(run, "manifest.json"), '{"seed"');
  expect(() => openRun(run)).toThrow(/manifest\.json is damaged/);
});

test("when a checkpoint cannot be put in place, the error is not swallowed and no half file stays", () => {
  createRun(run, {});
  // A folder in the state's place makes the rename fail, as a full disk makes the write fail.
  rmSync(join(run, "state.safetensors"), { force: true, recursive: true });
  createRun(join(run, "state.safetensors"), {});
  expect(() => checkpoint(run, Uint8Array.of(1))).toThrow();
  expect(existsSync(join(run, `.state.safetensors.${process.pid}.tmp`))).toBe(false);
});
