import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkOut, tableJson, writeTable } from "../../cli/table-file.ts";
import { parseCsv } from "../../src/data/csv.ts";
import { parseNpy } from "../../src/data/npy.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ansatz-table-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fixture = (name: string) => readFileSync(new URL(`../data/fixtures/${name}`, import.meta.url));

test.each(["f4.npy", "f8-vector.npy"])("writes %s as NumPy wrote it, byte for byte", (name) => {
  const { shape, values } = parseNpy(new Uint8Array(fixture(name)), name);
  const [rows, ...rowShape] = shape;
  const columns = Array.from({ length: values.length / rows! }, (_, i) => `x${i}`);
  const out = join(folder, name);
  writeTable({ columns, values: values as Float32Array, rows: rows!, rowShape }, out);
  expect(readFileSync(out).equals(fixture(name))).toBe(true);
});

describe("CSV", () => {
  const awkward = [0, -0.1, 1 / 3, 1e-45, 3.4028234663852886e38, 123456789, 2 ** -24 + 1, Math.PI];

  test.each([
    ["f32", Float32Array],
    ["f64", Float64Array],
  ] as const)("%s values are read back as the same numbers", (_name, Numbers) => {
    const values = Numbers.from(awkward);
    const out = join(folder, "awkward.csv");
    writeTable({ columns: ["a", "b"], values, rows: 4 }, out);
    const read = parseCsv(readFileSync(out), out);
    expect(read.columns).toEqual(["a", "b"]);
    expect(Numbers.from(read.array.values)).toEqual(values);
  });

  test("f32 values are written with the digits they have", () => {
    const out = join(folder, "short.csv");
    writeTable({ columns: ["x"], values: Float32Array.from([0.1, 98.7]), rows: 2 }, out);
    expect(readFileSync(out, "utf8")).toBe("x\n0.1\n98.7\n");
  });

  test("labels come first, and cells that need it are quoted", () => {
    const out = join(folder, "labels.csv");
    const leading = [{ name: "label", values: ["a,b", 'say "x"'] }];
    writeTable({ columns: ["z1"], values: Float64Array.from([1, 2]), rows: 2, leading }, out);
    expect(readFileSync(out, "utf8")).toBe('label,z1\n"a,b",1\n"say ""x""",2\n');
  });
});

test("a file name that does not say what to write is refused before any work", () => {
  expect(() => checkOut("scores.txt")).toThrow("--out scores.txt: the name says what is written");
  expect(() => checkOut("scores.CSV")).not.toThrow();
  expect(() => checkOut(undefined)).not.toThrow();
});

test("JSON carries the rows where no file was asked for", () => {
  const table = { columns: ["a", "b"], values: Float64Array.from([1, 2, 3, 4]), rows: 2 };
  expect(tableJson(table, undefined)).toEqual({ columns: ["a", "b"], values: [[1, 2], [3, 4]] }); // biome-ignore format: rows
  expect(tableJson(table, "x.npy")).toEqual({ out: "x.npy" });
});
