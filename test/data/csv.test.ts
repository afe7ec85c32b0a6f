import { expect, test } from "vitest";
import { DataError, OptionError } from "../../src/base/errors.ts";
import { type CsvOptions, parseCsv } from "../../src/data/csv.ts";

const parse = (text: string, options?: CsvOptions) => parseCsv(new TextEncoder().encode(text), "t.csv", options);
const values = (text: string): number[] => Array.from(parse(text).array.values);

test("a header names the columns and is no row", () => {
  const table = parse("age,height\n30,1.5\n-4,2e3\n");
  expect(table.columns).toEqual(["age", "height"]);
  expect(table.array).toEqual({ dtype: "f64", shape: [2, 2], values: Float64Array.of(30, 1.5, -4, 2000) });
  expect(table.labels).toBeNull();
});

test("a table without a header has no column names", () => {
  const table = parse("1,2\n3,4\n");
  expect(table.columns).toBeNull();
  expect(table.array.shape).toEqual([2, 2]);
});

test.each([
  { what: "one column", text: "x\n1\n2\n", expected: [1, 2] },
  { what: "no last line end", text: "1,2\n3,4", expected: [1, 2, 3, 4] },
  { what: "Windows line ends", text: "a,b\r\n1,2\r\n3,4\r\n", expected: [1, 2, 3, 4] },
  { what: "a byte order mark", text: "\ufeff1,2\n3,4\n", expected: [1, 2, 3, 4] },
  { what: "empty lines", text: "1,2\n\n3,4\n\n\n", expected: [1, 2, 3, 4] },
  { what: "quoted cells and blanks", text: '"a, b",c\n"1", 2 \n', expected: [1, 2] },
  { what: "semicolons", text: "1.5;2\n3;4\n", expected: [1.5, 2, 3, 4] },
  { what: "tabs", text: "1\t2\n3\t4\n", expected: [1, 2, 3, 4] },
  { what: "years as column names beside a text", text: "x,2020\n1,2\n", expected: [1, 2] },
])("$what are read", ({ text, expected }) => {
  expect(values(text)).toEqual(expected);
});

test("the header can be stated where the lines do not tell", () => {
  expect(parse("0,1\n5,6\n", { header: true }).array.shape).toEqual([1, 2]);
});

test("whole-number labels are taken as they stand", () => {
  const table = parse("x,target,y\n1,9,2\n3,0,4\n", { labelColumn: "target" });
  expect(table.labels).toEqual(Int32Array.of(9, 0));
  expect(table.labelNames).toBeNull();
  expect(table.columns).toEqual(["x", "y"]);
  expect(Array.from(table.array.values)).toEqual([1, 2, 3, 4]);
});

test("label texts are numbered in sorted order", () => {
  const table = parse("x,kind\n1,dog\n2,cat\n3,dog\n", { labelColumn: "kind" });
  expect(table.labels).toEqual(Int32Array.of(1, 0, 1));
  expect(table.labelNames).toEqual(["cat", "dog"]);
});

test.each([
  { what: "an empty file", text: "", message: /t\.csv holds no rows \(0 bytes\)/ },
  { what: "a header alone", text: "a,b\n", message: /no rows below its header/ },
  {
    what: "a text cell",
    text: "a,b\n1,2\n\n3,red\n",
    message: /t\.csv, line 4, column 2 \("b"\): "red" is not a finite/,
  },
  { what: "a text cell without a header", text: "1,2\n3,red\n", message: /line 2, column 2: "red"/ },
  { what: "an infinity", text: "1,2\n3,Infinity\n", message: /line 2, column 2: "Infinity" is not a finite/ },
  { what: "a hexadecimal number", text: "1,2\n3,0x10\n", message: /"0x10" is not/ },
  { what: "an empty cell", text: "a,b\n1,\n", message: /line 2, column 2 \("b"\): the value is missing.*fill them in/ },
  { what: "NA", text: "a,b\n1,2\nNA,3\n", message: /line 3, column 1 \("a"\): the value is missing \(found "NA"\)/ },
  { what: "a short line", text: "a,b\n1,2\n3\n", message: /line 3: 1 cell was found.*first line has 2/ },
  {
    what: "a decimal comma",
    text: "a;b\n1,5;2\n3;4\n",
    message: /line 2, column 1 \("a"\): "1,5" has a decimal comma/,
  },
  { what: "a line after a quoted line break", text: '"a\nb",c\n1,2\nx,3\n', message: /line 4, column 1/ },
])("$what is refused", ({ text, message }) => {
  expect(() => parse(text)).toThrow(DataError);
  expect(() => parse(text)).toThrow(message);
});

test.each([
  [0xff, 0xfe],
  [0xfe, 0xff],
])("UTF-16 is said to be that", (...mark) => {
  const bytes = Uint8Array.from([...mark, 0x31, 0, 0x2c, 0, 0x32, 0]);
  expect(() => parseCsv(bytes, "t.csv")).toThrow("t.csv is UTF-16 text");
});

test("a label column that is not there is refused", () => {
  expect(() => parse("a,b\n1,2\n", { labelColumn: "class" })).toThrow(OptionError);
  expect(() => parse("a,b\n1,2\n", { labelColumn: "class" })).toThrow(/no column "class".*"a", "b"/);
  expect(() => parse("1,2\n1,2\n", { labelColumn: "class" })).toThrow(/no header/);
});
