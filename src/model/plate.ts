import { ShapeError } from "../base/errors.ts";
import type { Node } from "../ir/node.ts";
import { gather, iota } from "../tensor/functions.ts";
import { uniform } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { vmap } from "../transforms/vmap.ts";
import type { Frame, Tracing } from "./frame.ts";
import { liftChains, liftSites } from "./lift.ts";
import { type Copies, isLatent, type Plate, type Site } from "./site.ts";
import { leaves, nodesIn, rebuild, type Structure } from "./structure.ts";
import { dependents } from "./substitute.ts";

interface PlateEnd<S> {
  readonly index: Tensor;
  readonly returned: S;
  /** How many elements stand for all; null for all of them. */
  readonly batch: number | null;
  /** How many alike each element stands for, [size]; null for one. */
  readonly copies: Copies;
}

/**
 * Lifts what was traced for one element to all elements of the plate, and hands it to the frame around. A latent site gets one
 * placeholder for all its elements; under subsampling the body sees the drawn rows of it.
 */
export function closePlate<S extends Structure>(tracing: Tracing, outer: Frame, frame: Frame, end: PlateEnd<S>): S {
  const { b, rng } = tracing;
  const plate = frame.plate!;
  const chosen = tracing.rows[plate.name];
  const given = chosen && "index" in chosen ? chosen.index : chosen;
  const places = chosen && "index" in chosen ? chosen.places : null;
  const drawn = !given && rng && end.batch !== null && end.batch < plate.size ? end.batch : null;
  const size = given?.shape[0] ?? drawn ?? plate.size;
  const index =
    given ??
    (drawn
      ? uniform(rng!.site(plate.name), [drawn], "f64").mul(plate.size).floor().cast("u32")
      : iota(end.index, [size], 0));
  for (const site of frame.sites) refuseWhole(site, plate, end.index.node);
  const replaced = new Map<Node, Node>([[end.index.node, index.node]]);
  const whole = new Map<Node, Tensor>();
  const stand = (one: Tensor, label: string): void => {
    const all = tracing.placeholder(label, [drawn ? plate.size : size, ...one.shape]);
    whole.set(one.node, all);
    replaced.set(one.node, drawn ? gather(all, index).node : all.node);
  };
  for (const site of frame.sites) if (isLatent(site)) stand(site.value, `site.${site.name}`);
  for (const chain of frame.chains) stand(chain.previous, `chain.${chain.chain.name}`);
  const change = (nodes: readonly Node[]) => vmap(b, nodes, replaced, size);
  const inPlate: Plate = { ...plate, size };
  const own = end.copies && (given || drawn ? gather(end.copies, index) : end.copies);
  const copies = chosen && "index" in chosen ? times(own, chosen.copies) : own;
  const lifted = liftSites(frame.sites, inPlate, drawn ? plate.size / drawn : 1, change).map((site) =>
    copies && site.kind !== "deterministic" ? { ...site, copies: times(site.copies, copies) } : site,
  );
  // A latent site stands for all its elements, though only some were drawn.
  for (const [i, site] of lifted.entries()) {
    const all = whole.get(frame.sites[i]!.value.node);
    outer.sites.push(all && site.kind !== "factor" && site.kind !== "deterministic" ? { ...site, value: all } : site);
  }
  for (const [i, chain] of liftChains(frame.chains, inPlate, change).entries()) {
    outer.chains.push({ ...chain, previous: whole.get(frame.chains[i]!.previous.node)! });
  }
  const found = leaves(end.returned, `the body of plate("${plate.name}")`);
  const results = change(nodesIn(found)).map((node) => new Tensor(b, node));
  return rebuild(end.returned, places ? results.map((x) => gather(x, places)) : results);
}

/** @throws ShapeError where each element observes what has an axis of the plate's size: all of the data, once for each element */
function refuseWhole(site: Site, { name, size }: Plate, index: Node): void {
  if (site.kind !== "observe" || size < 2) return;
  let { node } = site.value;
  while (node.op === "broadcast" || node.op === "cast") node = node.inputs[0]!;
  const batch = node.shape.slice(0, node.shape.length - (site.family?.eventRank ?? 0));
  if (!batch.includes(size) || dependents([node], new Set([index])).has(node)) return;
  throw new ShapeError(
    `observe("${site.name}") in plate("${name}", ${size}): its value is the same in all ${size} elements of the plate and has ${size} elements itself, ` +
      `so that each would count ${size} times. Observe one of them, by the plate's index: y.at(i).`,
  );
}

/** The product of counts, of which `by` [size] has the outermost axis alone. */
function times(inner: Copies, by: Tensor): Tensor {
  return inner ? inner.mul(by.reshape([by.shape[0]!, ...inner.shape.slice(1).map(() => 1)])) : by;
}
