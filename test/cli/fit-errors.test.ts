import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltCommand, buildCommand, lastJson } from "./command.ts";

let ansatz: BuiltCommand;
const path = (...parts: string[]) => join(ansatz.folder, ...parts);

const imports = 'import { gamma, model, normal, poisson, type Tensor } from "ansatz";\n';
const body = (lines: string, data = "{ y }: { y: Tensor }") =>
  `${imports}\nexport default model(({ sample, observe, factor }, ${data}) => {\n${lines}\n});\n`;
const advice = "Write: export default model(({ sample, observe }, data) => { … })";

const models: Record<string, string> = {
  "normal.ts": body('  const mu = sample("mu", normal(0, 1));\n  observe("y", normal(mu, 1), y);'),
  "poisson.ts": body('  observe("y", poisson(sample("rate", gamma(2, 1))), y);'),
  "by-name.ts": `${imports}export const coin = model(({ sample }) => { sample("mu", normal(0, 1)); });\n`,
  "function.ts": 'export default ({ sample }: any) => { sample("mu", 1); };\n',
  "empty.ts": "",
  "syntax.ts": `${imports}\nexport default model(({ sample }) => {\n  sample("mu", normal(0, 1);\n});\n`,
  "throws.ts": 'const rows: number[] = [];\n\nthrow new RangeError("no rows in a table of " + rows.length);\n',
  "absent.ts":
    'import { model, normall } from "ansatz";\n\nexport default model(({ sample }) => {\n  sample("mu", normall(0, 1));\n});\n',
  "import.ts":
    'import { model } from "ansatz";\nimport { prior } from "./priors.ts";\nexport default model(({ sample }) => { sample("mu", prior); });\n',
  "reads.ts": body('  sample("mu", normal(0, 1));\n  throw new Error("this model is not written yet");'),
  "twice.ts": body('  sample("mu", normal(0, 1));\n  sample("mu", normal(0, 1));'),
  "log.ts": body('  const mu = sample("mu", normal(0, 1));\n  factor("penalty", mu.mul(mu).neg().sub(1).log());'),
};
const files: Record<string, string> = {
  "good.json": '{"y": [1, 2, 3]}',
  "array.json": "[1, 2]",
  "null.json": "null",
  "empty.json": "",
  "cut.json": '{\n  "y": [1, 2\n',
  "nan.json": '{\n  "name": "NaN is fine here",\n  "y": [1, NaN]\n}',
  "other.json": '{"x": [1], "N": 1}',
  "ragged.json": '{"y": [[1, 2], [3]]}',
  "hole.json": '{"y": [1, null, 3]}',
  "none.json": '{"y": null}',
  "text.json": '{"y": "1, 2, 3"}',
  "half.json": '{"y": [3, 1.5]}',
  "debt.json": '{"y": [3, 1, -2]}',
};

beforeAll(async () => {
  ansatz = await buildCommand();
  mkdirSync(path("folder"));
  for (const [name, text] of Object.entries({ ...models, ...files })) writeFileSync(path(name), text);
});
afterAll(() => ansatz.remove());

/** Words after "fit", the exit code, and the whole of what standard error says after "error: ". */
type Case = readonly [string, readonly string[], number, string];

const example = '{"y": [1.2, 0.7], "N": 2}';
const cases: Case[] = [
  ["no model", [], 2, "missing MODEL: a file whose default export was made by model(...). Try: ansatz fit model.ts --data data.json"],
  ["no such model", ["none.ts"], 2, 'none.ts does not exist. Give the file of a model, as in "ansatz fit model.ts --data data.json".'],
  ["a folder", ["folder"], 2, 'folder is a folder. Give the file of a model, as in "ansatz fit model.ts --data data.json".'],
  ["a model that is not the default export", ["by-name.ts"], 2, `by-name.ts has no model for its default export, but exports coin by name: export it as default. ${advice}`],
  ["a function", ["function.ts"], 2, `function.ts has no model for its default export, but a function: export what model(…) returns, not the function given to it. ${advice}`],
  ["an empty file", ["empty.ts"], 2, `empty.ts has no model for its default export, and exports nothing. ${advice}`],
  ["a syntax error", ["syntax.ts"], 1, 'syntax.ts:4:28: syntax error: Unexpected token, expected ",".'],
  ["a model that throws when loaded", ["throws.ts"], 1, "throws.ts:3: RangeError: no rows in a table of 0. This happened while the file was loaded."],
  ["a name that is not exported", ["absent.ts"], 1, 'absent.ts:4: TypeError: "normall" is not a function that the imported module exports.'],
  ["a module that is not there", ["import.ts"], 1, 'import.ts:2: there is no module "./priors.ts". Correct the import; paths count from the file that it stands in.'],
  ["a body that throws", ["reads.ts", "--data", "good.json"], 1, "reads.ts:5: this model is not written yet."],
  ["a site named twice", ["twice.ts", "--data", "good.json"], 2, 'twice.ts:5: the site name "mu" is used twice: by sample("mu") and by sample("mu"). Each site needs a name of its own.'],
  ["no data where some are read", ["normal.ts"], 2, "normal.ts:3: the model reads data.y, but no --data were given. Give it there, or rename it in the model."],
  ["no such data", ["normal.ts", "--data", "none"], 2, "none does not exist. Give a JSON file with the model's data (--data)."],
  ["a folder for data", ["normal.ts", "--data", "folder"], 2, "folder is a folder. Give a JSON file with the model's data (--data)."],
  ["an array", ["normal.ts", "--data", "array.json"], 1, `array.json holds an array; expected one object with the model's data by name, such as ${example}.`],
  ["null", ["normal.ts", "--data", "null.json"], 1, `null.json holds null; expected one object with the model's data by name, such as ${example}.`],
  ["an empty data file", ["normal.ts", "--data", "empty.json"], 1, `empty.json is not JSON: it is empty. Write one object, such as ${example}.`],
  ["NaN in JSON", ["normal.ts", "--data", "nan.json"], 1, "nan.json is not JSON: line 3 has NaN, which JSON has no number for. Write null for what is missing, and large finite numbers for bounds."],
  ["a field that is missing", ["normal.ts", "--data", "other.json"], 2, "normal.ts:3: the model reads data.y, but the data hold x, N. Give it, or rename it in the model."],
  ["ragged rows", ["normal.ts", "--data", "ragged.json"], 1, "normal.ts:3: data.y[1] has 1 element, but the rows before it have 2. Ragged data go into one flat array with an index array beside it that names each element's group."],
  ["a missing value", ["normal.ts", "--data", "hole.json"], 1, 'observe("y"): element [2] is NaN. Data must be finite numbers: leave out or impute what is missing, or fit by coordinate ascent (method: "cavi"), for which it counts for nothing.'],
  ["a field that is null", ["normal.ts", "--data", "none.json"], 2, 'normal.ts:5: observe("y") takes numbers or a tensor as its third argument, not null'],
  ["a field that is text", ["normal.ts", "--data", "text.json"], 2, 'normal.ts:5: observe("y") takes numbers or a tensor as its third argument, not "1, 2, 3"'],
  ["a count that is not whole", ["poisson.ts", "--data", "half.json"], 1, 'observe("y"): element [2] is 1.5, which a poisson (rate 1) gives probability zero. It takes whole numbers from 0 on. Correct the data, or choose a distribution that has them in its support.'],
  ["a count below zero", ["poisson.ts", "--data", "debt.json"], 1, 'observe("y"): element [3] is -2, which a poisson (rate 1) gives probability zero. It takes whole numbers from 0 on. Correct the data, or choose a distribution that has them in its support.'],
  ["a density that is finite nowhere", ["log.ts", "--data", "good.json"], 1, 'factor("penalty") is NaN'],
  ["an unknown format", ["normal.ts", "--data", "good.json", "--export", "csv"], 2, "--export csv: expected arviz, stan, parquet, or several of them with commas."],
]; // biome-ignore format: a table

describe("fit refuses, with one sentence that says where, and writes nothing:", () => {
  test.each(cases)("%s", async (_name, words, code, text) => {
    const outcome = await ansatz.run(["fit", ...words, "--json"]);
    expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code, stderr: `error: ${text}\n` });
    expect(lastJson(outcome)).toEqual({ error: { name: expect.any(String), message: text } });
    expect(existsSync(path("runs", "normal-1"))).toBe(false);
  });

  test("JSON that is cut off", async () => {
    const { code, stderr } = await ansatz.run(["fit", "normal.ts", "--data", "cut.json"]);
    expect(code).toBe(1);
    // The words in the middle are those of the engine that parses.
    expect(stderr).toMatch(
      /^error: cut\.json is not JSON: line 2: .+\. Write one object, such as \{"y": \[1\.2, 0\.7\], "N": 2\}\.\n$/,
    );
  });

  test("an unknown method, with those that there are", async () => {
    const { code, stderr } = await ansatz.run(["fit", "normal.ts", "--data", "good.json", "--method", "guess"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: option '--method <name>' argument 'guess' is invalid\. Allowed choices are auto, .*nuts.*\n$/,
    );
  });
});
