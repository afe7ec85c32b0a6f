import { OptionError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { Node } from "../ir/node.ts";
import type { Key } from "../tensor/random.ts";
import { scan } from "../tensor/scan.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type ChainStep, plateSizes, type RandomSite, type Site, type TracedModel } from "./site.ts";
import { substitute } from "./substitute.ts";
import type { Assignment } from "./terms.ts";

const isRandom = (site: Site): site is RandomSite =>
  site.kind === "sample" || site.kind === "observe" || site.kind === "param";

/**
 * Draws every random site that has no value yet, in the order of the text, each from its distribution given those before it.
 *
 * @param known  names of the sites that have values in the assignment
 * @returns      the draws of sampled and observed sites, by name
 * @throws       OptionError for a site whose distribution cannot be sampled
 */
export function drawSites(
  model: TracedModel,
  key: Key<Tensor>,
  assignment: Assignment,
  known: ReadonlySet<string>,
): Record<string, Tensor> {
  const drawn: Record<string, Tensor> = {};
  const inSteps = new Map(model.steps.flatMap((step) => step.sites.map((s) => [s.name, step] as const)));
  const done = new Set<ChainStep>();
  for (const site of model.sites) {
    if (!isRandom(site) || known.has(site.name) || site.name in drawn) continue;
    const step = inSteps.get(site.name);
    const missing = step?.sites.filter((s) => isRandom(s) && s.kind !== "observe" && !known.has(s.name)) ?? [];
    if (step && missing.length && !done.has(step)) {
      done.add(step);
      const found = drawChain(step, key, assignment, known);
      for (const [name, value] of Object.entries(found)) {
        drawn[name] = value;
        assignment.set(model.sites.find((s) => s.name === name) as RandomSite, value);
      }
      assignment.closeChains();
      continue;
    }
    if (!step && missing.length === 0 && site.plates.some((p) => p.kind === "chain") && site.kind !== "observe") {
      throw new OptionError(
        `${site.kind}("${site.name}") stands in a chain inside a plate: its states cannot be drawn in order. Put the plate inside the chain.`,
      );
    }
    if (site.kind !== "observe" || !step) assignment.closeChains();
    const value = drawSite(site, key.site(site.name), assignment);
    drawn[site.name] = value;
    // What follows from an observed site follows from the data: its replicate is a result only.
    if (site.kind !== "observe") assignment.set(site, value);
  }
  return drawn;
}

function drawSite(site: RandomSite, key: Key<Tensor>, assignment: Assignment): Tensor {
  const names = Object.keys(site.params);
  const values = assignment.of(Object.values(site.params));
  const params = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
  const batch = [...plateSizes(site.plates), ...batchOf(site)];
  return draw(site, key, params, batch);
}

const batchOf = ({ shape, family }: RandomSite): Shape => shape.slice(0, shape.length - (family?.eventRank ?? 0));

function draw(site: RandomSite, key: Key<Tensor>, params: Readonly<Record<string, Tensor>>, batch: Shape): Tensor {
  const { family, name, kind } = site;
  if (!family?.sample) {
    const what = family ? `a ${family.name}, which has no sampler` : "a parameter without a prior";
    throw new OptionError(
      `${kind}("${name}") is ${what}: it cannot be drawn. Give it a proper prior, or condition on it.`,
    );
  }
  return family.sample(key, params, batch);
}

/** The steps of a chain one after the other, each site drawn given the state before. */
function drawChain(
  step: ChainStep,
  key: Key<Tensor>,
  assignment: Assignment,
  known: ReadonlySet<string>,
): Record<string, Tensor> {
  const { chain, before, index, after, sites } = step;
  const initial = assignment.of(step.initial);
  const like = initial[0]!;
  const random = sites.filter(isRandom);
  const { ys } = scan({ carry: initial, length: chain.size }, (carry, _x, t) => {
    const replaced = new Map<Node, Node>([[index.node, t.cast("u32").node]]);
    for (const [i, c] of carry.entries()) replaced.set(before[i]!.node, c.node);
    const of = (tensors: readonly Tensor[]): Tensor[] => {
      const given = assignment.of(tensors);
      return substitute(like.trace, given.map((x) => x.node), replaced).map((n) => new Tensor(like.trace, n)); // biome-ignore format: one line
    };
    const y: Record<string, Tensor> = {};
    for (const site of random) {
      if (known.has(site.name)) continue;
      const names = Object.keys(site.params);
      const values = of(Object.values(site.params));
      const params = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
      const value = draw(site, key.site(site.name).fold(t), params, [...plateSizes(site.plates), ...batchOf(site)]);
      y[site.name] = value;
      if (site.kind !== "observe") replaced.set(site.value.node, value.node);
    }
    return { carry: of(after), y };
  });
  return ys as Record<string, Tensor>;
}
