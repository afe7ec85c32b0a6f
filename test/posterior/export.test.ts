import { readFileSync } from "node:fs";
import { unzipSync, unzlibSync } from "fflate";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { drawsOf } from "../../src/posterior/draws.ts";
import { inferenceData } from "../../src/posterior/inference-data.ts";
import { toParquet } from "../../src/posterior/parquet.ts";
import { stanCsv } from "../../src/posterior/stan-csv.ts";
import { zipFiles } from "../../src/posterior/zip.ts";

/** Numbers that binary holds exactly: those of scripts/make-zarr-fixture.py. */
const values = (count: number, start: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => (((start + i) * 7919) % 1000) / 8 - 60);

const draws = drawsOf(2, 5, {
  mu: { shape: [], values: values(10, 0) },
  theta: { shape: [3], values: values(30, 1) },
  a: { shape: [2, 2], values: values(40, 2) },
});
const stats = {
  logDensity: values(10, 3),
  depth: Uint8Array.from({ length: 10 }, (_, i) => i % 4),
  divergent: Uint8Array.from({ length: 10 }, (_, i) => +(i % 3 === 0)),
};
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

describe("InferenceData in Zarr", () => {
  const content = { posterior: draws, sampleStats: stats, observedData: { y: { shape: [3], values: values(3, 4) } } };
  const options = { dims: { theta: ["school"], y: ["school"] }, coords: { school: ["A", "Bé", "Third"] } };
  const files = inferenceData(content, options);

  // The store that xarray itself writes of the same numbers, by scripts/make-zarr-fixture.py.
  const fixture = JSON.parse(
    readFileSync(new URL("../fixtures/zarr-xarray.json", import.meta.url), "utf8"),
  ) as Readonly<Record<string, string>>;
  const isMetadata = (path: string): boolean => /(^|\/)\.z[a-z]+$/.test(path);

  test("has the arrays that xarray writes, byte by byte", () => {
    const chunks = Object.keys(fixture).filter((path) => !isMetadata(path));
    expect(chunks.length).toBeGreaterThan(15);
    for (const path of chunks) {
      expect([path, Buffer.from(files[path] ?? []).toString("base64")]).toEqual([path, fixture[path]]);
    }
    expect(Object.keys(files).filter((path) => !isMetadata(path))).toHaveLength(chunks.length);
  });

  test("describes them as xarray does, but for fill values, of which there are none, and Zarr's own booleans", () => {
    for (const path of Object.keys(fixture).filter((path) => path.endsWith(".zarray"))) {
      const theirs = JSON.parse(fixture[path]!) as Readonly<Record<string, unknown>>;
      // xarray stores booleans as bytes with an attribute that says so; it reads both.
      const dtype = theirs.dtype === "|i1" ? "|b1" : theirs.dtype;
      expect(JSON.parse(text(files[path]))).toEqual({ ...theirs, dtype, fill_value: null });
      const attributes = path.replace(".zarray", ".zattrs");
      const { dtype: _, ...rest } = JSON.parse(fixture[attributes]!) as Readonly<Record<string, unknown>>;
      expect(JSON.parse(text(files[attributes]))).toEqual(rest);
    }
  });

  test("repeats all metadata in one file", () => {
    const { metadata, zarr_consolidated_format } = JSON.parse(text(files[".zmetadata"])) as {
      readonly metadata: Readonly<Record<string, unknown>>;
      readonly zarr_consolidated_format: number;
    };
    expect(zarr_consolidated_format).toBe(1);
    const described = Object.keys(files).filter((path) => isMetadata(path) && path !== ".zmetadata");
    expect(Object.keys(metadata).sort()).toEqual(described.sort());
    for (const path of described) expect(metadata[path]).toEqual(JSON.parse(text(files[path])));
  });

  test("can be compressed, and zipped into one file that is always the same", async () => {
    const compressed = inferenceData(content, { ...options, compress: true });
    expect(JSON.parse(text(compressed["posterior/a/.zarray"]))).toMatchObject({ compressor: { id: "zlib" } });
    expect(unzlibSync(compressed["posterior/a/1.0.0.0"]!)).toEqual(files["posterior/a/1.0.0.0"]);
    const zip = await zipFiles(files);
    expect(zip).toEqual(await zipFiles(inferenceData(content, options)));
    expect(text(unzipSync(zip)[".zmetadata"])).toBe(text(files[".zmetadata"]));
  });

  test("labels of the wrong number are not used, and a slash in a name does not make a group", () => {
    const odd = inferenceData(
      { posterior: drawsOf(1, 2, { "block/x": { shape: [2], values: values(4, 0) } }) },
      { dims: { "block/x": ["k"] }, coords: { k: ["only one"] } },
    );
    expect(JSON.parse(text(odd["posterior/block_x/.zarray"]))).toMatchObject({ shape: [1, 2, 2] });
    expect(JSON.parse(text(odd["posterior/k/.zarray"]))).toMatchObject({ dtype: "<i8", shape: [2] });
  });
});

describe("Stan CSV", () => {
  const files = stanCsv(draws, stats, { model: "m", seed: 7 });
  const lines = text(files["m_2.csv"]).split("\n");
  const rows = lines.filter((line) => line !== "" && !line.startsWith("#"));

  test("has one file a chain, with CmdStan's columns, matrices column-major", () => {
    expect(Object.keys(files)).toEqual(["m_1.csv", "m_2.csv"]);
    expect(rows[0]).toBe("lp__,treedepth__,divergent__,mu,theta.1,theta.2,theta.3,a.1.1,a.2.1,a.1.2,a.2.2");
    expect(rows).toHaveLength(6);
  });

  test("has each number where its column says", () => {
    // Second draw of the second chain: row 6 of 10.
    const [mu, theta, a] = [values(10, 0), values(30, 1), values(40, 2)];
    expect(rows[2]!.split(",").map(Number)).toEqual([
      values(10, 3)[6],
      2,
      1,
      mu[6],
      ...theta.slice(18, 21),
      a[24],
      a[26],
      a[25],
      a[27],
    ]);
  });

  test("a matrix of two rows and three columns goes down its columns", () => {
    const matrix = drawsOf(1, 1, { m: { shape: [2, 3], values: Float64Array.of(11, 12, 13, 21, 22, 23) } });
    expect(text(stanCsv(matrix)["ansatz_1.csv"])).toContain(
      "\nlp__,m.1.1,m.2.1,m.1.2,m.2.2,m.1.3,m.2.3\n0,11,21,12,22,13,23\n",
    );
  });

  test("has the header's settings and, with a step size, the adaptation between heading and draws", () => {
    expect(lines).toContain("#     num_samples = 5");
    expect(lines).toContain("# id = 2");
    expect(lines).toContain("#   seed = 7");
    const adapted = text(
      stanCsv(
        draws,
        { stepSize: values(10, 5) },
        {
          inverseMetric: [
            [1, 2],
            [3, 4.5],
          ],
        },
      )["ansatz_2.csv"],
    );
    expect(adapted).toContain(
      `# Adaptation terminated\n# Step size = ${values(10, 5)[9]}\n# Diagonal elements of inverse mass matrix:\n# 3, 4.5\n`,
    );
  });

  test("a draw that is not finite is written as Stan writes it, and lp__ is always there", () => {
    const odd = drawsOf(1, 4, {
      x: { shape: [], values: Float64Array.of(Number.NaN, Infinity, -Infinity, 0.1 + 0.2) },
    });
    const written = text(stanCsv(odd)["ansatz_1.csv"]);
    expect(written).toContain("\nlp__,x\n0,nan\n0,inf\n0,-inf\n0,0.30000000000000004\n");
  });

  test("names that would become one are refused", () => {
    const site = { shape: [], values: new Float64Array(1) };
    expect(() => stanCsv(drawsOf(1, 1, { "a b": site, a_b: site }))).toThrow(
      new OptionError('"a b" and "a_b" would both be called "a_b" in Stan CSV. Rename one of the sites.'),
    );
  });
});

test("Parquet has one row a draw, whole numbers and booleans as such", async () => {
  const bytes = await toParquet(draws, stats);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const rows = (await parquetReadObjects({ file })) as Readonly<Record<string, unknown>>[];
  expect(rows).toHaveLength(10);
  expect(rows[6]).toEqual({
    chain: 1,
    draw: 1,
    lp: values(10, 3)[6],
    tree_depth: 2,
    diverging: true,
    mu: values(10, 0)[6],
    "theta[1]": values(30, 1)[18],
    "theta[2]": values(30, 1)[19],
    "theta[3]": values(30, 1)[20],
    "a[1,1]": values(40, 2)[24],
    "a[1,2]": values(40, 2)[25],
    "a[2,1]": values(40, 2)[26],
    "a[2,2]": values(40, 2)[27],
  });
  expect(parquetMetadata(file).key_value_metadata).toContainEqual({
    key: "ansatz",
    value: '{"shapes":{"mu":[],"theta":[3],"a":[2,2]}}',
  });
});
