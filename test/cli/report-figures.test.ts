import { expect, test } from "vitest";
import { latentPlane } from "../../cli/latent-plane.ts";
import { type PictureModel, picturesOf } from "../../cli/report-figures.ts";
import { type Dataset, datasetOf } from "../../src/data/dataset.ts";

const images = (count: number): Dataset =>
  datasetOf(
    { dtype: "u8", shape: [count, 2, 3], values: Uint8Array.from({ length: count * 6 }, (_, i) => i % 256) },
    { name: "toy/test", source: "toy", labels: Int32Array.from({ length: count }, (_, i) => i % 3) },
  );

/** A model without any learning: latents are the row's number in all dimensions, decoding repeats z1. */
const model = (latent: number, width: number): PictureModel => ({
  latent,
  encode: async (data) => Float64Array.from({ length: data.count * latent }, (_, i) => Math.floor(i / latent)),
  reconstruct: async (data) => new Float32Array(data.count * width).fill(0.5),
  sample: async (count) => new Float32Array(count * width).fill(0.25),
  decode: async (z) =>
    Float64Array.from({ length: (z.length / latent) * width }, (_, i) => z[Math.floor(i / width) * latent]!),
});

/** Points a·√2·cos t along (3, 4)/5 and b·√2·sin t along (4, −3)/5, in the first two of three dimensions: variances a², b². */
function ellipse(rows: number, a: number, b: number) {
  const means = new Float64Array(3 * rows);
  for (let i = 0; i < rows; i++) {
    const [u, v] = [a * Math.cos((2 * Math.PI * i) / rows), b * Math.sin((2 * Math.PI * i) / rows)];
    means.set([(Math.SQRT2 * (3 * u + 4 * v)) / 5 + 7, (Math.SQRT2 * (4 * u - 3 * v)) / 5, 1], 3 * i);
  }
  return { rows, dimensions: 3, means };
}

test("the plane of more than two dimensions is that of the two largest principal components", () => {
  const { x, y, xName, yName, labels } = latentPlane(ellipse(40, 3, 1), images(40));
  expect(xName).toBe("principal component 1 (90 % of the variance)");
  expect(yName).toBe("principal component 2 (10 % of the variance)");
  const variance = (values: readonly number[]) => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  };
  expect(variance(x)).toBeCloseTo(9, 10);
  expect(variance(y)).toBeCloseTo(1, 10);
  expect(labels).toEqual(Array.from({ length: 40 }, (_, i) => i % 3));
});

test("images become grids of originals, reconstructions and samples", async () => {
  const pictures = await picturesOf(model(3, 6), images(30));
  expect(pictures.originals).toMatchObject({ rows: 3, columns: 12, height: 2, width: 3 });
  expect(pictures.originals?.values.slice(0, 3)).toEqual(Float32Array.from([0, 1 / 255, 2 / 255]));
  // 30 images leave the last six places of three rows of twelve empty.
  expect([...pictures.originals!.values].filter(Number.isNaN)).toHaveLength(6 * 6);
  expect(pictures.reconstructions?.values).toHaveLength(3 * 12 * 6);
  expect(pictures.samples?.values.every((value) => value === 0.25)).toBe(true);
  expect(pictures.decodedGrid).toBeNull();
  expect(pictures.table).toBeNull();
});

test("two latent dimensions are decoded on a grid over the middle of the data, the largest z2 in row 0", async () => {
  const decoded: Float64Array[] = [];
  const plane = {
    ...model(2, 6),
    decode: async (z: Float64Array) => {
      decoded.push(z);
      return new Float32Array(z.length * 3);
    },
  };
  const pictures = await picturesOf(plane, images(101));
  const side = pictures.decodedGrid!.rows;
  const z = decoded[0]!;
  expect(z).toHaveLength(2 * side * side);
  expect([...z.slice(0, 2)]).toEqual([1, 99]);
  expect([...z.slice(-2)]).toEqual([99, 1]);
});

test("rows that are no images become a table", async () => {
  const values = Float64Array.from([1, 2, 3, 4]);
  const table = datasetOf({ dtype: "f64", shape: [2, 2], values }, { name: "t", source: "t", columns: ["a", "b"] });
  const pictures = await picturesOf(model(2, 2), table);
  expect(pictures.table).toEqual({
    columns: ["a", "b"],
    original: [[1, 2], [3, 4]],
    reconstructed: [[0.5, 0.5], [0.5, 0.5]],
  }); // biome-ignore format: rows
  expect(pictures.originals).toBeNull();
});
