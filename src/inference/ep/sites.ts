import { NonFiniteError, OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Buffer, TensorSpec } from "../../engine/runtime.ts";
import { reachable } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import type { Trace } from "../../ops/vocabulary.ts";
import { f64, program, u32 } from "../../program/program.ts";
import { concat } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { vmap } from "../../transforms/vmap.ts";
import { MemoryVector } from "../compile.ts";
import type { Inputs, Problem } from "../problem.ts";
import { degreesIn } from "./degree.ts";
import { type Element, elementOf } from "./element.ts";
import { projections } from "./projections.ts";
import { type Divided, divide } from "./terms.ts";

/** Projections of z that one site may depend on. */
export const MOST_PROJECTIONS = 3;

/** A function of sites and points: rows of `into` for the rows of `t` [rows, k]; row r is of site `sites[r]`. */
export type SiteFunction = (sites: Int32Array, t: Float64Array, rows: number, into: Float64Array) => void;

/** Sites of one term that see z through equally many projections t = A z. */
export interface SiteBlock {
  readonly term: string;
  readonly count: number;
  readonly k: number;
  /** A of each site, [count, k, dim]. */
  readonly directions: Float64Array;
  /** Which elements of the term they are. */
  readonly elements: Int32Array;
  /** What the sites read of z is slopes · t + offsets: [count, width, k] and [count, width]. */
  readonly width: number;
  readonly slopes: Float64Array;
  readonly offsets: Float64Array;
  /** The site's log density at t. */
  readonly logDensity: SiteFunction;
  /** Expressions, affine in t, where the density may jump or have a kink when they are 0; `into` is [rows, critical]. */
  readonly critical: number;
  readonly criticalAt: SiteFunction;
}

export interface Sites {
  readonly blocks: readonly SiteBlock[];
  /** Log density of sites that do not depend on z. */
  readonly constant: number;
}

const FEW = 64;
const MANY = 2048;
/** Points at which affine tensors are evaluated together. */
const POINTS = 16;

const standIn = (b: Trace, name: string, { dtype, shape }: TensorSpec) => new Tensor(b, b.input(name, dtype, shape));

function standIns(b: Trace, problem: Problem): { z: Tensor; inputs: Inputs } {
  const { dim, inputs } = problem;
  return {
    z: standIn(b, "latent vector", f64([dim])),
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, spec]) => [name, standIn(b, `${name} as given`, spec)])),
  };
}

/** Evaluates what the sites read of z and of the data: affine tensors as matrix and offset, the rest as buffers. */
async function readAffine(problem: Problem) {
  const { dim, runtime, deterministic } = problem;
  let found: Divided | null = null;
  const made = await program({
    runtime,
    deterministic,
    inputs: { ...problem.inputs, "ep.points": f64([POINTS, dim]) },
    body: ({ inputs }) => {
      const { "ep.points": points, ...rest } = inputs as Record<string, Tensor>;
      const b = points!.trace;
      const z = standIn(b, "latent vector", f64([dim]));
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

type Read = Awaited<ReturnType<typeof readAffine>>;

/** Element graphs of term number `at` in a trace where its leaves are inputs. */
function elementIn(problem: Problem, at: number, inputs: Readonly<Record<string, Tensor>>, b: Trace) {
  const { z, inputs: given } = standIns(b, problem);
  const { sites, affine, leaves } = divide(problem, z, given);
  const { root } = sites[at]!;
  const indices = root.shape.map((_, axis) => b.input(`index.${axis}`, "u32", []));
  const known = new Map(leaves.map((leaf, i) => [leaf, inputs[`leaf.${i}`]!.node]));
  return { element: elementOf(b, root, indices, affine, known), indices };
}

/** Where an element's density may jump or bend: arguments of comparisons that are affine in what it reads. */
function criticalOf(b: Trace, { value, views }: Element): Node | null {
  const degrees = degreesIn([value], new Set(views.map((v) => v.values))); // biome-ignore format: short
  const found: Node[] = [];
  for (const { op, inputs } of reachable([value])) {
    const [x, y] = inputs;
    if (!x || x.dtype !== "f64" || inputs.every((n) => degrees.get(n) === 0)) continue;
    if (inputs.some((n) => degrees.get(n)! > 1)) continue;
    if (["lt", "le", "gt", "ge", "maximum", "minimum"].includes(op)) found.push(b.sub(x, y!));
    else if (op === "abs" || op === "sign") found.push(x);
  }
  if (!found.length) return null;
  return b.concat(found.map((n) => b.reshape(n, [sizeOf(n.shape)])), 0); // biome-ignore format: short
}

const indexSpecs = (shape: readonly number[], rows: number) =>
  Object.fromEntries(shape.map((_, axis) => [`index.${axis}`, u32([rows])]));

/** Row-major indices of element e. */
function unravel(e: number, shape: readonly number[], into: Uint32Array[], row: number): void {
  let rest = e;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    into[axis]![row] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
}

/** Which elements of the affine tensors each element of a term reads: [count, width]. */
async function positionsOf(problem: Problem, read: Read, at: number): Promise<{ positions: Int32Array; width: number }> {
  const { shape } = read.divided.sites[at]!.root;
  const count = sizeOf(shape);
  const made = await program({
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    inputs: { ...read.specs, ...indexSpecs(shape, count), "ep.like": f64([]) },
    body: ({ inputs }) => {
      const like = (inputs as Record<string, Tensor>)["ep.like"]!;
      const b = like.trace;
      const { element, indices } = elementIn(problem, at, inputs as never, b);
      const replaced = new Map(indices.map((node, axis) => [node, (inputs as Record<string, Tensor>)[`index.${axis}`]!.node]));
      const flat = element.views.map((v) => b.reshape(v.positions, [sizeOf(v.positions.shape)]));
      const all = flat.length > 1 ? b.concat(flat, 0) : flat[0]!;
      const lifted = replaced.size ? vmap(b, [all], replaced, count)[0]! : b.reshape(all, [1, ...all.shape]);
      return { outputs: { positions: new Tensor(b, lifted) } };
    },
  });
  const indices = shape.map(() => new Uint32Array(count));
  for (let e = 0; e < count; e++) unravel(e, shape, indices, e);
  const given = Object.fromEntries(indices.map((values, axis) => [`index.${axis}`, values]));
  made.call({ ...read.data, ...given, "ep.like": 0 } as never);
  const positions = Int32Array.from(made.outputs.positions.view() as Float64Array);
  return { positions, width: positions.length / count };
}

/** A term's element compiled for `rows` rows: log density, or the critical expressions. */
async function compileRows(problem: Problem, read: Read, at: number, rows: number, what: "density" | "critical") {
  const { shape } = read.divided.sites[at]!.root;
  let viewSizes: number[] = [];
  // What is read is one input, [rows, width]; how wide it is, the element says.
  const probe = await positionsWidth(problem, read, at);
  const made = await program({
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    inputs: { ...read.specs, ...indexSpecs(shape, rows), "ep.values": f64([rows, probe]) },
    body: ({ inputs }) => {
      const all = inputs as Record<string, Tensor>;
      const values = all["ep.values"]!;
      const b = values.trace;
      const { element, indices } = elementIn(problem, at, all, b);
      const replaced = new Map(indices.map((node, axis) => [node, all[`index.${axis}`]!.node]));
      let from = 0;
      viewSizes = [];
      for (const { values: node } of element.views) {
        const size = sizeOf(node.shape);
        replaced.set(node, values.narrow(1, from, size).reshape([rows, ...node.shape]).node);
        viewSizes.push(size);
        from += size;
      }
      const target = what === "density" ? element.value : criticalOf(b, element);
      const lifted = target ? vmap(b, [target], replaced, rows)[0]! : values.narrow(1, 0, 1).node;
      const width = target ? sizeOf(target.shape) : 0;
      return { outputs: { result: new Tensor(b, lifted).reshape([rows, Math.max(1, width)]), exists: values.of(b.constant(width, "f64")) } }; // biome-ignore format: one line
    },
  });
  return made;
}
