import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "../cli/command.ts";

let ansatz: BuiltCommand;
beforeAll(async () => {
  ansatz = await buildCommand();
});
afterAll(() => ansatz.remove());

const kills = 15;

/** What a run learned, without what the clock says. */
function learned(run: string) {
  const lines = readFileSync(join(ansatz.folder, run, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const { seconds: _seconds, imagesPerSecond: _rate, ...rest } = JSON.parse(line);
    return rest;
  });
}

test.each([
  ["with the system's kernels", []],
  ["deterministic", ["--deterministic"]],
])(`a run killed ${kills} times at random moments, %s, ends with the bits of one that was not`, async (_name, flags) => {
  const options = ["--epochs", "40", "--seed", "7", "--checkpoint-every", "0", "--json", ...flags];
  const [whole, killed] = [`whole${flags.length}`, `killed${flags.length}`];
  const undisturbed = await ansatz.run(["train", "digits", "--out", whole, ...options]);
  expect(undisturbed).toMatchObject({ code: 0, stderr: "" });

  let insideWrites = 0;
  const steps = new Set<number>();
  for (let kill = 0; kill < kills; kill++) {
    const args =
      kill === 0 ? ["train", "digits", "--out", killed, ...options] : ["train", "--resume", killed, "--checkpoint-every", "0"];
    // Moments spread by the golden ratio over start-up and the first part of training.
    const delay = 250 + ((kill * 0.618) % 1) * 500;
    const outcome = await ansatz.run(args, { onStart: (child) => setTimeout(() => child.kill("SIGKILL"), delay) });
    expect(outcome, outcome.stderr).toMatchObject({ code: null, signal: "SIGKILL", stderr: "" });
    if (readdirSync(join(ansatz.folder, killed)).some((name) => /state.*\.tmp$/.test(name))) insideWrites++;
    steps.add(learned(killed).length);
  }
  // Kills that found the run always at one place, or never inside a write, would show little.
  expect(steps.size).toBeGreaterThan(3);
  expect(insideWrites).toBeGreaterThan(0);

  const resumed = await ansatz.run(["train", "--resume", killed, "--json"]);
  expect(resumed, resumed.stderr).toMatchObject({ code: 0, stderr: "" });
  const [a, b] = [lastJson(undisturbed), lastJson(resumed)];
  expect(b.parameterHash).toBe(a.parameterHash);
  expect([b.testNegElbo, b.trainNegElbo, b.epochs]).toEqual([a.testNegElbo, a.trainNegElbo, a.epochs]);
  expect(learned(killed)).toEqual(learned(whole));
});
