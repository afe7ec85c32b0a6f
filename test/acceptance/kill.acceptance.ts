import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "../cli/command.ts";

let ansatz: BuiltCommand;
beforeAll(async () => {
  ansatz = await buildCommand();
});
afterAll(() => ansatz.remove());

const kills = 12;

type Moment = "start-up" | "training" | "checkpoint";
/** Each fourth kill falls into start-up, each fourth into the writing of a checkpoint, the others anywhere in training. */
const momentOf = (kill: number): Moment => (kill % 4 === 3 ? "start-up" : kill % 4 === 1 ? "checkpoint" : "training");

async function killAt(moment: Moment, child: ChildProcess, run: string, delay: number): Promise<void> {
  const before = learned(run).length;
  if (moment !== "start-up") {
    // A run that never gets on would show nothing.
    while (learned(run).length <= before && child.exitCode === null) await sleep(5);
  }
  await sleep(delay);
  if (moment === "checkpoint") while (!isWriting(run) && child.exitCode === null) await setImmediate();
  child.kill("SIGKILL");
}

const isWriting = (run: string): boolean =>
  readdirSync(join(ansatz.folder, run)).some((name) => /state.*\.tmp$/.test(name));

/** What a run learned, without what the clock says. */
function learned(run: string) {
  const path = join(ansatz.folder, run, "metrics.jsonl");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
  return lines.map((line) => {
    const { seconds: _seconds, imagesPerSecond: _rate, ...rest } = JSON.parse(line);
    return rest;
  });
}

test.each([
  ["with the system's kernels", []],
  ["deterministic", ["--deterministic"]],
])(
  `a run killed ${kills} times at random moments, %s, ends with the bits of one that was not`,
  async (_name, flags) => {
    const options = ["--epochs", "300", "--seed", "7", "--checkpoint-every", "0", "--json", ...flags];
    const [whole, killed] = [`whole${flags.length}`, `killed${flags.length}`];
    const undisturbed = await ansatz.run(["train", "digits", "--out", whole, ...options]);
    expect(undisturbed).toMatchObject({ code: 0, stderr: "" });

    let insideWrites = 0;
    const lengths = new Set<number>();
    // Some more where the machine was so slow that the kills found the run at few places, or never inside a write.
    const tooAlike = () => insideWrites === 0 || lengths.size <= 3;
    for (let kill = 0; kill < kills || (tooAlike() && kill < 5 * kills); kill++) {
      const args =
        kill === 0
          ? ["train", "digits", "--out", killed, ...options]
          : ["train", "--resume", killed, "--checkpoint-every", "0"];
      // Delays spread by the golden ratio, so that no two kills come alike.
      const delay = ((kill * 0.618) % 1) * 120;
      const outcome = await ansatz.run(args, { onStart: (child) => killAt(momentOf(kill), child, killed, delay) });
      expect(outcome, outcome.stderr).toMatchObject({ code: null, signal: "SIGKILL", stderr: "" });
      if (isWriting(killed)) insideWrites++;
      lengths.add(learned(killed).length);
    }
    // Kills that found the run always at one place, or never inside a write, would show little.
    expect(lengths.size).toBeGreaterThan(3);
    expect(insideWrites).toBeGreaterThan(0);

    const resumed = await ansatz.run(["train", "--resume", killed, "--json"]);
    expect(resumed, resumed.stderr).toMatchObject({ code: 0, stderr: "" });
    const [a, b] = [lastJson(undisturbed), lastJson(resumed)];
    expect(b.parameterHash).toBe(a.parameterHash);
    expect([b.testNegElbo, b.trainNegElbo, b.epochs]).toEqual([a.testNegElbo, a.trainNegElbo, a.epochs]);
    expect(learned(killed)).toEqual(learned(whole));
  },
);
