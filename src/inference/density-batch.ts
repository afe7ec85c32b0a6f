import { f64, gradient, program } from "../program/program.ts";
import type { Key } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { vmap } from "../transforms/vmap.ts";
import { MemoryVector } from "./compile.ts";
import type { Slice } from "./slicer.ts";
import type { Target } from "./target.ts";

/** The log density of each row of `points` [n, dim], shape [n]: the density of one point, lifted. One key serves all rows. */
export function logDensityOfRows(
  target: Target,
  points: Tensor,
  inputs: Readonly<Record<string, Tensor>>,
  rng?: Key<Tensor>,
): Tensor {
  const rows = points.shape[0]!;
  const one = points.of(points.trace.input("one point", "f64", [target.dim]));
  const value = target.logDensity(one, inputs, rng);
  const [lifted] = vmap(points.trace, [value.node], new Map([[one.node, points.node]]), rows);
  return new Tensor(points.trace, lifted!);
}

/** A target compiled for a fixed number of points at a time. Synchronous: L-BFGS and sampling loops call it in a row. */
export interface DensityBatch {
  readonly dim: number;
  /** How many points one call takes. */
  readonly points: number;
  /** Log densities at x [points, dim] into `values` [points], and their gradients [points, dim]. */
  evaluate(x: Float64Array, values: Float64Array, gradients: Float64Array): void;
  /** The Hessian at each row of x times that row of `directions`, [points, dim]; null when it was not asked for. */
  readonly hessianProduct: ((x: Float64Array, directions: Float64Array, products: Float64Array) => void) | null;
}

/** Compiles the log density of `points` rows, its gradients and, where asked for, its Hessian-vector products. */
export async function compileDensityBatch(
  target: Target,
  points: number,
  { hessian = false }: { readonly hessian?: boolean } = {},
): Promise<DensityBatch> {
  const { dim, runtime, deterministic } = target;
  const rows = f64([points, dim]);
  const first = program({
    runtime,
    deterministic,
    inputs: { ...target.inputs, "batch.x": rows },
    body: ({ inputs }) => {
      const values = logDensityOfRows(target, inputs["batch.x"]!, inputs);
      return { outputs: { values, gradients: gradient(values.sum(), [inputs["batch.x"]!])[0]! } };
    },
  });
  const second = hessian
    ? program({
        runtime,
        deterministic,
        inputs: { ...target.inputs, "batch.x": rows, "batch.direction": rows },
        body: ({ inputs }) => {
          const at = inputs["batch.x"]!;
          const slope = gradient(logDensityOfRows(target, at, inputs).sum(), [at])[0]!;
          return { outputs: { products: gradient(slope.mul(inputs["batch.direction"]!).sum(), [at])[0]! } };
        },
      })
    : null;
  const [values, products] = await Promise.all([first, second]);
  const place = runtime.buffer("f64", [points, dim]);
  const heading = runtime.buffer("f64", [points, dim]);
  const [at, direction] = [new MemoryVector(place), new MemoryVector(heading)];
  values.prepare({ ...target.data, "batch.x": place });
  const found = new MemoryVector(values.outputs.values);
  const slopes = new MemoryVector(values.outputs.gradients);
  products?.prepare({ ...target.data, "batch.x": place, "batch.direction": heading });
  const product = products && new MemoryVector(products.outputs.products);
  return {
    dim,
    points,
    evaluate(x, into, gradients) {
      at.values.set(x);
      values.step();
      into.set(found.values);
      gradients.set(slopes.values);
    },
    hessianProduct:
      product &&
      ((x, directions, into) => {
        at.values.set(x);
        direction.values.set(directions);
        products.step();
        into.set(product.values);
      }),
  };
}

interface Group {
  readonly first: number;
  readonly rows: number;
  /** [points, dim], good until the next group. */
  readonly x: Float64Array;
}

/** `count` rows in groups of the batch's size, the last one filled up with copies of its last row. */
function* inGroups(
  batch: DensityBatch,
  count: number,
  fill: (row: number, into: Float64Array) => void,
): Iterable<Group> {
  const { points, dim } = batch;
  const x = new Float64Array(points * dim);
  for (let first = 0; first < count; first += points) {
    const rows = Math.min(points, count - first);
    for (let i = 0; i < points; i++) fill(first + Math.min(i, rows - 1), x.subarray(i * dim, (i + 1) * dim));
    yield { first, rows, x };
  }
}

/** Log densities of the rows of x [count, dim]. */
export function logDensities(batch: DensityBatch, x: Float64Array): Float64Array {
  const found = new Float64Array(x.length / batch.dim);
  for (const _ of fillDensities(batch, x, found));
  return found;
}

/** The same, with pauses. */
export async function slicedLogDensities(batch: DensityBatch, x: Float64Array, slice: Slice): Promise<Float64Array> {
  const found = new Float64Array(x.length / batch.dim);
  for (const _ of fillDensities(batch, x, found)) await slice();
  return found;
}

/** Yields after each call of the batch. */
function* fillDensities(batch: DensityBatch, x: Float64Array, found: Float64Array): Iterable<undefined> {
  const { points, dim } = batch;
  const values = new Float64Array(points);
  const gradients = new Float64Array(points * dim);
  const fill = (row: number, into: Float64Array) => into.set(x.subarray(row * dim, (row + 1) * dim));
  for (const group of inGroups(batch, found.length, fill)) {
    batch.evaluate(group.x, values, gradients);
    found.set(values.subarray(0, group.rows), group.first);
    yield;
  }
}

/** The Hessian of the log density at one point, [dim, dim]. */
export async function hessianAt(batch: DensityBatch, at: Float64Array, slice: Slice): Promise<Float64Array> {
  const { points, dim } = batch;
  const hessian = new Float64Array(dim * dim);
  const directions = new Float64Array(points * dim);
  const products = new Float64Array(points * dim);
  for (const { first, rows, x } of inGroups(batch, dim, (_row, into) => into.set(at))) {
    if (first) await slice();
    directions.fill(0);
    for (let i = 0; i < rows; i++) directions[i * dim + first + i] = 1;
    batch.hessianProduct!(x, directions, products);
    hessian.set(products.subarray(0, rows * dim), first * dim);
  }
  return hessian;
}

/** The Hessian at each row of x times that row of `directions`, both [count, dim]. */
export async function hessianProducts(
  batch: DensityBatch,
  x: Float64Array,
  directions: Float64Array,
  slice: Slice,
): Promise<Float64Array> {
  const { points, dim } = batch;
  const out = new Float64Array(x.length);
  const heading = new Float64Array(points * dim);
  const products = new Float64Array(points * dim);
  const fill = (row: number, into: Float64Array) => into.set(x.subarray(row * dim, (row + 1) * dim));
  for (const { first, rows, x: at } of inGroups(batch, x.length / dim, fill)) {
    if (first) await slice();
    heading.set(directions.subarray(first * dim, (first + rows) * dim));
    batch.hessianProduct!(at, heading, products);
    out.set(products.subarray(0, rows * dim), first * dim);
  }
  return out;
}
