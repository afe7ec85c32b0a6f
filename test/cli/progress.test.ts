import { describe, expect, test } from "vitest";
import { createProgress, formatRate, formatTimeLeft } from "../../cli/progress.ts";

const state = {
  epoch: 3,
  epochs: 20,
  step: 1250,
  steps: 10000,
  negElbo: 104.214,
  imagesPerSecond: 41234,
  secondsLeft: 83.2,
};
const finished = {
  epoch: 3,
  epochs: 20,
  trainNegElbo: 105.118,
  testNegElbo: 104.906,
  seconds: 1.456,
  imagesPerSecond: 41234,
};

const control = "\u001b";
const colourCodes = new RegExp(`${control}\\[[0-9;]*m`, "g");
const tokens = new RegExp(`${control}\\[K|[^]`, "g");

function terminal({ columns = 100, isTTY = true, env = {} as Record<string, string> } = {}) {
  const writes: string[] = [];
  const clock = { milliseconds: 0 };
  const stream = { columns, write: (text: string) => writes.push(text) };
  const progress = createProgress({ stream, isTTY, total: 20, unit: "epochs", env, now: () => clock.milliseconds });
  return { progress, clock, stream, writes };
}

/** What a terminal shows after these writes: \r returns, ESC [K clears to the end, \n goes down, and text overwrites. */
function screen(writes: readonly string[]): string[] {
  const lines: string[] = [""];
  let column = 0;
  for (const token of writes.join("").replace(colourCodes, "").match(tokens) ?? []) {
    const last = lines.length - 1;
    const line = lines[last] ?? "";
    if (token === "\u001b[K") lines[last] = line.slice(0, column);
    else if (token === "\r") column = 0;
    else if (token === "\n") [column] = [0, lines.push("")];
    else [column, lines[last]] = [column + 1, line.slice(0, column) + token + line.slice(column + 1)];
  }
  return lines;
}

describe("the progress line", () => {
  test("shows epoch, bound, images per second and time left", () => {
    const { progress, writes } = terminal();
    progress.update(state);
    expect(screen(writes)).toEqual(["[###---------------------]  epoch 3/20  negElbo 104.21  41.2k img/s  01:24 left"]);
  });

  test("rewrites one line in place, also when the new text is shorter", () => {
    const { progress, clock, writes } = terminal();
    progress.update({ ...state, negElbo: 10234.56 });
    clock.milliseconds = 200;
    progress.update({ ...state, negElbo: 9.5, secondsLeft: null });
    expect(screen(writes)).toEqual(["[###---------------------]  epoch 3/20  negElbo 9.50  41.2k img/s  --:-- left"]);
  });

  test("is drawn at most ten times a second", () => {
    const { progress, clock, writes } = terminal();
    for (; clock.milliseconds < 1000; clock.milliseconds++) progress.update(state);
    expect(writes).toHaveLength(10);
  });

  test.each([1, 5, 12, 20, 30, 40, 50, 60, 79, 80, 200])("never reaches the last of %i columns", (columns) => {
    const { progress, writes } = terminal({ columns });
    progress.update(state);
    progress.epochEnd(finished);
    for (const line of screen(writes)) expect(line.length).toBeLessThanOrEqual(Math.max(1, columns - 1));
  });

  test("gives up the rate first, then the bar, then the time left", () => {
    const at = (columns: number) => {
      const { progress, writes } = terminal({ columns });
      progress.update(state);
      return screen(writes)[0];
    };
    expect(at(60)).toBe("[##---------------]  epoch 3/20  negElbo 104.21  01:24 left");
    expect(at(42)).toBe("epoch 3/20  negElbo 104.21  01:24 left");
    expect(at(30)).toBe("epoch 3/20  negElbo 104.21");
  });

  test("keeps a line per epoch above it", () => {
    const { progress, clock, writes } = terminal();
    progress.update(state);
    progress.epochEnd(finished);
    clock.milliseconds = 500;
    progress.update({ ...state, epoch: 4 });
    progress.epochEnd({ ...finished, epoch: 4, testNegElbo: null });
    progress.done();
    expect(screen(writes)).toEqual([
      "epoch  3/20  negElbo train 105.12  test 104.91  41.2k img/s  1.46 s",
      "epoch  4/20  negElbo train 105.12  41.2k img/s  1.46 s",
      "",
    ]);
  });

  test("steps aside for other lines and comes back", () => {
    const { progress, stream, writes } = terminal();
    progress.update(state);
    progress.interrupt(() => stream.write("3 of 20 latent dimensions are inactive\n"));
    const [warning, line] = screen(writes);
    expect(warning).toBe("3 of 20 latent dimensions are inactive");
    expect(line).toContain("epoch 3/20");
  });

  test("leaves nothing behind and stays silent once done", () => {
    const { progress, clock, writes } = terminal();
    progress.update(state);
    progress.done();
    clock.milliseconds = 1000;
    progress.update(state);
    progress.epochEnd(finished);
    progress.done();
    expect(screen(writes)).toEqual([""]);
  });

  test("writes nothing at all where there is no terminal, but lets others through", () => {
    const { progress, stream, writes } = terminal({ isTTY: false });
    progress.update(state);
    progress.epochEnd(finished);
    progress.interrupt(() => stream.write("warning\n"));
    progress.done();
    expect(writes).toEqual(["warning\n"]);
  });

  test("has colours, unless NO_COLOR is set to anything but the empty string", () => {
    const written = (env: Record<string, string>) => {
      const { progress, writes } = terminal({ env });
      progress.update(state);
      progress.epochEnd(finished);
      return writes.join("");
    };
    expect(written({})).toMatch(colourCodes);
    expect(written({ NO_COLOR: "" })).toMatch(colourCodes);
    expect(written({ NO_COLOR: "1" })).not.toMatch(colourCodes);
  });

  test("sends no control sequence to a dumb terminal", () => {
    const { progress, writes } = terminal({ env: { TERM: "dumb" } });
    progress.update(state);
    progress.epochEnd(finished);
    progress.done();
    expect(writes).toEqual(["epoch  3/20  negElbo train 105.12  test 104.91  41.2k img/s  1.46 s\n"]);
  });
});

describe("numbers for people", () => {
  test.each([
    [0, "0.0 img/s"],
    [7.25, "7.3 img/s"],
    [950, "950 img/s"],
    [999.4, "999 img/s"],
    [999.7, "1.00k img/s"],
    [9996, "10.0k img/s"],
    [41234, "41.2k img/s"],
    [999_900, "1.00M img/s"],
    [1_200_000, "1.20M img/s"],
    [Number.NaN, "- img/s"],
    [Number.POSITIVE_INFINITY, "- img/s"],
  ])("%d examples a second read %s", (rate, text) => {
    expect(formatRate(rate)).toBe(text);
  });

  test.each([
    [0, "00:00"],
    [0.2, "00:01"],
    [59.5, "01:00"],
    [83, "01:23"],
    [3599.5, "1:00:00"],
    [7384, "2:03:04"],
    [null, "--:--"],
    [Number.POSITIVE_INFINITY, "--:--"],
    [-1, "--:--"],
  ])("%s seconds left read %s", (seconds, text) => {
    expect(formatTimeLeft(seconds)).toBe(text);
  });
});
