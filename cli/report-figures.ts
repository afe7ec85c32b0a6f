import {
  ACTIVE_VARIANCE,
  type ActiveUnits,
  columnVariances,
  type Dataset,
  firstRows,
  type ImageGrid,
  type LatentPlane,
  type ReconstructionTable,
} from "../src/node.ts";
import { type LatentMeans, latentPlane } from "./latent-plane.ts";

/** Natural values (what `value / scale` is), row-major, shape [rows, width]. */
type Rows = Float32Array | Float64Array;

/** What the pictures of a report are made of: a trained model, asked for a few hundred examples. */
export interface PictureModel {
  readonly latent: number;
  /** Posterior means, shape [rows, latent]. */
  encode(data: Dataset): Promise<Rows>;
  /** Likelihood means at the posterior means, shape [rows, width]. */
  reconstruct(data: Dataset): Promise<Rows>;
  /** Likelihood means at draws of the prior, shape [count, width]. */
  sample(count: number): Promise<Rows>;
  /** Likelihood means, shape [rows, width]; `latents` has shape [rows, latent]. */
  decode(latents: Float64Array): Promise<Rows>;
}

export interface Pictures {
  readonly originals: ImageGrid | null;
  readonly reconstructions: ImageGrid | null;
  readonly samples: ImageGrid | null;
  readonly decodedGrid: ImageGrid | null;
  readonly table: ReconstructionTable | null;
  readonly latent: LatentPlane | null;
  readonly activeUnits: ActiveUnits | null;
}

const columns = 12;
const pairRows = 4;
const sampleRows = 6;
const gridSide = 16;
const tableRows = 6;
/** As many examples as the scatter draws well. */
const mostScattered = 4000;

/** The figures of a report that ask the model; `data` are test rows where there are some. */
export async function picturesOf(model: PictureModel, data: Dataset): Promise<Pictures> {
  const scattered = firstRows(data, mostScattered);
  const means = await model.encode(scattered);
  const latents: LatentMeans = { rows: scattered.count, dimensions: model.latent, means };
  const about = {
    latent: latentPlane(latents, scattered),
    activeUnits: { variances: columnVariances(means, model.latent), threshold: ACTIVE_VARIANCE },
  };
  const image = imageShape(data);
  if (image === null) {
    return { ...about, ...noImages, table: await reconstructionTable(model, firstRows(data, tableRows)) };
  }
  const shown = firstRows(data, columns * pairRows);
  const original = naturalValues(shown);
  const gray = grayScale(original);
  const pairs = gridLayout(shown.count);
  const layout = (layout: { rows: number; columns: number }, values: Rows): ImageGrid => ({
    ...layout,
    ...image,
    values: filled(gray(values), layout.rows * layout.columns * data.width),
  });
  const samples = { rows: sampleRows, columns };
  return {
    ...about,
    table: null,
    originals: layout(pairs, original),
    reconstructions: layout(pairs, await model.reconstruct(shown)),
    samples: layout(samples, await model.sample(samples.rows * samples.columns)),
    decodedGrid:
      model.latent === 2
        ? layout({ rows: gridSide, columns: gridSide }, await model.decode(latentGrid(latents, gridSide)))
        : null,
  };
}

const noImages = { originals: null, reconstructions: null, samples: null, decodedGrid: null };

/** Height and width where a row is a gray image: rank 2, or rank 3 with a single channel first or last. */
function imageShape(data: Dataset): { height: number; width: number } | null {
  const axes = data.eventShape.length === 3 ? data.eventShape.filter((size) => size !== 1) : data.eventShape;
  const [height, width] = axes;
  if (axes.length !== 2 || height === undefined || width === undefined) return null;
  return { height, width };
}

export function naturalValues(data: Dataset): Rows {
  const { values, scale } = data;
  const natural = data.dtype === "f64" ? new Float64Array(values.length) : new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) natural[i] = values[i]! / scale;
  return natural;
}

/** Images with values beyond [0, 1] are shown on the range of the originals. */
function grayScale(original: Rows): (values: Rows) => Float32Array {
  let low = 0;
  let high = 1;
  for (const value of original) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return (values) => Float32Array.from(values, (value) => (value - low) / (high - low));
}

function gridLayout(count: number): { rows: number; columns: number } {
  return count < columns ? { rows: 1, columns: count } : { rows: Math.ceil(count / columns), columns };
}

/** A last row of a grid that is not full is left transparent: values that are not finite are. */
function filled(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const all = new Float32Array(length).fill(Number.NaN);
  all.set(values);
  return all;
}

/**
 * A grid over the plane of two latent dimensions, row 0 at the largest z2: it spans the middle 98 % of the posterior means, so that
 * it shows where the data are, whatever the prior.
 */
function latentGrid({ rows, means }: LatentMeans, side: number): Float64Array {
  const range = (j: number): [number, number] => {
    const sorted = Float64Array.from({ length: rows }, (_, i) => means[2 * i + j]!).sort();
    const at = (share: number) => sorted[Math.round(share * (rows - 1))]!;
    return [at(0.01), at(0.99)];
  };
  const [[left, right], [bottom, top]] = [range(0), range(1)];
  const latents = new Float64Array(2 * side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const at = 2 * (row * side + column);
      latents[at] = left + ((right - left) * column) / (side - 1);
      latents[at + 1] = top + ((bottom - top) * row) / (side - 1);
    }
  }
  return latents;
}

async function reconstructionTable(model: PictureModel, data: Dataset): Promise<ReconstructionTable> {
  const toRows = (values: Rows): number[][] =>
    Array.from({ length: data.count }, (_, row) => [...values.subarray(row * data.width, (row + 1) * data.width)]);
  return {
    columns: data.columns ?? Array.from({ length: data.width }, (_, j) => `x${j + 1}`),
    original: toRows(naturalValues(data)),
    reconstructed: toRows(await model.reconstruct(data)),
  };
}
