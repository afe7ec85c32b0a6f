import { OptionError } from "../../base/errors.ts";
import type { Shape } from "../../base/shape.ts";
import { isDiscrete } from "../../constraints/support.ts";
import type { Node } from "../../ir/node.ts";
import { statesOf } from "../../model/enumerate.ts";
import { plateSizes, type RandomSite, type Site, type TracedModel } from "../../model/site.ts";
import { dependents, substitute } from "../../model/substitute.ts";
import { latentSites } from "../../model/terms.ts";
import { full } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { type Addend, type Bounds, expectedLogDensities, familiesWithExpectations } from "./densities.ts";
import { productsOf, type Statistics } from "./moments.ts";
import { type Axis, along, contract, type Label, type Named, newAxis, resolve } from "./named.ts";
import { conjugateAt, insteadOf, NotConjugate } from "./not-conjugate.ts";
import { type Gate, type Latent, Reader } from "./read.ts";

/** One addend of the log joint, ready to be expected. */
export interface ExpectedTerm {
  readonly name: string;
  /** The latent sites that decide it. */
  readonly sites: readonly string[];
  /** E log p under q, in nats, []. */
  expect(q: Statistics): Tensor;
}

/** Data with holes: the values with 0 in them, and 1 where there is a value. */
export interface Holes {
  readonly filled: ReadonlyMap<Node, Node>;
}

type Termed = Exclude<Site, { kind: "deterministic" }>;

/** A site's whole shape, plates first. */
export const wholeShape = (site: RandomSite): Shape => [...plateSizes(site.plates), ...site.shape];

/** The states of a discrete site; null of a continuous one. */
export const statesFor = (site: RandomSite): number[] | null =>
  isDiscrete(site.support) ? statesOf({ ...site, shape: [] }) : null;

/**
 * The terms of a model's log joint as functions of the expected statistics of its latent sites. Nothing in it knows which latent
 * site is being updated: its updates are gradients of this.
 *
 * @throws OptionError naming the site where a term has no expectation in closed form
 */
export function expectedJoint(
  like: Tensor,
  model: TracedModel,
  bounds: Bounds,
  chains: ReadonlySet<string>,
  holes: Holes,
): ExpectedTerm[] {
  const { trace } = like;
  const latent = latentSites(model);
  const roots = new Map<Node, Latent>(
    latent.map((site) => [site.value.node, { site: site.name, previous: false, states: statesFor(site) }]),
  );
  const replaced = new Map<Node, Node>();
  for (const chain of model.chains) {
    const owner = latent.find((s) => s.value.node === chain.next.node);
    if (owner && chains.has(owner.name)) {
      roots.set(chain.previous.node, { site: owner.name, previous: true, states: statesFor(owner) });
    } else replaced.set(chain.previous.node, substitute(trace, [chain.shifted.node], replaced)[0]!);
  }
  const closed = (t: Tensor): Tensor => new Tensor(trace, substitute(trace, [t.node], replaced)[0]!);
  const sites = model.sites.filter((s): s is Termed => s.kind !== "deterministic" && s.logProb !== null);
  return sites.map((site) => {
    const params = "params" in site ? Object.fromEntries(Object.entries(site.params).map(([k, t]) => [k, closed(t)])) : {}; // biome-ignore format: short
    const value = closed(site.value);
    const nodes = [value.node, ...Object.values(params).map((t) => t.node)];
    const random = dependents(nodes, new Set(roots.keys()));
    const touched = [...roots].filter(([node]) => random.has(node)).map(([, l]) => l.site);
    const reader = new Reader(trace, roots, random);
    const rank = site.kind === "factor" ? 0 : (site.family?.eventRank ?? 0);
    const batch = value.shape.slice(0, value.shape.length - rank).map(newAxis);
    const labels: Label[] = batch.map((a) => along(a));
    const mask = presence(like, value, rank, labels, holes);
    const addends = (q: Statistics): Addend[] => {
      if (site.kind === "factor") return productsOf(q, reader.read(value, labels)).map((p) => p.factors);
      const row = Object.hasOwn(expectedLogDensities, site.family!.name)
        ? expectedLogDensities[site.family!.name]!
        : null;
      if (!row) {
        throw new OptionError(
          `"${site.name}" is a ${site.family!.name}, whose expected log density is not known in closed form. Known are: ` +
            `${familiesWithExpectations()}.${insteadOf(site.family?.name)} Use a method of gradients (method: "fullrank", "nuts"), or another distribution.`,
        );
      }
      return row({ q, reader, bounds, value, params, labels, like });
    };
    return {
      name: site.name,
      sites: [...new Set(touched)],
      expect: (q) =>
        conjugateAt(site.name, site.kind === "factor" ? null : (site.family?.name ?? null), () => {
          const parts = addends(q).map((factors) => {
            if (site.kind !== "factor") refuseSummedStates(reader.gates, factors, batch);
            const weighted = [...factors, ...(mask ? [mask] : []), ...weights(q, reader.gates, factors)];
            return contract(weighted, [], batch).tensor;
          });
          const sum = parts.reduce((a, b) => a.add(b), full(like, [], 0));
          return site.scale === 1 ? sum : sum.mul(site.scale);
        }),
    };
  });
}

/** A sum over elements of a discrete site inside a density has been taken before their probabilities could weigh it. */
function refuseSummedStates(gates: readonly Gate[], factors: readonly Named[], batch: readonly Axis[]): void {
  const present = new Set([...batch, ...factors.flatMap((f) => f.axes)]);
  for (const gate of gates) {
    if (!present.has(gate.axis)) continue;
    if (gate.labels.flatMap(axesIn).every((a) => present.has(a))) continue;
    throw new NotConjugate(
      `it sums over the elements of the discrete "${gate.site}": write those as sites of their own`,
    );
  }
}

/** The probabilities of the discrete states that the factors look at. */
function weights(q: Statistics, gates: readonly Gate[], factors: readonly Named[]): Named[] {
  const used = new Set(factors.flatMap((f) => f.axes));
  const chosen: Gate[] = [];
  for (let before = -1; before !== chosen.length; ) {
    before = chosen.length;
    for (const gate of gates) {
      if (chosen.includes(gate) || !used.has(gate.axis)) continue;
      chosen.push(gate);
      for (const label of gate.labels) for (const axis of axesIn(label)) used.add(axis);
    }
  }
  for (const [i, gate] of chosen.entries()) {
    // Two elements of one site that stand in one addend depend on each other, unless a chain's factor holds both.
    if (chosen.slice(0, i).some((g) => g.site === gate.site && g.previous === gate.previous)) q.coupled?.(gate.site, 0);
  }
  const done = new Set<Gate>();
  return chosen.flatMap((gate) => {
    if (done.has(gate)) return [];
    done.add(gate);
    const s = q.sites[gate.site]!;
    if (s.kind !== "discrete") return [];
    const steps = JSON.stringify(gate.labels.map((l) => (l.kind === "axis" ? [l.axis.id, l.offset] : l.kind)));
    const partner = chosen.find(
      (g) =>
        !done.has(g) &&
        g.site === gate.site &&
        g.previous !== gate.previous &&
        JSON.stringify(g.labels.map((l) => (l.kind === "axis" ? [l.axis.id, l.offset] : l.kind))) === steps,
    );
    if (!partner) return [resolve(gate.previous ? s.before!.probs : s.probs, [...gate.labels, along(gate.axis)])];
    done.add(partner);
    const [before, after] = gate.previous ? [gate, partner] : [partner, gate];
    return [resolve(s.before!.pair, [...gate.labels, along(before.axis), along(after.axis)])];
  });
}

const axesIn = (label: Label): readonly Axis[] =>
  label.kind === "axis" ? [label.axis] : label.kind === "index" ? label.index.axes : label.kind === "pair" ? [...axesIn(label.major), ...axesIn(label.minor)] : []; // biome-ignore format: one line

/** 1 where an observed value is there, 0 where it is missing; null where none is. */
function presence(
  like: Tensor,
  value: Tensor,
  rank: number,
  labels: readonly Label[],
  { filled }: Holes,
): Named | null {
  if (!filled.size) return null;
  const [node] = substitute(like.trace, [value.node], filled);
  if (node === value.node) return null;
  const mask = new Tensor(like.trace, node!);
  if (!rank) return resolve(mask, labels);
  const events = mask.shape.map((_, p) => p).slice(-rank);
  return resolve(mask.neg().max(events).neg(), labels);
}
