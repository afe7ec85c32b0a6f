import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "../cli/command.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const mnist = join(resolve(root, process.env.ANSATZ_DATA ?? "../shared/data"), "mnist");

let ansatz: BuiltCommand;
beforeAll(async () => {
  ansatz = await buildCommand();
});
afterAll(() => ansatz.remove());

const finite = expect.closeTo(0, -9);

describe.runIf(existsSync(mnist))("the calls of the documentation on all of MNIST", () => {
  test("train, with a shorter run than the documentation's", async () => {
    const words =
      "--likelihood bernoulli --binarize dynamic --encoder 400 --decoder 400 --activation softplus --latent 50 " +
      "--init normal:0.01 --estimator generic --optimizer adam --lr 1e-3 --batch 128 --drop-last --epochs 2 --seed 1";
    const outcome = await ansatz.run(["train", mnist, ...words.split(" "), "--out", "runs/a", "--json"]);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: "" });
    const result = lastJson(outcome);
    expect(result).toMatchObject({ epochs: 2, seed: 1, parameterHash: expect.stringMatching(/^[0-9a-f]{16,}$/) });
    // After two epochs the bound is far below the 206 nats of independent pixels, and not yet at the 99.63 of twenty epochs.
    expect(result.testNegElbo).toBeGreaterThan(99);
    expect(result.testNegElbo).toBeLessThan(150);
    expect(result.trainNegElbo).toEqual(finite);
    expect(result.imagesPerSecond).toBeGreaterThan(0);
    expect(result.secondsTraining).toBeGreaterThan(0);
    expect(readFileSync(join(ansatz.folder, "runs/a/report.html"), "utf8")).toContain("Originals and reconstructions");
  });

  test("nll is at most the bound, which it tightens", async () => {
    const words = ["--data", mnist, "--samples", "100", "--limit", "500", "--json"];
    const outcome = await ansatz.run(["nll", "runs/a", ...words]);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: "" });
    const result = lastJson(outcome);
    expect(result).toMatchObject({ samples: 100, examples: 500, standardError: finite });
    const scored = lastJson(
      await ansatz.run(["score", "runs/a", "--data", mnist, "--limit", "500", "--out", "s.csv", "--json"]),
    );
    expect(result.nll).toBeLessThan(scored.negElbo as number);
  });

  test("score writes a row for each test image", async () => {
    const outcome = await ansatz.run(["score", "runs/a", "--data", mnist, "--split", "test", "--out", "scores.csv"]);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: "" });
    const lines = readFileSync(join(ansatz.folder, "scores.csv"), "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(1 + 10_000);
  });
});

test("equal deterministic runs have equal hashes", async () => {
  const words = ["train", "digits", "--deterministic", "--epochs", "2", "--seed", "7", "--json"];
  const [one, two] = [await ansatz.run([...words, "--out", "runs/d"]), await ansatz.run([...words, "--out", "runs/e"])];
  expect([one.code, two.code]).toEqual([0, 0]);
  expect(lastJson(one).parameterHash).toBe(lastJson(two).parameterHash);
  expect(lastJson(one).backend).toBe("wasm");
});
