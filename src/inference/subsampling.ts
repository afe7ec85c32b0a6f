import { OptionError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { reachable } from "../ir/graph.ts";
import type { Node } from "../ir/node.ts";
import type { Rows } from "../model/frame.ts";
import { isLatent, type Plate, plateSizes, type Site, type TracedModel } from "../model/site.ts";
import { dependents } from "../model/substitute.ts";
import { latentSites } from "../model/terms.ts";
import { createTrace } from "../ops/trace.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valuesOf } from "./check-indices.ts";
import type { Problem } from "./problem.ts";

/** A plate some of whose elements stand for all in each step. */
export interface SampledPlate {
  readonly name: string;
  readonly size: number;
  /** Of the plate whose elements are drawn: null. Of one that goes with it: whose each element is, as tokens are their document's. */
  readonly owners: Int32Array | null;
}

/** The plate whose elements are drawn, first, and those that go with it. */
export interface Subsampling {
  readonly plates: readonly SampledPlate[];
  /** What the model's text says of the batch; null where it says nothing. */
  readonly batch: number | null;
}

/** Plates of fewer elements are subsampled only where there is no other. */
const WORTHWHILE = 20;

const outermost = (site: Site): Plate | null => site.plates[0] ?? null;
const termsOf = (model: TracedModel) => model.sites.filter((s) => s.kind !== "deterministic");
const nodesOf = (site: Site): Node[] => [site.value.node, ..."params" in site ? Object.values(site.params).map((t) => t.node) : []]; // biome-ignore format: one line

/** Inputs that choose elements of a plate. */
export const rowInputs = (plate: string) => ({
  index: `rows.${plate}.index`,
  copies: `rows.${plate}.copies`,
  places: `rows.${plate}.places`,
});

/** The elements of plates that inputs choose, as `trace` takes them. */
export function rowsFrom(plates: readonly Pick<SampledPlate, "name">[], inputs: Readonly<Record<string, Tensor>>) {
  return Object.fromEntries(
    plates.map(({ name }): [string, Rows] => {
      const { index, copies, places } = rowInputs(name);
      return [name, { index: inputs[index]!, copies: inputs[copies]!, places: inputs[places]! }];
    }),
  );
}

/** The model at rows of these plates that inputs choose, in a trace of its own. */
export function traceAtRows(
  problem: Problem,
  plates: readonly { name: string; size: number }[],
  rows: readonly number[],
) {
  const b = createTrace();
  const input = (name: string, dtype: "f64" | "u32" | "f32", shape: readonly number[]) =>
    new Tensor(b, b.input(name, dtype, shape));
  const inputs: Record<string, Tensor> = {};
  for (const [name, spec] of Object.entries(problem.inputs)) {
    inputs[name] = input(name, spec.dtype as "f64", spec.shape as readonly number[]);
  }
  for (const [i, { name, size }] of plates.entries()) {
    const keys = rowInputs(name);
    inputs[keys.index] = input(keys.index, "u32", [rows[i]!]);
    inputs[keys.copies] = input(keys.copies, "f64", [rows[i]!]);
    inputs[keys.places] = input(keys.places, "u32", [size]);
  }
  const like = new Tensor(b, b.constant(0, "f64"));
  return { inputs, model: problem.trace(like, inputs, { rows: rowsFrom(plates, inputs) }) };
}

/**
 * Which plates go with one when its elements are drawn: those whose elements each look at one element of it, by an index that the data
 * decide.
 *
 * @throws OptionError saying what stands against it
 */
export function subsamplingOf(problem: Problem, plate: string): Subsampling {
  const found = problem.layout.sites.map(outermost).find((p) => p?.name === plate);
  if (!found) {
    const inner = problem.layout.sites.some((s) => s.plates.some((p) => p.name === plate));
    const all = [...new Set(problem.layout.sites.flatMap((s) => outermost(s)?.name ?? []))].join('", "');
    throw new OptionError(
      inner
        ? `svi: plate("${plate}") stands inside another: name the outermost plate, whose elements are drawn with all that is in them`
        : `svi: there is no plate("${plate}") with random sites${all ? `; there are "${all}"` : ""}`,
    );
  }
  if (found.kind === "chain") {
    throw new OptionError(
      `svi: the steps of chain("${plate}") depend on one another and cannot be drawn apart; several sequences can, as a plate around it`,
    );
  }
  const plates: SampledPlate[] = [{ name: plate, size: found.size, owners: null }];
  for (;;) {
    const next = goingWith(problem, plates);
    if (!next.length) return { plates, batch: found.batch ?? null };
    plates.push(...next);
  }
}

/** Plates beyond these whose sites look at their elements. */
function goingWith(problem: Problem, plates: readonly SampledPlate[]): SampledPlate[] {
  const { inputs, model } = traceAtRows(problem, plates, plates.map((p) => p.size)); // biome-ignore format: short
  const places = new Map(plates.map((p) => [inputs[rowInputs(p.name).places]!.node, p]));
  const all = reachable(termsOf(model).flatMap(nodesOf));
  /** What plates returned, by the numbers of the whole. */
  const returned = new Map(all.flatMap((n) => (n.op === "gather" && places.has(n.inputs[1]!) ? [[n, places.get(n.inputs[1]!)!] as const] : []))); // biome-ignore format: one line
  const latent = new Set(latentSites(model).map((s) => s.value.node));
  const result = new Map<string, { size: number; owners: Int32Array }>();
  for (const site of termsOf(model)) {
    const outer = outermost(site);
    if (outer && plates.some((p) => p.name === outer.name)) continue;
    for (const node of reachable(nodesOf(site))) {
      for (const from of node.inputs.flatMap((x) => (returned.has(x) ? [x] : []))) {
        const owner = returned.get(from)!;
        const call = `svi: "${site.name}" looks at plate("${owner.name}")`;
        const index = node.op === "gather" && node.inputs[0] === from ? node.inputs[1]! : null;
        if (!index || !outer || outer.kind === "chain") {
          throw new OptionError(
            `${call} as a whole, so that its elements cannot be drawn apart: subsample another plate`,
          );
        }
        const values = dependents([index], latent).has(index) ? null : valuesOf(index, problem.arrays, new Map());
        if (!values) throw new OptionError(`${call} by an index that is not data: subsample another plate`);
        const owners = ownersOf(values, outer.size, owner.owners, call);
        const before = result.get(outer.name);
        if (before?.owners.some((o, i) => o !== owners[i])) {
          throw new OptionError(
            `${call} at several elements, so that they cannot be drawn apart: subsample another plate`,
          );
        }
        result.set(outer.name, { size: outer.size, owners });
      }
    }
  }
  return [...result].map(([name, { size, owners }]) => ({ name, size, owners }));
}

/** One owner an element, from indices [size, …]. */
function ownersOf(values: ArrayLike<number>, size: number, through: Int32Array | null, call: string): Int32Array {
  const each = values.length / size;
  return Int32Array.from({ length: size }, (_, i) => {
    const first = values[i * each]!;
    for (let j = 1; j < each; j++) {
      if (values[i * each + j] !== first) throw new OptionError(`${call} at several elements: subsample another plate`);
    }
    return through ? through[first]! : first;
  });
}

/**
 * The plate that is subsampled where none is named: the one for which the text says how many (`batch`); or else, among plates of some
 * size, the one with which most of what is unknown becomes local.
 *
 * @throws OptionError where there is none, with what stands against each
 */
export function chooseSubsampling(problem: Problem): Subsampling {
  const names = [...new Set(problem.layout.sites.flatMap((s) => outermost(s)?.name ?? []))];
  const reasons: string[] = [];
  const possible = names.flatMap((name) => {
    try {
      const found = subsamplingOf(problem, name);
      const inside = problem.layout.sites.filter((s) => found.plates.some((p) => p.name === outermost(s)?.name));
      if (!inside.some((s) => s.kind === "observe")) return [];
      const local = inside.filter(isLatent).reduce((n, s) => n + sizeOf([...plateSizes(s.plates), ...s.shape]), 0);
      return [{ found, local, size: found.plates[0]!.size }];
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      reasons.push(error.message.replace(/^svi: /, ""));
      return [];
    }
  });
  const large = possible.filter((p) => p.size >= WORTHWHILE);
  const candidates = possible.some((p) => p.found.batch) ? possible.filter((p) => p.found.batch) : large.length ? large : possible; // biome-ignore format: one line
  const [best] = [...candidates].sort((p, q) => q.local - p.local || q.size - p.size);
  if (best) return best.found;
  throw new OptionError(
    "svi: no plate of the model holds observations whose elements can be drawn apart. Write the data in a plate, " +
      `plate("n", y.shape[0], (i) => …), or use cavi.${reasons.length ? ` ${reasons.join(". ")}.` : ""}`,
  );
}

/** The same, or null where there is none. */
export function possibleSubsampling(problem: Problem): Subsampling | null {
  try {
    return chooseSubsampling(problem);
  } catch (error) {
    if (error instanceof OptionError) return null;
    throw error;
  }
}
