import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DataError } from "../../src/base/errors.ts";
import { loadData } from "../../src/data/files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ansatz-data-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const u32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const idx = (shape: number[], values: number[]): Uint8Array =>
  Uint8Array.from([0, 0, 8, shape.length, ...shape.flatMap(u32), ...values]);
const put = (name: string, bytes: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, name.endsWith(".gz") ? gzipSync(bytes) : bytes);
  return path;
};
const ramp = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

test("a folder named like MNIST's gives images, labels and both parts", async () => {
  put("train-images-idx3-ubyte.gz", idx([3, 2, 2], ramp(12)));
  put("train-labels-idx1-ubyte.gz", idx([3], [7, 8, 9]));
  put("t10k-images-idx3-ubyte.gz", idx([1, 2, 2], ramp(4, 100)));
  put("t10k-labels-idx1-ubyte.gz", idx([1], [5]));
  const { train, test: held } = await loadData(folder);
  expect(train).toMatchObject({
    name: `${basename(folder)}/train`,
    source: join(folder, "train-images-idx3-ubyte.gz"),
    count: 3,
    eventShape: [2, 2],
    width: 4,
    dtype: "u8",
    scale: 255,
    labels: Int32Array.of(7, 8, 9),
  });
  expect(Array.from(train.values)).toEqual(ramp(12));
  expect(held).toMatchObject({ count: 1, labels: Int32Array.of(5), values: Uint8Array.of(100, 101, 102, 103) });
});

test.each([
  {
    what: "a prefix and a valid file",
    files: ["b_train-images-idx3-ubyte", "b_valid-images-idx3-ubyte", "b_test-images-idx3-ubyte"],
    train: "b_train-images-idx3-ubyte",
    test: "b_test-images-idx3-ubyte",
  },
  {
    what: "no test file but a valid file",
    files: ["train-images-idx3-ubyte", "valid-images-idx3-ubyte"],
    train: "train-images-idx3-ubyte",
    test: "valid-images-idx3-ubyte",
  },
  {
    what: "a dot before idx3",
    files: ["train-images.idx3-ubyte", "t10k-images.idx3-ubyte"],
    train: "train-images.idx3-ubyte",
    test: "t10k-images.idx3-ubyte",
  },
  {
    what: "the same files packed and unpacked",
    files: ["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"],
    train: "train-images-idx3-ubyte",
    test: "t10k-images-idx3-ubyte",
  },
])("a folder with $what is understood", async ({ files, train, test: held }) => {
  files.forEach((name, i) => put(name, idx([1, 1, 2], [i, 200])));
  const splits = await loadData(folder);
  expect(splits.train.source).toBe(join(folder, train));
  expect(splits.test?.source).toBe(join(folder, held));
});

test("images of zeros and ones have scale 1 in both parts", async () => {
  put("train-images-idx3-ubyte", idx([2, 1, 2], [0, 1, 1, 0]));
  put("test-images-idx3-ubyte", idx([1, 1, 2], [0, 1]));
  const { train, test: held } = await loadData(folder);
  expect([train.scale, held!.scale]).toEqual([1, 1]);
});

test("a test file that happens to be dark keeps the scale of the training file", async () => {
  put("train-images-idx3-ubyte", idx([2, 1, 2], [0, 255, 1, 0]));
  put("test-images-idx3-ubyte", idx([1, 1, 2], [0, 1]));
  const { train, test: held } = await loadData(folder);
  expect([train.scale, held!.scale]).toEqual([255, 255]);
});

test("natural values keep their scale beside 8-bit ones, whichever the test file is", async () => {
  const bytes = put("train-images-idx3-ubyte", idx([2, 1, 2], [0, 255, 51, 0]));
  const scales = async (path: string, test: string) => {
    const splits = await loadData(path, { test });
    return [splits.train.scale, splits.test!.scale];
  };
  const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1, 2), }".padEnd(117) + "\n";
  const start = Uint8Array.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length, 0, ...Buffer.from(header)]);
  const floats = put("natural.npy", Buffer.concat([start, new Uint8Array(Float64Array.of(0, 1, 0.2, 0).buffer)]));
  expect(await scales(bytes, floats)).toEqual([255, 1]);
  expect(await scales(floats, bytes)).toEqual([1, 255]);
});

test("without a test file a tenth of the rows is held out, the same at each reading, and each row once", async () => {
  put("faces-images-idx3-ubyte.gz", idx([50, 1, 2], ramp(100)));
  const first = await loadData(folder);
  const second = await loadData(folder);
  expect([first.train.count, first.test!.count]).toEqual([45, 5]);
  expect(second.test!.sourceRows).toEqual(first.test!.sourceRows);
  const rows = [...first.train.sourceRows!, ...first.test!.sourceRows!];
  expect(rows.sort((a, b) => a - b)).toEqual(ramp(50));
  first.test!.sourceRows!.forEach((row, i) => {
    expect(Array.from(first.test!.values.subarray(2 * i, 2 * i + 2))).toEqual([2 * row, 2 * row + 1]);
  });
  expect((await loadData(folder, { holdout: 0 })).test).toBeNull();
});

test("CSV and NPY files are read, packed or not", async () => {
  const csv = put(
    "t.csv.gz",
    `a,b\n${ramp(20)
      .map((i) => `${i},${i / 2}\n`)
      .join("")}`,
  );
  const table = await loadData(csv, { holdout: 0.25 });
  expect(table.train).toMatchObject({ name: "t/train", count: 15, dtype: "f64", columns: ["a", "b"], scale: 1 });
  const npy = put("g.npy.gz", readFileSync(new URL("./fixtures/f4.npy", import.meta.url)));
  const grid = await loadData(npy, { test: npy });
  expect(grid.test).toMatchObject({ count: 2, eventShape: [3, 4], dtype: "f32", scale: 1 });
});

test("a class has one number in both files, also when the test file lacks some classes", async () => {
  const path = put("a.csv", "x,kind\n1,dog\n2,cat\n3,emu\n");
  const options = { labelColumn: "kind", test: put("b.csv", "x,kind\n1,emu\n2,dog\n") };
  const { train, test: held } = await loadData(path, options);
  expect(train).toMatchObject({ labelNames: ["cat", "dog", "emu"], labels: Int32Array.of(1, 0, 2) });
  expect(held).toMatchObject({ labelNames: ["cat", "dog", "emu"], labels: Int32Array.of(2, 1) });
});

test("the scale of 8-bit data can be stated", async () => {
  const path = put("d-images-idx3-ubyte", idx([2, 1, 2], [0, 16, 3, 1]));
  expect((await loadData(path, { scale: 16 })).train.scale).toBe(16);
});

test("the bundled digits need no path", async () => {
  expect((await loadData("digits")).train.source).toBe("bundled digits");
});

const refused = async (path: string, message: RegExp, options = {}): Promise<void> => {
  await expect(loadData(path, options)).rejects.toThrow(DataError);
  await expect(loadData(path, options)).rejects.toThrow(message);
};

test("a path that is not there is refused with what would be read", () =>
  refused(join(folder, "absent"), /absent does not exist.*"digits".*folder of IDX files/));

test("a folder without images is refused with what was looked for and what was found", async () => {
  put("notes.txt", "x");
  put("t.csv", "1,2\n");
  await refused(folder, /no IDX images\. Looked for train-images-idx3-ubyte.*Found notes\.txt, t\.csv.*such as t\.csv/);
});

test("a folder with two data sets is refused", async () => {
  put("a_train-images-idx3-ubyte", idx([1, 1, 1], [0]));
  put("b_train-images-idx3-ubyte", idx([1, 1, 1], [0]));
  await refused(folder, /more than one data set: a_train-images-idx3-ubyte, b_train-images-idx3-ubyte/);
});

test("test images of another width are refused", async () => {
  put("train-images-idx3-ubyte", idx([1, 2, 2], ramp(4)));
  put("test-images-idx3-ubyte", idx([1, 3, 2], ramp(6)));
  await refused(folder, /test-images.* \[3, 2\] \(6 values\), but .*train-images.* \[2, 2\] \(4 values\)/);
});

test("test columns in another order are refused", () =>
  refused(put("a.csv", "x,y\n1,2\n"), /Column 0 .* is "y" in .*b\.csv but "x" in .*a\.csv/, {
    test: put("b.csv", "y,x\n1,2\n"),
  }));

test("another number of labels than images is refused", async () => {
  put("train-images-idx3-ubyte", idx([2, 1, 1], [0, 1]));
  put("train-labels-idx1-ubyte", idx([3], [0, 1, 2]));
  await refused(folder, /train-images-idx3-ubyte holds 2 rows but .*train-labels-idx1-ubyte holds 3 labels/);
});

test("NaN in a table of numbers is refused with its row and column", () =>
  refused(
    new URL("./fixtures/f8-nan.npy", import.meta.url).pathname,
    /f8-nan\.npy: NaN at row 1, column 1 \(counted from 0\).*remove or fill in/,
  ));

test("a file without rows is refused", () =>
  refused(put("e-images-idx3-ubyte", idx([0, 28, 28], [])), /\[0, 28, 28\]/));

test("a name that says nothing is refused", () => refused(put("data.bin", "1"), /does not say what the file holds/));

test("gzip that ends early is refused", async () => {
  const packed = gzipSync(
    idx(
      [1, 40, 50],
      ramp(2000).map((i) => (i * 7919) % 251),
    ),
  );
  const path = join(folder, "train-images-idx3-ubyte.gz");
  writeFileSync(path, packed.subarray(0, packed.length - 20));
  await refused(path, /gzip stream is damaged or ends early/);
});
