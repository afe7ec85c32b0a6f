import { sizeOf } from "../../base/shape.ts";
import type { Buffer, TensorSpec } from "../../engine/runtime.ts";
import { reachable } from "../../ir/graph.ts";
import type { Node } from "../../ir/node.ts";
import type { Trace } from "../../ops/vocabulary.ts";
import { f64, program, u32 } from "../../program/program.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { vmap } from "../../transforms/vmap.ts";
import { MemoryVector } from "../compile.ts";
import type { Inputs, Problem } from "../problem.ts";
import { degreesIn } from "./degree.ts";
import { type Element, elementOf } from "./element.ts";
import type { Read } from "./read-affine.ts";
import { divide } from "./terms.ts";

type Tensors = Readonly<Record<string, Tensor>>;

const standIn = (b: Trace, name: string, { dtype, shape }: TensorSpec) => new Tensor(b, b.input(name, dtype, shape));

/** Element graphs of term number `at` in a trace where its leaves are inputs. */
function elementIn(problem: Problem, at: number, inputs: Tensors, b: Trace) {
  const z = standIn(b, "latent vector", f64([problem.dim]));
  const given: Inputs = Object.fromEntries(
    Object.entries(problem.inputs).map(([name, spec]) => [name, standIn(b, `${name} as given`, spec)]),
  );
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
    if (x?.dtype !== "f64" || inputs.every((n) => degrees.get(n) === 0)) continue;
    if (inputs.some((n) => degrees.get(n)! > 1)) continue;
    if (["lt", "le", "gt", "ge", "maximum", "minimum"].includes(op)) found.push(b.sub(x, y!));
    else if (op === "abs" || op === "sign") found.push(x);
  }
  if (!found.length) return null;
  return b.concat(found.map((n) => b.reshape(n, [sizeOf(n.shape)])), 0); // biome-ignore format: short
}

const indexSpecs = (shape: readonly number[], rows: number) =>
  Object.fromEntries(shape.map((_, axis) => [`index.${axis}`, u32([rows])]));

/** Row-major indices of element e, as row `row` of the index arrays. */
function unravel(e: number, shape: readonly number[], into: readonly Uint32Array[], row: number): void {
  let rest = e;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    into[axis]![row] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
}

/** Which elements of the affine tensors each element of a term reads: [count, width]. */
export async function positionsOf(problem: Problem, read: Read, at: number): Promise<Int32Array> {
  const { shape } = read.divided.sites[at]!.root;
  const count = sizeOf(shape);
  const made = await program({
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    inputs: { ...read.specs, ...indexSpecs(shape, count), "ep.like": f64([]) },
    body: ({ inputs }) => {
      const all: Tensors = inputs;
      const b = all["ep.like"]!.trace;
      const { element, indices } = elementIn(problem, at, all, b);
      const replaced = new Map(indices.map((node, axis) => [node, all[`index.${axis}`]!.node]));
      const flat = element.views.map((v) => b.reshape(v.positions, [sizeOf(v.positions.shape)]));
      const joined = flat.length > 1 ? b.concat(flat, 0) : flat[0]!;
      const lifted = replaced.size ? vmap(b, [joined], replaced, count)[0]! : joined;
      return { outputs: { positions: new Tensor(b, lifted) } };
    },
  });
  const indices = shape.map(() => new Uint32Array(count));
  for (let e = 0; e < count; e++) unravel(e, shape, indices, e);
  const given = Object.fromEntries(indices.map((values, axis) => [`index.${axis}`, values]));
  made.call({ ...read.data, ...given, "ep.like": 0 } as never);
  return Int32Array.from(made.outputs.positions.view() as Float64Array);
}

/** Functions of elements and of what they read, for up to `rows` rows in one call. */
export interface RowProgram {
  readonly rows: number;
  /** Critical expressions of a row. */
  readonly criticals: number;
  /** Row r is element `elements[r]` reading `values` [rows, width]; fills `into`, [count] or [count, criticals], from `at` on. */
  run(
    what: "density" | "critical",
    elements: Int32Array,
    count: number,
    fill: (values: Float64Array) => void,
    into: Float64Array,
    at: number,
  ): void;
}

/** The log density of a term's elements and, where asked for, their critical expressions. */
export async function compileRows(
  problem: Problem,
  read: Read,
  { term, width, rows, isCritical }: { term: number; width: number; rows: number; isCritical: boolean },
): Promise<RowProgram> {
  const { shape } = read.divided.sites[term]!.root;
  let criticals = 0;
  const made = await program({
    runtime: problem.runtime,
    deterministic: problem.deterministic,
    inputs: { ...read.specs, ...indexSpecs(shape, rows), "ep.values": f64([rows, width]) },
    body: ({ inputs }) => {
      const all: Tensors = inputs;
      const values = all["ep.values"]!;
      const b = values.trace;
      const { element, indices } = elementIn(problem, term, all, b);
      const replaced = new Map(indices.map((node, axis) => [node, all[`index.${axis}`]!.node]));
      let from = 0;
      for (const { values: node } of element.views) {
        const wide = sizeOf(node.shape);
        replaced.set(node, values.narrow(1, from, wide).reshape([rows, ...node.shape]).node);
        from += wide;
      }
      const critical = isCritical ? criticalOf(b, element) : null;
      criticals = critical ? sizeOf(critical.shape) : 0;
      const wanted = critical ? [element.value, critical] : [element.value];
      const [density, bends] = vmap(b, wanted, replaced, rows).map((n) => new Tensor(b, n));
      return { outputs: { density: density!, ...(bends ? { critical: bends } : {}) } };
    },
  });
  const place = problem.runtime.buffer("f64", [rows, width]);
  const places = shape.map(() => problem.runtime.buffer("u32", [rows]));
  const given = Object.fromEntries(places.map((p, axis) => [`index.${axis}`, p]));
  made.prepare({ ...read.data, ...given, "ep.values": place } as never);
  const values = new MemoryVector(place);
  const outputs = made.outputs as Readonly<Record<"density" | "critical", Buffer>>;
  const results = {
    density: new MemoryVector(outputs.density),
    critical: criticals ? new MemoryVector(outputs.critical) : null,
  };
  return {
    rows,
    criticals,
    run(what, elements, count, fill, into, at) {
      if (places.length === 1) (places[0]!.view() as Uint32Array).set(elements.subarray(0, count));
      else {
        const indices = places.map((p) => p.view() as Uint32Array);
        for (let r = 0; r < count; r++) unravel(elements[r]!, shape, indices, r);
      }
      fill(values.values);
      made.step();
      const size = what === "density" ? 1 : criticals;
      if (size) into.set(results[what]!.values.subarray(0, count * size), at);
    },
  };
}
