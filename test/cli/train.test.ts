import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "./command.ts";

let ansatz: BuiltCommand;
beforeAll(async () => {
  ansatz = await buildCommand();
});
afterAll(() => ansatz.remove());

const path = (...parts: string[]) => join(ansatz.folder, ...parts);
const read = (...parts: string[]) => readFileSync(path(...parts), "utf8");
const manifest = (run: string) => JSON.parse(read(run, "manifest.json"));
const small = ["--encoder", "16", "--decoder", "16", "--latent", "2", "--deterministic"];

describe("train", () => {
  test("without a place to write it makes a numbered run, and says where the report is and what comes next", async () => {
    const { code, stdout, stderr } = await ansatz.run(["train", "digits", "--epochs", "1", ...small]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("runs/digits-1/report.html");
    expect(stdout).toContain("ansatz sample runs/digits-1");
    expect(readdirSync(path("runs/digits-1")).sort()).toEqual([
      "manifest.json",
      "metrics.jsonl",
      "report.html",
      "state.safetensors",
    ]);
    expect(read("runs/digits-1/report.html")).toContain("Decoded grid");
    await ansatz.run(["train", "digits", "--epochs", "1", ...small]);
    expect(existsSync(path("runs/digits-2/report.html"))).toBe(true);
  });

  test("--json prints its figures on the last line, and the manifest keeps them", async () => {
    const outcome = await ansatz.run([
      "train",
      "digits",
      "--epochs",
      "2",
      "--seed",
      "3",
      "--out",
      "json",
      "--json",
      ...small,
    ]);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    const result = lastJson(outcome);
    expect(result).toEqual({
      testNegElbo: expect.any(Number),
      trainNegElbo: expect.any(Number),
      rate: expect.any(Number),
      distortion: expect.any(Number),
      epochs: 2,
      secondsTraining: expect.any(Number),
      imagesPerSecond: expect.any(Number),
      backend: "wasm",
      seed: 3,
      parameterHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      status: "done",
      run: "json",
      report: "json/report.html",
      warnings: expect.any(Array),
    });
    expect(manifest("json")).toMatchObject({
      status: "done",
      result,
      seed: 3,
      deterministic: true,
      given: { epochs: 2 },
    });
    const rows = read("json/metrics.jsonl").trimEnd().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: short
    expect(rows.map((row) => row.epoch)).toEqual([1, 2]);
    expect(rows.at(-1)?.testNegElbo).toBe(result.testNegElbo);
  });

  test("a directory that holds a run is not written over unless that is asked for", async () => {
    const words = ["train", "digits", "--epochs", "1", "--out", "kept", "--json", ...small];
    await ansatz.run(words);
    const before = read("kept/manifest.json");
    const { code, stderr } = await ansatz.run(words);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: kept holds a run already\. .*--resume kept.*--overwrite/);
    expect(read("kept/manifest.json")).toBe(before);
    expect((await ansatz.run([...words, "--overwrite"])).code).toBe(0);
    expect(read("kept/manifest.json")).not.toBe(before);
  });
});

describe("what train refuses, before it writes anything", () => {
  const cases: [string, string, number, RegExp][] = [
    ["a missing file", "nowhere.csv", 1, /^error: nowhere\.csv does not exist/],
    ["a missing value", "missing.csv", 1, /^error: missing\.csv, line 3, column 2 \("b"\): the value is missing/],
    ["an empty file", "empty.csv", 1, /^error: empty\.csv holds no rows \(0 bytes\)/],
    ["a truncated file", "cut.npy", 1, /^error: cut\.npy is truncated/],
    ["an unknown kind of file", "notes.docx", 1, /^error: notes\.docx: the name does not say/],
  ];
  beforeAll(() => {
    writeFileSync(path("missing.csv"), "a,b\n1,2\n3,\n");
    writeFileSync(path("empty.csv"), "");
    writeFileSync(path("cut.npy"), "\x93NUMPY\x01\x00\x76\x00{", "latin1");
    writeFileSync(path("notes.docx"), "x");
  });

  test.each(cases)("%s", async (_name, data, code, text) => {
    const outcome = await ansatz.run(["train", data, "--out", `refused-${data}`, "--json"]);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toMatch(text);
    expect(outcome.stderr.trimEnd()).not.toContain("\n");
    expect(lastJson(outcome)).toEqual({ error: { name: "DataError", message: expect.any(String) } });
    expect(existsSync(path(`refused-${data}`))).toBe(false);
  });

  test("gray values under a Bernoulli likelihood, with row, pixel and what to do", async () => {
    const { code, stderr } = await ansatz.run(["train", "digits", "--likelihood", "bernoulli", "--out", "gray"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: bundled digits: found \d+ .*row \d+, pixel \(\d, \d\).*--binarize dynamic/);
    expect(existsSync(path("gray"))).toBe(false);
  });

  test("options that contradict each other, in terms of flags", async () => {
    const { code, stderr } = await ansatz.run(["train", "digits", "--batch", "5000", "--drop-last"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: --drop-last leaves nothing to train on/);
  });

  test("a stack is shown only under ANSATZ_DEBUG", async () => {
    const words = ["train", "nowhere.csv"];
    expect((await ansatz.run(words)).stderr).not.toMatch(/^ +at /m);
    expect((await ansatz.run(words, { env: { ANSATZ_DEBUG: "1" } })).stderr).toMatch(/^ +at /m);
  });
});

test("a bound that is not finite ends the run with status 1, and keeps what was learned before", async () => {
  const words = ["train", "digits", "--optimizer", "sgd", "--lr", "1e30", "--epochs", "2", "--out", "wild", ...small];
  const { code, stderr } = await ansatz.run(words);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: .*(Infinity|NaN) at step \d+.*The run until then is in wild\.\n$/);
  expect(manifest("wild")).toMatchObject({ status: "failed", error: expect.stringContaining("at step") });
  expect(read("wild/report.html")).toContain("at step");
  expect((await ansatz.run(["sample", "wild", "-n", "1"])).code).toBe(0);
});

describe("train --resume", () => {
  test("a finished run trained further ends with the bits of a longer one", async () => {
    const words = ["--seed", "5", "--json", ...small];
    const long = await ansatz.run(["train", "digits", "--epochs", "4", "--out", "long", ...words]);
    await ansatz.run(["train", "digits", "--epochs", "2", "--out", "short", ...words]);
    const longer = await ansatz.run(["train", "--resume", "short", "--epochs", "4", "--json"]);
    expect(longer).toMatchObject({ code: 0, stderr: "" });
    expect(lastJson(longer).parameterHash).toBe(lastJson(long).parameterHash);
    expect(lastJson(longer).testNegElbo).toBe(lastJson(long).testNegElbo);
  });

  test("a complete run is said to be complete, and its result is told again", async () => {
    const before = manifest("long");
    const again = await ansatz.run(["train", "--resume", "long", "--json"]);
    expect(again.code).toBe(0);
    expect(again.stderr).toContain("long is complete");
    expect(lastJson(again)).toEqual(before.result);
    expect(manifest("long")).toEqual(before);
  });

  test.each([
    [["--lr", "0.1"], /--lr cannot be given with it/],
    [["--epochs", "1"], /--epochs 1 is fewer than the 4 of long/],
    [["--out", "elsewhere"], /--out cannot be given with it/],
  ])("refuses %s", async (words, text) => {
    const { code, stderr } = await ansatz.run(["train", "--resume", "long", ...words]);
    expect(code).toBe(2);
    expect(stderr).toMatch(text);
  });

  test("says what a directory lacks that is no run", async () => {
    const { code, stderr } = await ansatz.run(["train", "--resume", "nothing"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: nothing does not exist/);
  });

  test("other data than the run was started with are refused", async () => {
    const table = (last: string) =>
      `a,b\n${Array.from({ length: 30 }, (_, i) => `${i % 7},${i % 5}`).join("\n")}\n${last}\n`;
    writeFileSync(path("changing.csv"), table("1,2"));
    await ansatz.run(["train", "changing.csv", "--epochs", "1", "--out", "changed", ...small]);
    writeFileSync(path("changing.csv"), table("1,3"));
    const { code, stderr } = await ansatz.run(["train", "--resume", "changed", "--epochs", "2"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/data are not those that this run was started with/);
  });
});

test("Ctrl-C saves the run, writes its report, says how to go on and exits with 130", async () => {
  const words = ["train", "digits", "--epochs", "100000", "--out", "stopped", "--json", ...small];
  const outcome = await ansatz.run(words, {
    onStart: async (child) => {
      while (!existsSync(path("stopped/metrics.jsonl")) && child.exitCode === null) await sleep(10);
      child.kill("SIGINT");
    },
  });
  expect(outcome, outcome.stderr).toMatchObject({ code: 130, signal: null, stderr: "" });
  expect(lastJson(outcome)).toMatchObject({ status: "interrupted", parameterHash: expect.any(String) });
  expect(manifest("stopped").status).toBe("interrupted");
  expect(existsSync(path("stopped/report.html"))).toBe(true);
  expect(existsSync(path("stopped/lock"))).toBe(false);
  expect((await ansatz.run(["score", "stopped", "--limit", "3"])).code).toBe(0);
});

test("a run in use is not resumed by a second process", async () => {
  const words = ["train", "digits", "--epochs", "100000", "--out", "busy", ...small];
  let second: Promise<{ code: number | null; stderr: string }> | null = null;
  await ansatz.run(words, {
    onStart: async (child) => {
      while (!existsSync(path("busy/metrics.jsonl")) && child.exitCode === null) await sleep(10);
      second = ansatz.run(["train", "--resume", "busy"]);
      await second;
      child.kill("SIGKILL");
    },
  });
  const { code, stderr } = await second!;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: busy is in use: process \d+ is training this run/);
});
