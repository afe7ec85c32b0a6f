import { sizeOf } from "../../base/shape.ts";
import type { Buffer, TensorSpec } from "../../engine/runtime.ts";
import { f64, program } from "../../program/program.ts";
import { concat } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { vmap } from "../../transforms/vmap.ts";
import { MemoryVector } from "../compile.ts";
import type { Problem } from "../problem.ts";
import { type Slice, slicer } from "../slicer.ts";
import { type Divided, divide } from "./terms.ts";

/** Points at which affine tensors are evaluated together. */
const POINTS = 16;

/** What the sites read, evaluated. */
export interface Read {
  readonly divided: Divided;
  /** The affine tensors are matrix · z + offsets: [size, dim] and [size]. */
  readonly matrix: Float64Array;
  readonly offsets: Float64Array;
  /** The parts that do not depend on z, as inputs `leaf.i` of other programs. */
  readonly specs: Readonly<Record<string, TensorSpec>>;
  readonly data: Readonly<Record<string, Buffer>>;
}

/** Evaluates what the sites read of z and of the data: affine tensors as matrix and offset, the rest as buffers. */
export async function readAffine(problem: Problem, slice: Slice = slicer(undefined)): Promise<Read> {
  const { dim, runtime, deterministic } = problem;
  let found: Divided | null = null;
  const made = await program({
    runtime,
    deterministic,
    inputs: { ...problem.inputs, "ep.points": f64([POINTS, dim]) },
    body: ({ inputs }) => {
      const { "ep.points": points, ...rest } = inputs as Record<string, Tensor>;
      const b = points!.trace;
      const z = new Tensor(b, b.input("latent vector", "f64", [dim]));
      found = divide(problem, z, rest);
      const nodes = [...found.affine.keys()];
      const lifted = vmap(b, nodes, new Map([[z.node, points!.node]]), POINTS);
      const flat = lifted.map((n) => new Tensor(b, n).reshape([POINTS, sizeOf(n.shape) / POINTS]));
      const outputs: Record<string, Tensor> = { affine: flat.length ? concat(flat, 1) : points!.mul(0) };
      for (const [i, leaf] of found.leaves.entries()) outputs[`leaf.${i}`] = new Tensor(b, leaf);
      return { outputs };
    },
  });
  const { affineSize, leaves } = found! as Divided;
  const place = runtime.buffer("f64", [POINTS, dim]);
  made.prepare({ ...problem.data, "ep.points": place } as never);
  const at = new MemoryVector(place);
  const outputs = made.outputs as Readonly<Record<string, Buffer>>;
  const values = new MemoryVector(outputs.affine!);
  const offsets = new Float64Array(affineSize);
  const matrix = new Float64Array(affineSize * dim);
  // At 0, then at unit vectors.
  for (let first = -1; first < dim; first += POINTS) {
    await slice();
    at.values.fill(0);
    for (let p = 0; p < POINTS; p++) if (first + p >= 0 && first + p < dim) at.values[p * dim + first + p] = 1;
    made.step();
    for (let p = 0; p < POINTS && first + p < dim; p++) {
      const j = first + p;
      for (let e = 0; e < affineSize; e++) {
        const value = values.values[p * affineSize + e]!;
        if (j < 0) offsets[e] = value;
        else matrix[e * dim + j] = value - offsets[e]!;
      }
    }
  }
  const specs: Record<string, TensorSpec> = {};
  const data: Record<string, Buffer> = {};
  for (const [i, { dtype, shape }] of leaves.entries()) {
    specs[`leaf.${i}`] = { dtype, shape, upTo: false };
    data[`leaf.${i}`] = outputs[`leaf.${i}`]!;
  }
  return { divided: found! as Divided, offsets, matrix, specs, data };
}
