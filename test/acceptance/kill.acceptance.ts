import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "../cli/command.ts";

let ansatz: BuiltCommand;
beforeAll(async () => {
  ansatz = await buildCommand();
});
afterAll(() => ansatz.remove());

const kills = 12;

/** Kills a process `delay` milliseconds after its start, or after the run's session of that number has begun. */
async function killAfter(child: ChildProcess, run: string, session: number | null, delay: number): Promise<void> {
  while (session !== null && sessionsOf(run) < session && child.exitCode === null) await sleep(5);
  await sleep(delay);
  child.kill("SIGKILL");
}

function sessionsOf(run: string): number {
  const path = join(ansatz.folder, run, "manifest.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).sessions.length : 0;
}

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
    const options = ["--epochs", "150", "--seed", "7", "--checkpoint-every", "0", "--json", ...flags];
    const [whole, killed] = [`whole${flags.length}`, `killed${flags.length}`];
    const undisturbed = await ansatz.run(["train", "digits", "--out", whole, ...options]);
    expect(undisturbed).toMatchObject({ code: 0, stderr: "" });

    let insideWrites = 0;
    const lengths = new Set<number>();
    for (let kill = 0; kill < kills; kill++) {
      const args =
        kill === 0
          ? ["train", "digits", "--out", killed, ...options]
          : ["train", "--resume", killed, "--checkpoint-every", "0"];
      // Every fourth kill falls into start-up; the others, spread by the golden ratio, into the training that follows.
      const begun = kill % 4 === 3 ? null : kill + 1 - Math.floor((kill + 1) / 4);
      const outcome = await ansatz.run(args, {
        onStart: (child) => killAfter(child, killed, begun, ((kill * 0.618) % 1) * 300),
      });
      expect(outcome, outcome.stderr).toMatchObject({ code: null, signal: "SIGKILL", stderr: "" });
      if (readdirSync(join(ansatz.folder, killed)).some((name) => /state.*\.tmp$/.test(name))) insideWrites++;
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
