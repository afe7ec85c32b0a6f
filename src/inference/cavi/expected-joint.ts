import { DataError, OptionError } from "../../base/errors.ts";
import { type Shape, sizeOf } from "../../base/shape.ts";
import { isDiscrete } from "../../constraints/support.ts";
import type { Node } from "../../ir/node.ts";
import { statesOf } from "../../model/enumerate.ts";
import { plateSizes, type RandomSite, type Site, type TracedModel } from "../../model/site.ts";
import { dependents, substitute } from "../../model/substitute.ts";
import { latentSites } from "../../model/terms.ts";
import { full } from "../../tensor/functions.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { vmap } from "../../transforms/vmap.ts";
import { presence } from "../missing.ts";
import { type Addend, type Bounds, elementwiseLogDensity } from "./densities.ts";
import { MOST_COUNTS } from "./endless.ts";
import { Expectations, type Noise } from "./expectations.ts";
import { familiesWithExpectations, rowOf } from "./families.ts";
import { type Gradients, NO_GRADIENTS } from "./gradient-sites.ts";
import { productsOf, type Statistics } from "./moments.ts";
import { type Axis, aligned, along, contract, type Label, labelsKey, type Named, newAxis, resolve } from "./named.ts";
import { conjugateAt, gradientWay, insteadOf, NotConjugate } from "./not-conjugate.ts";
import { type Gate, type Latent, Reader } from "./read.ts";

/** One addend of the log joint, ready to be expected. */
export interface ExpectedTerm {
  readonly name: string;
  /** The latent sites that decide it. */
  readonly sites: readonly string[];
  /** E log p under q, in nats, []. */
  expect(q: Statistics): Tensor;
  /** How the expectation was last taken. */
  how(): How;
  /** Whether it is a bound on the expectation, as it was last taken. */
  isBound(): boolean;
}

/** Data with holes: the values with some number in them, and the values as they were given. */
export interface Holes {
  readonly filled: ReadonlyMap<Node, Node>;
}

type Termed = Exclude<Site, { kind: "deterministic" }>;

/** A site's whole shape, plates first. */
export const wholeShape = (site: RandomSite): Shape => [...plateSizes(site.plates), ...site.shape];

/** The states of a discrete site; null of a continuous one. */
export function statesFor(site: RandomSite): number[] | null {
  const { name, kind, support, family } = site;
  if (!isDiscrete(support)) return null;
  if (support.kind === "counts" && support.high === null) {
    throw new OptionError(
      `${kind}("${name}") is a ${family?.name ?? "count"}, which takes values without end: cavi finds by itself how many of them its factor must ` +
        "hold; elsewhere say it, as in truncated(poisson(rate), { high: 40 }), or sum it out by hand (binomial counts of a poisson are a poisson " +
        "of rate · probs).",
    );
  }
  if (support.kind === "counts" && typeof support.high === "number" && support.high - support.low < MOST_COUNTS) {
    const { low, high } = support;
    return Array.from({ length: high - low + 1 }, (_, i) => low + i);
  }
  return statesOf({ ...site, shape: [] });
}

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
  gradients: Gradients = NO_GRADIENTS,
  noise: Noise = (_, shape) => full(like, [gradients.draws, ...shape], 0, "f64"),
): ExpectedTerm[] {
  const { trace } = like;
  const latent = latentSites(model);
  const roots = new Map<Node, Latent>(
    latent.map((site) => [
      site.value.node,
      { site: site.name, previous: false, states: statesFor(site), isUnit: site.support.kind === "unitInterval" },
    ]),
  );
  const replaced = new Map<Node, Node>();
  for (const chain of model.chains) {
    const owner = latent.find((s) => s.value.node === chain.next.node);
    if (owner && chains.has(owner.name)) {
      roots.set(chain.previous.node, { site: owner.name, previous: true, states: statesFor(owner), isUnit: false });
    } else replaced.set(chain.previous.node, substitute(trace, [chain.shifted.node], replaced)[0]!);
  }
  const closed = (t: Tensor): Tensor => new Tensor(trace, substitute(trace, [t.node], replaced)[0]!);
  const sites = model.sites.filter((s): s is Termed => s.kind !== "deterministic" && s.logProb !== null);
  const terms = sites.map((site): ExpectedTerm => {
    const params = "params" in site ? Object.fromEntries(Object.entries(site.params).map(([k, t]) => [k, closed(t)])) : {}; // biome-ignore format: short
    const value = closed(site.value);
    const nodes = [value.node, ...Object.values(params).map((t) => t.node)];
    refuseMissing(like, site, site.kind === "factor" ? { value } : params, holes);
    const random = dependents(nodes, new Set(roots.keys()));
    const touched = [...new Set([...roots].filter(([node]) => random.has(node)).map(([, l]) => l.site))];
    const rank = site.kind === "factor" ? 0 : (site.family?.eventRank ?? 0);
    const batch = value.shape.slice(0, value.shape.length - rank).map(newAxis);
    const labels: Label[] = batch.map((a) => along(a));
    const often = site.copies ? [{ tensor: site.copies, axes: batch.slice(0, site.copies.shape.length) }] : [];
    const mask = maskOf(like, value, rank, labels, holes);
    const row = site.kind === "factor" ? null : rowOf(site.family!.name);
    let isBound = false;
    /** Where there are gradients, the expectation itself comes before a bound on it. */
    let mayBound = true;
    const bounded = () => {
      if (!mayBound) throw new NotConjugate("it has a bound in closed form, but no expectation");
      isBound = true;
    };
    const shared = new Reader(trace, roots, random);
    /** The term by its family's row, or as a density of known numbers. */
    const read = (q: Statistics, by: Expectations | null, generic: boolean): Tensor => {
      const reader = by ? new Reader(trace, roots, random, by) : shared;
      const context = { q: by?.q ?? q, reader, bounds, value, params, labels, like, expectations: by, bounded };
      const addends = (): readonly Addend[] => {
        if (site.kind === "factor") return productsOf(context.q, reader.read(value, labels)).map((p) => p.factors);
        return row && !generic ? row(context) : elementwiseLogDensity(context, site.family!);
      };
      const parts = addends().map((factors) => {
        if (site.kind !== "factor") refuseSummedStates(reader.gates, factors, batch);
        const used = new Set(factors.flatMap((f) => f.axes));
        const nodes = by?.weights.filter((w) => used.has(w.axes[0]!)) ?? [];
        const weighted = [
          ...factors,
          ...nodes,
          ...often,
          ...(mask ? [mask] : []),
          ...weights(q, reader.gates, factors),
        ];
        return contract(weighted, [], batch).tensor;
      });
      by?.check();
      return parts.reduce((a, b) => a.add(b), full(like, [], 0));
    };
    const continuous = latent.filter((s) => touched.includes(s.name) && !isDiscrete(s.support)).map((s) => s.name); // biome-ignore format: one line
    const byGradient = touched.filter((name) => gradients.sites.has(name));
    const byQuadrature = (q: Statistics) => new Expectations(like, q, gradients.sites, "quadrature");
    const byDraws = (q: Statistics) => {
      for (const { name, plates } of latent.filter((s) => byGradient.includes(s.name))) holdJointly(q, gradients, name, plates.length); // biome-ignore format: one line
      return new Expectations(like, q, gradients.sites, { draws: gradients.draws, noise });
    };
    /** Everything that the term depends on is drawn: the density itself in each draw. */
    const averaged = (by: Expectations): Tensor => {
      if (byGradient.length < touched.length) throw new NotConjugate("it depends on other sites as well");
      const replacements = new Map(latent.filter((s) => touched.includes(s.name)).map((s) => [s.value.node, by.constrainedDraws(gradients.sites.get(s.name)!).node])); // biome-ignore format: one line
      const [node] = vmap(trace, [closed(site.logProb!).node], replacements, gradients.draws);
      const logs = new Tensor(trace, node!);
      const weighted = [...often, ...(mask ? [mask] : [])].reduce((all, w) => all.mul(aligned(w, batch)), logs);
      return weighted.sum().div(gradients.draws);
    };
    const attempts: readonly Attempt[] = byGradient.length
      ? [
          { by: byQuadrature, expect: (q, by) => read(q, by, false) },
          { by: byQuadrature, expect: (q, by) => read(q, by, true) },
          { by: byDraws, expect: (q, by) => read(q, by, false) },
          { by: byDraws, expect: (_, by) => averaged(by!) },
          { by: byQuadrature, bound: true, expect: (q, by) => read(q, by, false) },
        ]
      : [
          {
            by: () => null,
            bound: true,
            expect: (q) => (row || site.kind === "factor" ? read(q, null, false) : ofKnown(q)),
          },
        ];
    /** A family without a row is a density of known numbers or nothing. */
    const ofKnown = (q: Statistics): Tensor => {
      try {
        return read(q, null, true);
      } catch (error) {
        if (!(error instanceof NotConjugate)) throw error;
        throw new OptionError(
          `"${site.name}" is a ${(site as RandomSite).family!.name}, whose expected log density is not known in closed form: ` +
            `${error.message}. Known are: ${familiesWithExpectations()}.${insteadOf((site as RandomSite).family?.name)} Ways out: ${gradientWay(continuous)}a method of gradients for ` +
            'the whole model (method: "fullrank", "nuts"), or another distribution.',
        );
      }
    };
    let [chosen, how] = [0, "closed form" as How];
    return {
      name: site.name,
      sites: touched,
      how: () => how,
      isBound: () => isBound,
      expect: (q) =>
        conjugateAt(site.name, site.kind === "factor" ? null : (site.family?.name ?? null), continuous, () => {
          isBound = false;
          const { sum, at, by } = firstThat(attempts, q, chosen, (attempt) => {
            mayBound = attempt.bound ?? false;
          });
          chosen = at;
          how = !by?.weights.length ? "closed form" : by.drawn ? "draws" : "quadrature";
          return site.scale === 1 ? sum : sum.mul(site.scale);
        }),
    };
  });
  return [...terms, ...jacobians(like, gradients, noise)];
}

/** How the expectation of a term is taken. */
export type How = "closed form" | "quadrature" | "draws";

interface Attempt {
  /** Whether a bound will do. */
  readonly bound?: true;
  by(q: Statistics): Expectations | null;
  expect(q: Statistics, by: Expectations | null): Tensor;
}

/** The first way that a term can be expected; where all fail, the reason of the first. */
function firstThat(attempts: readonly Attempt[], q: Statistics, from: number, begin: (attempt: Attempt) => void) {
  let reason: NotConjugate | null = null;
  for (let at = from; at < attempts.length; at++) {
    begin(attempts[at]!);
    try {
      const by = attempts[at]!.by(q);
      return { sum: attempts[at]!.expect(q, by), at, by };
    } catch (error) {
      if (!(error instanceof NotConjugate)) throw error;
      reason ??= error;
    }
  }
  throw reason!;
}

/** So many elements are held jointly at most for each draw that they are found from. */
const JOINT_PER_DRAW = 1 / 8;

/** A site that is seen in draws is held jointly along its own axes, where the draws suffice to tell their covariances. */
function holdJointly(q: Statistics, { sites, draws }: Gradients, name: string, plates: number): void {
  const { shape, point } = sites.get(name)!;
  if (point || sizeOf(shape.slice(plates)) > draws * JOINT_PER_DRAW) return;
  for (let p = plates; p < shape.length; p++) q.coupled?.(name, p);
}

/** What the density of a gradient site on its unconstrained scale has in addition. */
function jacobians(like: Tensor, gradients: Gradients, noise: Noise): ExpectedTerm[] {
  return [...gradients.sites.values()]
    .filter((s) => !s.identity && !s.point)
    .map((site): ExpectedTerm => {
      const how: How = site.bijector.eventRank ? "draws" : "quadrature";
      return {
        name: site.name,
        sites: [site.name],
        how: () => how,
        isBound: () => false,
        expect: (q) => {
          const by = how === "draws" ? { draws: gradients.draws, noise } : "quadrature";
          return new Expectations(like, q, gradients.sites, by).logJacobian(site);
        },
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

/** Whether two discrete quantities are held in one factor. */
function mates(q: Statistics, a: Gate, b: Gate): boolean {
  const [s, t] = [q.sites[a.site]!, q.sites[b.site]!];
  return s.kind === "discrete" && t.kind === "discrete" && !!s.group && s.group.name === t.group?.name;
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
    const kin = (g: Gate) =>
      g.site === gate.site || (mates(q, g, gate) && labelsKey(g.labels) !== labelsKey(gate.labels));
    if (chosen.slice(0, i).some((g) => kin(g) && g.previous === gate.previous)) q.coupled?.(gate.site, 0);
  }
  const done = new Set<Gate>();
  return chosen.flatMap((gate) => {
    if (done.has(gate)) return [];
    done.add(gate);
    const s = q.sites[gate.site]!;
    if (s.kind !== "discrete") return [];
    if (s.group) {
      const { sites, table } = s.group;
      const seen = chosen.filter((g) => mates(q, g, gate) && labelsKey(g.labels) === labelsKey(gate.labels));
      for (const g of seen) done.add(g);
      const found = sites.map((site) => seen.find((g) => g.site === site));
      const gone = sites.map((_, i) => gate.labels.length + i).filter((_, i) => !found[i]);
      return [resolve(gone.length ? table.sum(gone) : table, [...gate.labels, ...found.flatMap((g) => (g ? [along(g.axis)] : []))])]; // biome-ignore format: one line
    }
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

/** What is missing may only be observed: as a predictor it would count as the number that stands for it. */
function refuseMissing(like: Tensor, site: Termed, parts: Readonly<Record<string, Tensor>>, { filled }: Holes): void {
  if (!filled.size) return;
  for (const [name, part] of Object.entries(parts)) {
    if (substitute(like.trace, [part.node], filled)[0] === part.node) continue;
    throw new DataError(
      `${site.kind}("${site.name}"): its ${name} is computed from data that hold NaN. Only observed values may be missing: leave these ` +
        "rows out, impute them, or give them a prior and sample them.",
    );
  }
}

/** 1 where an observed value is there, 0 where it is missing; null where none is. */
function maskOf(like: Tensor, value: Tensor, rank: number, labels: readonly Label[], { filled }: Holes): Named | null {
  if (!filled.size) return null;
  const [node] = substitute(like.trace, [value.node], filled);
  if (node === value.node) return null;
  // The value as it was given may be computed from the data, as the logarithm of a column is.
  return resolve(presence(new Tensor(like.trace, node!), rank), labels);
}
