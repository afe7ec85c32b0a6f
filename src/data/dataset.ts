import { allocate } from "../base/dtype.ts";
import { DataError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";

/** Element types that data sets are kept in: 8-bit images stay 8-bit until a program reads them. */
export type DataDType = "u8" | "f32" | "f64";
export type DataValues = Uint8Array | Float32Array | Float64Array;

/** Rows of equal width, in their own element type. */
export interface Dataset {
  /** What progress lines and reports call it: "mnist/train". */
  readonly name: string;
  /** The file it came from, or "bundled digits": what error texts name. */
  readonly source: string;
  /** Number of rows. */
  readonly count: number;
  /** Shape of one row: [28, 28] for an image, [5] for a table of five columns. */
  readonly eventShape: readonly number[];
  /** Elements of one row, the product of `eventShape`. */
  readonly width: number;
  readonly dtype: DataDType;
  /** Row-major, shape [count, width]. */
  readonly values: DataValues;
  /**
   * `value / scale` is the natural value: 255 for 8-bit images, 16 for the bundled digits, 1 for tables and 0/1 images.
   */
  readonly scale: number;
  /** One class per row, shape [count]. */
  readonly labels: Int32Array | null;
  /** Name of each class, where labels index names. */
  readonly labelNames: readonly string[] | null;
  /** Column names of a table, shape [width]. */
  readonly columns: readonly string[] | null;
  /** Row of `source` that each row came from, shape [count]; absent where they are the same. */
  readonly sourceRows?: Int32Array;
}

/** Training rows and held-out rows. `test` is null where nothing was held out. */
export interface DataSplits {
  readonly train: Dataset;
  readonly test: Dataset | null;
}

/** An array as a file holds it, before it is known what its axes mean. */
export interface RawArray {
  readonly dtype: DataDType;
  readonly shape: readonly number[];
  readonly values: DataValues;
}

export interface DatasetParts {
  readonly name: string;
  readonly source: string;
  readonly labels?: Int32Array | null;
  readonly labelNames?: readonly string[] | null;
  readonly columns?: readonly string[] | null;
  /** Default: 255 for u8 arrays that hold a value above 1, else 1. */
  readonly scale?: number;
}

/**
 * A data set of an array whose outermost axis counts rows. An array of rank 1 becomes rows of width 1.
 *
 * @throws DataError when there are no rows or no columns, or a value is NaN or infinite
 */
export function datasetOf(array: RawArray, parts: DatasetParts): Dataset {
  const [count, ...axes] = array.shape;
  if (count === undefined) {
    throw new DataError(`${parts.source} holds a single number. Data need at least one axis of rows.`);
  }
  const eventShape = axes.length === 0 ? [1] : axes;
  const width = sizeOf(eventShape);
  if (count === 0 || width === 0) {
    throw new DataError(
      `${parts.source} holds no data: its shape is [${array.shape.join(", ")}]. At least one row and column are needed.`,
    );
  }
  const dataset: Dataset = {
    name: parts.name,
    source: parts.source,
    count,
    eventShape,
    width,
    dtype: array.dtype,
    values: array.values,
    scale: parts.scale ?? (array.values instanceof Uint8Array && !isBinary(array.values) ? 255 : 1),
    labels: parts.labels ?? null,
    labelNames: parts.labelNames ?? null,
    columns: parts.columns ?? null,
  };
  requireFinite(dataset);
  return dataset;
}

/** Whether 8-bit values are all 0 or 1: such images are binary already, and 255 would be the wrong scale. */
export function isBinary(values: Uint8Array): boolean {
  for (let i = 0; i < values.length; i++) if (values[i]! > 1) return false;
  return true;
}

/**
 * How an error names a place: `row 3, pixel (5, 12)` or `row 3, column 2 ("age")`. All counts start at 0, rows are
 * those of the source, also after a split.
 */
export function placeOf(dataset: Dataset, index: number): string {
  const row = Math.floor(index / dataset.width);
  const column = index % dataset.width;
  const sourceRow = dataset.sourceRows?.[row] ?? row;
  const named = dataset.columns?.[column];
  if (named !== undefined) return `row ${sourceRow}, column ${column} ("${named}")`;
  if (dataset.eventShape.length < 2) return `row ${sourceRow}, column ${column}`;
  const position: number[] = [];
  let rest = column;
  for (const size of [...dataset.eventShape].reverse()) {
    position.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `row ${sourceRow}, pixel (${position.join(", ")})`;
}

/** @throws DataError naming the first value that is NaN or infinite */
export function requireFinite(dataset: Dataset): void {
  const { values } = dataset;
  if (values instanceof Uint8Array) return;
  // x − x is 0 for every finite x and NaN otherwise, so one sum finds out, and only a bad array is searched.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!;
  if (sum === 0) return;
  const index = values.findIndex((value) => !Number.isFinite(value));
  throw new DataError(
    `${dataset.source}: ${values[index]} at ${placeOf(dataset, index)} (counted from 0). Every value must be a ` +
      "finite number: remove or fill in such rows before training.",
  );
}

/** The given rows, in the given order, copied. Shape [rows.length, width]. */
export function selectRows(dataset: Dataset, rows: ArrayLike<number>, name: string = dataset.name): Dataset {
  const { width, values } = dataset;
  const picked = allocate(dataset.dtype, rows.length * width) as DataValues;
  const labels = dataset.labels && new Int32Array(rows.length);
  const sourceRows = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    picked.set(values.subarray(row * width, (row + 1) * width), i * width);
    if (labels) labels[i] = dataset.labels![row]!;
    sourceRows[i] = dataset.sourceRows?.[row] ?? row;
  }
  return { ...dataset, name, count: rows.length, values: picked, labels, sourceRows };
}

/** The first rows, as a view (nothing is copied). */
export function firstRows(dataset: Dataset, count: number): Dataset {
  if (count >= dataset.count) return dataset;
  return {
    ...dataset,
    count,
    values: dataset.values.subarray(0, count * dataset.width),
    labels: dataset.labels?.subarray(0, count) ?? null,
    sourceRows: dataset.sourceRows?.subarray(0, count),
  };
}

/**
 * Checks that test rows fit a model of the training rows.
 *
 * @throws DataError when the row shapes or the column names differ
 */
export function requireSameRows(train: Dataset, test: Dataset): void {
  if (train.eventShape.join() !== test.eventShape.join()) {
    throw new DataError(
      `${test.source} has rows of shape [${test.eventShape.join(", ")}] (${test.width} values), but ` +
        `${train.source} has ` +
        `[${train.eventShape.join(", ")}] (${train.width} values): training and test data must have the same width.`,
    );
  }
  const differing = train.columns?.findIndex((column, i) => test.columns && test.columns[i] !== column) ?? -1;
  if (differing >= 0) {
    throw new DataError(
      `Column ${differing} (counted from 0) is "${test.columns![differing]}" in ${test.source} but ` +
        `"${train.columns![differing]}" in ${train.source}. Put both in the same order.`,
    );
  }
}

/** @throws DataError when there is not one label per row */
export function requireLabelPerRow(source: string, count: number, labelSource: string, labelCount: number): void {
  if (count === labelCount) return;
  throw new DataError(
    `${source} holds ${count} rows but ${labelSource} holds ${labelCount} labels. There must be one label per row: ` +
      "check that both belong together, or train without the labels.",
  );
}

/** Both parts with one numbering of their label names: each file numbered only the names that it holds. */
export function shareLabelNames(train: Dataset, test: Dataset): { readonly train: Dataset; readonly test: Dataset } {
  if (!train.labels || !test.labels || (!train.labelNames && !test.labelNames)) return { train, test };
  const nameOf = (data: Dataset, label: number): string => data.labelNames?.[label] ?? String(label);
  const used = [train, test].flatMap((data) => [...new Set(data.labels)].map((label) => nameOf(data, label)));
  const labelNames = [...new Set(used)].sort();
  const indices = new Map(labelNames.map((name, index) => [name, index]));
  const renumber = (data: Dataset): Dataset => ({
    ...data,
    labelNames,
    labels: data.labels?.map((label) => indices.get(nameOf(data, label))!) ?? null,
  });
  return { train: renumber(train), test: renumber(test) };
}
