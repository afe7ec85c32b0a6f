import { readFileSync, statSync } from "node:fs";
import { DataError, OptionError } from "../src/index.ts";

const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);

const example = '{"y": [1.2, 0.7], "N": 2}';

/**
 * The data of a fit from a JSON file (also as .gz): the object in it, or the object under its "data", as posteriordb's files
 * have it.
 *
 * @throws OptionError, DataError naming the file, the line and what was found
 */
export async function readFitData(path: string): Promise<Record<string, unknown>> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new OptionError(`${path} does not exist. Give a JSON file with the model's data (--data).`);
  if (found.isDirectory())
    throw new OptionError(`${path} is a folder. Give a JSON file with the model's data (--data).`);
  const text = await textOf(path);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${path} is not JSON: ${complaint(text, (error as Error).message)}`);
  }
  if (!isRecord(parsed)) {
    const kind = Array.isArray(parsed) ? "an array" : parsed === null ? "null" : `a ${typeof parsed}`;
    throw new DataError(
      `${path} holds ${kind}; expected one object with the model's data by name, such as ${example}.`,
    );
  }
  return isRecord(parsed.data) ? parsed.data : parsed;
}

async function textOf(path: string): Promise<string> {
  const bytes = readFileSync(path);
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isPacked) return plain(bytes);
  const { gunzipSync } = await import("node:zlib");
  try {
    return plain(gunzipSync(bytes));
  } catch (error) {
    throw new DataError(`${path} cannot be unpacked: ${(error as Error).message}. Pack it again with gzip.`);
  }
}

/** Without the mark that some editors put at the start. */
const plain = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/^\uFEFF/, "");

/** What is wrong with a text that is not JSON, where, and what to do. */
function complaint(text: string, message: string): string {
  if (text.trim() === "") return `it is empty. Write one object, such as ${example}.`;
  const odd = firstOutsideStrings(text, /[+-]?\b(?:NaN|nan|Infinity|inf)\b/y);
  if (odd) {
    return (
      `line ${lineAt(text, odd.index)} has ${odd.text}, which JSON has no number for. Write null for what is missing, and ` +
      "large finite numbers for bounds."
    );
  }
  const position = positionOf(text, message);
  const what = message.replace(/ in JSON at position \d+.*$/s, "").replace(/, (\.\.\.)?".*is not valid JSON$/s, "");
  const where = position === null ? "" : `line ${lineAt(text, position)}: `;
  return `${where}${what}. Write one object, such as ${example}.`;
}

/** From 1. What is missing at the end is missing on the last line that has something. */
const lineAt = (text: string, position: number): number => text.trimEnd().slice(0, position).split("\n").length;

/** The first match of a sticky expression outside of the text's strings. */
function firstOutsideStrings(text: string, expression: RegExp): { index: number; text: string } | null {
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === "\\") i++;
      continue;
    }
    expression.lastIndex = i;
    const [found] = expression.exec(text) ?? [];
    if (found) return { index: i, text: found };
  }
  return null;
}

/** Where the parser stopped: it gives a number, or an excerpt with ten characters on both sides. */
function positionOf(text: string, message: string): number | null {
  const number = /at position (\d+)/.exec(message)?.[1];
  if (number) return Number(number);
  const excerpt = /\.\.\."(.*)"(?:\.\.\.)? is not valid JSON$/s.exec(message)?.[1];
  const at = excerpt ? text.indexOf(excerpt) : -1;
  if (at >= 0) return Math.min(text.length, at + 10);
  return /end of JSON input/.test(message) ? text.trimEnd().length : null;
}
