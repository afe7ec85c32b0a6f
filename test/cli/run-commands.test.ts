import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseCsv } from "../../src/data/csv.ts";
import { parseNpy } from "../../src/data/npy.ts";
import { type BuiltCommand, buildCommand, lastJson } from "./command.ts";

let ansatz: BuiltCommand;
const path = (...parts: string[]) => join(ansatz.folder, ...parts);

beforeAll(async () => {
  ansatz = await buildCommand();
  const table = Array.from({ length: 60 }, (_, i) => `${Math.sin(i)},${Math.cos(i)},${i % 2 ? "odd" : "even"}`);
  writeFileSync(path("table.csv"), `left,right,kind\n${table.join("\n")}\n`);
  writeFileSync(path("new.csv"), "left,right,kind\n0.5,0.5,odd\n-1,0,even\n");
  const small = ["--encoder", "16", "--decoder", "16", "--latent", "3", "--deterministic", "--epochs", "3"];
  await ansatz.run(["train", "digits", "--out", "images", ...small]);
  await ansatz.run(["train", "table.csv", "--label-column", "kind", "--out", "rows", ...small]);
});
afterAll(() => ansatz.remove());

const csv = (name: string) => parseCsv(readFileSync(path(name)), name, { labelColumn: "label" });
const npy = (name: string) => parseNpy(new Uint8Array(readFileSync(path(name))), name);

describe("encode", () => {
  test("writes means by row with labels, and the same numbers as NPY", async () => {
    const outcome = await ansatz.run(["encode", "images", "--out", "z.csv", "--sd"]);
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout).toMatch(/^Wrote z\.csv: 299 rows/);
    const { array, columns, labels } = csv("z.csv");
    expect(columns).toEqual(["z1", "z2", "z3", "sd1", "sd2", "sd3"]);
    expect(labels).toHaveLength(299);
    await ansatz.run(["encode", "images", "--out", "z.npy", "--sd"]);
    expect(npy("z.npy").shape).toEqual([299, 6]);
    expect(Float32Array.from(array.values)).toEqual(npy("z.npy").values);
  });

  test("takes a file of new rows whole, with the run's label column", async () => {
    const outcome = await ansatz.run(["encode", "rows", "--data", "new.csv"]);
    const lines = outcome.stdout.trimEnd().split("\n");
    expect(lines[0]).toBe("label,z1,z2,z3");
    expect(lines.slice(1).map((line) => line.split(",")[0])).toEqual(["odd", "even"]);
  });

  test("rows of another width are refused", async () => {
    const { code, stderr } = await ansatz.run(["encode", "images", "--data", "table.csv"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: table\.csv/);
  });
});

test("sample writes arrays of the data's shape, and the same for the same seed", async () => {
  await ansatz.run(["sample", "images", "-n", "5", "--seed", "1", "--out", "one.npy"]);
  await ansatz.run(["sample", "images", "-n", "5", "--seed", "1", "--out", "two.npy"]);
  await ansatz.run(["sample", "images", "-n", "5", "--seed", "2", "--out", "three.npy"]);
  expect(npy("one.npy").shape).toEqual([5, 8, 8]);
  expect(npy("one.npy").values.every((value) => value >= 0 && value <= 1)).toBe(true);
  expect(npy("two.npy").values).toEqual(npy("one.npy").values);
  expect(npy("three.npy").values).not.toEqual(npy("one.npy").values);
  const { stdout } = await ansatz.run(["sample", "images", "-n", "2", "--draw"]);
  expect(new Set(stdout.trimEnd().split("\n").slice(1).join(",").split(","))).toEqual(new Set(["0", "1"]));
});

test("reconstruct names a table's columns, and --json carries the rows", async () => {
  const outcome = await ansatz.run(["reconstruct", "rows", "--limit", "2", "--json"]);
  const { columns, values, examples } = lastJson(outcome);
  expect({ columns, examples }).toEqual({ columns: ["left", "right"], examples: 2 });
  expect(values).toEqual([[expect.any(Number), expect.any(Number)], [expect.any(Number), expect.any(Number)]]); // biome-ignore format: short
});

test("score is rate plus distortion, and its mean is what --json says", async () => {
  const outcome = await ansatz.run(["score", "images", "--out", "scores.npy", "--json"]);
  const { shape, values } = npy("scores.npy");
  expect(shape).toEqual([299, 3]);
  let sum = 0;
  for (let row = 0; row < 299; row++) {
    expect(values[3 * row]).toBeCloseTo(values[3 * row + 1]! + values[3 * row + 2]!, 10);
    sum += values[3 * row]!;
  }
  expect(lastJson(outcome).negElbo).toBeCloseTo(sum / 299, 10);
});

test("nll tightens the bound", async () => {
  const few = lastJson(await ansatz.run(["nll", "images", "--samples", "1", "--json"]));
  const many = lastJson(await ansatz.run(["nll", "images", "--samples", "200", "--json"]));
  expect(many).toMatchObject({ samples: 200, examples: 299, standardError: expect.any(Number), warnings: [] });
  expect(few.effectiveSamples).toBe(1);
  expect(many.effectiveSamples).toBeGreaterThan(5);
  expect(many.effectiveSamples).toBeLessThanOrEqual(200);
  expect(many.nll).toBeLessThan(few.nll as number);
});

describe("report", () => {
  test("is written anew from the run directory", async () => {
    writeFileSync(path("images", "report.html"), "");
    const outcome = await ansatz.run(["report", "images", "--json"]);
    expect(lastJson(outcome)).toEqual({ run: "images", report: "images/report.html", pictures: true, warnings: [] });
    expect(readFileSync(path("images", "report.html"), "utf8")).toContain("Samples from the prior");
  });

  test("goes without pictures where the data are gone", async () => {
    await ansatz.run([
      "train",
      "new.csv",
      "--label-column",
      "kind",
      "--epochs",
      "1",
      "--out",
      "orphan",
      "--holdout",
      "0",
    ]);
    writeFileSync(path("new.csv"), "");
    const outcome = await ansatz.run(["report", "orphan"]);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toMatch(/^warning: The report has no pictures: new\.csv holds no rows/);
  });
});

test.each(["encode", "sample", "reconstruct", "score", "nll", "report"])(
  "%s says what a folder lacks that is no run",
  async (name) => {
    const { code, stderr } = await ansatz.run([name, "."]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'error: . holds no run: it has no manifest.json. Give the directory that "train --out" or "fit --out" wrote.\n',
    );
  },
);

test("parameters that are not those of the finished run are refused", async () => {
  cpSync(path("images"), path("altered"), { recursive: true });
  const state = readFileSync(path("images", "state.safetensors"));
  const first = 8 + Number(state.readBigUInt64LE()); // the header's length, the header, the parameters
  state[first + 2]! ^= 1;
  writeFileSync(path("altered", "state.safetensors"), state);
  for (const command of [
    ["score", "altered"],
    ["train", "--resume", "altered", "--epochs", "4"],
  ]) {
    const { code, stderr } = await ansatz.run(command);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /error: altered\/state\.safetensors is damaged or of another run: its parameters have the hash/,
    );
  }
});

test("a directory whose training was killed before its first step has nothing to go on from", async () => {
  mkdirSync(path("unbegun"));
  writeFileSync(path("unbegun", "lock"), "{}\n");
  const { code, stderr } = await ansatz.run(["train", "--resume", "unbegun"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: unbegun holds no run yet.*start it with the command/s);
});
