import { describeFailure, type Failure } from "./failure.ts";

/** What every command prints through: results on standard output, everything else on standard error. */

export const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** A remark beside the result: a warning, or what a command does about something not asked for. */
export const remark = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

export const warn = (text: string): void => remark(`warning: ${text}`);

/** One JSON object on one line. JSON has no NaN and no infinities: they become null. */
export const sayJson = (value: Readonly<Record<string, unknown>>): void => say(JSON.stringify(value));

/** "error: …" on standard error; the stack only under ANSATZ_DEBUG=1. With --json the last line of output says it too. */
export function sayFailure(error: unknown, json: boolean): Failure {
  const failure = describeFailure(error);
  remark(`error: ${failure.message}`);
  if (process.env.ANSATZ_DEBUG && error instanceof Error && error.stack) remark(error.stack);
  if (json) sayJson({ error: { name: failure.name, message: failure.message } });
  return failure;
}

/** Text in lines of at most 100 columns, or the terminal's, where words allow. */
export function wrapped(text: string): string {
  const columns = Math.min(100, process.stdout.columns || process.stderr.columns || 100);
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last !== "" && last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join("\n");
}
