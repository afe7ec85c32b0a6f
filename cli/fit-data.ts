import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { DataError, OptionError } from "../src/index.ts";

const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);

/**
 * The data of a fit from a JSON file (also as .gz): the object in it, or the object under its "data", as posteriordb's files
 * have it.
 *
 * @throws OptionError, DataError naming the file and what was found
 */
export function readFitData(path: string): Record<string, unknown> {
  if (!existsSync(path))
    throw new OptionError(`${path} does not exist. Give a JSON file with the model's data (--data).`);
  const bytes = readFileSync(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new DataError(
      `${path} is no JSON: ${(error as Error).message}. Give one object, such as {"y": [1.2, 0.7], "N": 2}.`,
    );
  }
  if (!isRecord(parsed)) {
    const found = Array.isArray(parsed) ? "an array" : parsed === null ? "null" : `a ${typeof parsed}`;
    throw new DataError(
      `${path} holds ${found}; expected one object with the model's data by name, such as {"y": [1.2, 0.7]}.`,
    );
  }
  return isRecord(parsed.data) ? parsed.data : parsed;
}
