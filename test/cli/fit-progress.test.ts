import { expect, test } from "vitest";
import { fitProgress } from "../../cli/fit-progress.ts";

function terminal(columns = 80, isTTY = true) {
  let text = "";
  let clock = 0;
  const progress = fitProgress(
    {
      isTTY,
      columns,
      write(part) {
        text += part;
      },
    },
    () => clock,
  );
  return {
    progress,
    tick: (milliseconds: number) => {
      clock += milliseconds;
    },
    /** What stands on the screen at the end: a carriage return begins the line anew. */
    screen: () =>
      text.split("\n").map((line) => {
        const shown = line.split("\r").at(-1) ?? "";
        return shown.replaceAll("\u001b[K", "");
      }),
  };
}

const chain = (number: number, done: number, divergences = 0) =>
  ({ kind: "chain", chain: number, done, total: 1000, warmingUp: done < 500, divergences }) as const;

test("nothing is written where nobody looks", () => {
  const { progress, screen } = terminal(80, false);
  progress.update({ kind: "start", dim: 3, seconds: 0.1 });
  progress.update({ kind: "attempt", method: "nuts" });
  progress.update(chain(0, 10));
  progress.interrupted();
  progress.done();
  expect(screen()).toEqual([""]);
});

test("each method leaves one line, the live one goes", () => {
  const { progress, screen } = terminal(60);
  progress.update({ kind: "start", dim: 1, seconds: 0.123 });
  progress.update({ kind: "attempt", method: "laplace" });
  const reason = `k-hat is 0.99, above 0.50: ${"the approximation misses too much ".repeat(4)}`;
  progress.update({ kind: "attempted", method: "laplace", trusted: false, khat: 0.99, reason, seconds: 0.5 });
  progress.update({ kind: "attempt", method: "nuts" });
  progress.update({ kind: "attempted", method: "nuts", trusted: true, khat: null, reason: "fine", seconds: 1 });
  progress.done();
  const lines = screen();
  expect(lines[0]).toBe("1 unknown, compiled in 0.12 s");
  expect(lines[1]).toMatch(/^✗ laplace, 0\.50 s: k-hat is 0\.99, above 0\.50: the .* …$/);
  expect(lines[1]!.length).toBeLessThanOrEqual(59);
  expect(lines[2]).toBe("✓ nuts, 1.00 s");
  expect(lines.slice(3)).toEqual([""]);
});

test("chains show how far they are, what diverged and how long it will take", () => {
  const { progress, tick, screen } = terminal();
  progress.update({ kind: "attempt", method: "nuts" });
  tick(2000);
  progress.update(chain(0, 250, 3));
  expect(screen()).toEqual(["nuts [######------------------] warming up, 1 chain, 3 divergent, 00:06 left"]);
  tick(2000);
  progress.update(chain(1, 750));
  expect(screen()).toEqual(["nuts [############------------] sampling, 2 chains, 3 divergent, 00:04 left"]);
});

test("a narrow terminal keeps the time left as long as it can", () => {
  const { progress, tick, screen } = terminal(62);
  progress.update({ kind: "attempt", method: "nuts" });
  tick(2000);
  progress.update(chain(0, 250, 3));
  expect(screen()).toEqual(["nuts [######------------------] warming up, 00:06 left"]);
});
