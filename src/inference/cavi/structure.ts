import { OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { RandomSite, TracedModel } from "../../model/site.ts";
import { latentSites } from "../../model/terms.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { betaBlock } from "./blocks/beta.ts";
import { type Block, neutralState, type Variable } from "./blocks/block.ts";
import { byGradient } from "./blocks/by-gradient.ts";
import type { Chain } from "./blocks/chain.ts";
import { dirichletBlock } from "./blocks/dirichlet.ts";
import { discreteBlock } from "./blocks/discrete.ts";
import { discreteChainBlock } from "./blocks/discrete-chain.ts";
import { gammaBlock } from "./blocks/gamma.ts";
import { gaussianBlock } from "./blocks/gaussian.ts";
import { gaussianChainBlock } from "./blocks/gaussian-chain.ts";
import { jointDiscreteBlock } from "./blocks/joint-discrete.ts";
import { laid, seenAsSites } from "./blocks/joint-gaussian.ts";
import { normalGammaBlock } from "./blocks/normal-gamma.ts";
import { normalWishartBlock } from "./blocks/normal-wishart.ts";
import { matrixPoint, positivePoint, realPoint, simplexPoint, unitPoint } from "./blocks/point.ts";
import { pointByGradient } from "./blocks/point-by-gradient.ts";
import { inverseWishartBlock, wishartBlock } from "./blocks/wishart.ts";
import type { Bounds } from "./densities.ts";
import { isEndless } from "./endless.ts";
import { type ExpectedTerm, expectedJoint, statesFor, wholeShape } from "./expected-joint.ts";
import type { Gradients } from "./gradient-sites.ts";
import { checkGroups, type Group, isGaussian, membersOf, refusedGroup } from "./groups.ts";
import type { Coupled, SiteStatistics } from "./moments.ts";
import { gradientWay, insteadOf } from "./not-conjugate.ts";

/** Elements that one Gaussian factor may hold jointly. */
const MOST_JOINT = 4096;

/** Which factor of q a latent site gets, by the family of its prior. */
function blockFor(site: RandomSite, events: readonly number[], power: number): Block {
  const variable: Variable = { site: site.name, shape: wholeShape(site), events };
  if (site.kind === "param") return pointFor(site, variable, power);
  const states = statesFor(site);
  if (states) return { ...discreteBlock(variable, states), isCount: isEndless(site) };
  switch (site.family?.name) {
    case "normal":
    case "multivariateNormal":
      return gaussianBlock(variable);
    case "gamma":
    case "exponential":
    case "chiSquared":
      return gammaBlock(variable, false);
    case "inverseGamma":
      return gammaBlock(variable, true);
    case "beta":
      return betaBlock(variable);
    case "dirichlet":
      return dirichletBlock(variable);
    case "wishart":
      return wishartBlock(variable);
    case "inverseWishart":
      return inverseWishartBlock(variable);
    default:
      throw new OptionError(
        `${site.kind}("${site.name}") is a ${site.family?.name ?? "parameter without a prior"}: coordinate ascent has factors for ` +
          `normal, multivariateNormal, gamma, exponential, chiSquared, inverseGamma, beta, dirichlet, wishart, inverseWishart and discrete sites.${insteadOf(site.family?.name)} Give it ` +
          `such a prior, or ${gradientWay([site.name])}a method of gradients for the whole model (method: "fullrank", "nuts").`,
      );
  }
}

function pointFor(site: RandomSite, variable: Variable, power: number): Block {
  switch (site.support.kind) {
    case "real":
      return realPoint(variable);
    case "positive":
      return positivePoint(variable, power);
    case "simplex":
      return simplexPoint(variable);
    case "unitInterval":
      return unitPoint(variable);
    case "positiveDefinite":
      return matrixPoint(variable);
    default:
      throw new OptionError(
        `param("${site.name}") lies in the support "${site.support.kind}", for which there is no M step in closed form: give it one of ` +
          `real, positive, unitInterval, simplex and positiveDefinite, or estimate it by gradients (gradient: ["${site.name}"])`,
      );
  }
}

/** Powers under which a positive parameter may stand in the model's terms: a precision, a variance, a standard deviation. */
const POWERS = [1, -1, -2, 2];

const statistics = (like: Tensor, blocks: readonly Block[]): Record<string, SiteStatistics> =>
  Object.assign({}, ...blocks.map((b) => b.expected(neutralState(like, b)).sites));

/** The chains whose states are one latent site each, and that site. */
function chainsOf(model: TracedModel, sites: readonly RandomSite[]): Map<string, Omit<Chain, "variable">> {
  const found = new Map<string, Omit<Chain, "variable">>();
  for (const chain of model.chains) {
    const site = sites.find((s) => s.value.node === chain.next.node);
    if (!site) continue;
    const time = site.plates.length - 1;
    const first = sites.find((s) => s.kind === "sample" && s.value.node === chain.initial.node && !found.has(s.name));
    let node = chain.initial.node;
    while (["broadcast", "reshape", "cast"].includes(node.op)) node = node.inputs[0]!;
    const kin =
      first &&
      isGaussian(first) === isGaussian(site) &&
      (statesFor(first)?.length ?? 0) === (statesFor(site)?.length ?? 0);
    if (!kin && node.op !== "const") {
      throw new OptionError(
        `chain("${chain.chain.name}") starts from a state that is neither a number nor a site of the kind of "${site.name}": for one ` +
          `factor over all steps, sample the first state from the same family, or start from a number`,
      );
    }
    found.set(site.name, { time, initial: kin ? { site: first.name } : { value: node.attrs.value as number } });
  }
  return found;
}

export interface StructureOptions {
  readonly bounds: Bounds;
  /** Sites that are to be held in one factor; those of a group of one stay apart. */
  readonly groups: readonly Group[];
  readonly gradients: Gradients;
}

export interface Structure {
  /** In the order of the text: what a prior depends on comes before it. */
  readonly blocks: readonly Block[];
  /** The order in which a sweep updates them. */
  readonly order: readonly Block[];
  /** Sites that are the states of a chain. */
  readonly chains: ReadonlySet<string>;
  /** Discrete sites whose elements depend on one another: they take turns. */
  readonly intertwined: ReadonlySet<string>;
  readonly gradients: Gradients;
  /** Terms whose expectations are no closed form, by how they are taken; and those that are bounds. */
  readonly inexact: Readonly<Record<"quadrature" | "draws" | "bounded", readonly string[]>>;
  /** Gaussian sites that are multiplied with one another. */
  readonly multiplied: readonly (readonly string[])[];
  readonly terms: readonly ExpectedTerm[];
}

/**
 * The factors of q, in the order of the text. A Gaussian site whose elements one term brings together (weights under a dot product)
 * is held jointly along those axes; one whose precision is latent, in its prior and wherever it stands, is held jointly with that, unless
 * a group says otherwise.
 *
 * @throws OptionError naming what has no closed-form factor or term
 */
export function structureOf(
  like: Tensor,
  model: TracedModel,
  { bounds, groups, gradients }: StructureOptions,
): Structure {
  const sites = latentSites(model);
  /** As q holds it: a site that is given to gradients on its unconstrained scale. */
  const shapeOf = (site: RandomSite) => gradients.sites.get(site.name)?.shape ?? wholeShape(site);
  const bent = (site: RandomSite) => gradients.sites.has(site.name);
  const events = new Map(
    sites.map((site): [string, Set<number>] => {
      const rank = shapeOf(site).length;
      return [site.name, new Set(site.family?.name === "multivariateNormal" ? [rank - 1] : [])];
    }),
  );
  const chains = chainsOf(model, sites);
  const starts = new Set([...chains.values()].flatMap(({ initial }) => ("site" in initial ? [initial.site] : [])));
  checkGroups(groups, new Set([...chains.keys(), ...starts]));
  for (const { gaussians, shared } of groups.filter((g) => g.gaussians.length > 1)) {
    for (const s of gaussians) for (let p = shared; p < shapeOf(s).length; p++) events.get(s.name)!.add(p);
  }
  const powers = new Map<string, number>();
  const variableOf = (site: RandomSite): Variable => {
    const own = [...events.get(site.name)!].sort((p, q) => p - q);
    return { site: site.name, shape: shapeOf(site), events: own };
  };
  const blockOf = (site: RandomSite): Block => {
    const variable = variableOf(site);
    const chain = chains.get(site.name);
    const given = gradients.sites.get(site.name);
    if (given?.point) return pointByGradient(variable, given);
    if (bent(site)) return byGradient(gaussianBlock(variable), [gradients.sites.get(site.name)!]);
    if (!chain) return blockFor(site, variable.events, powers.get(site.name) ?? 1);
    const states = statesFor(site);
    return states
      ? discreteChainBlock({ ...chain, variable }, states.length)
      : gaussianChainBlock({ ...chain, variable });
  };
  const inChains = new Set(chains.keys());
  for (const name of [...inChains, ...starts].filter((n) => gradients.sites.has(n))) {
    throw new OptionError(`gradient: "${name}" is a state of a chain, whose steps are one factor in closed form`);
  }
  const terms = expectedJoint(like, model, bounds, inChains, { filled: new Map() }, gradients);
  const owners = sites.filter((s) => !starts.has(s.name));
  /** The factor of a site, once for all of its group. */
  const factorsNow = (): Block[] =>
    owners.flatMap((site) => {
      const group = groups.find((g) => membersOf(g).includes(site));
      if (group && group.gaussians.length > 1 && group.gaussians.includes(site)) {
        const unit = unitOf(group.gaussians, variableOf);
        if (site !== group.gaussians[0]) return [];
        const block = unit.seen(gaussianBlock(unit.variable));
        return [bent(site) ? byGradient(block, group.gaussians.map((s) => gradients.sites.get(s.name)!)) : block]; // biome-ignore format: short
      }
      if (group && group.discrete.length > 1) {
        const members = group.discrete.map((s) => ({ site: s.name, states: statesFor(s)! }));
        return site === group.discrete[0] ? [jointDiscreteBlock(members, wholeShape(site))] : [];
      }
      return [blockOf(site)];
    });
  findPowers(like, owners, terms, blockOf, powers);
  let blocks: Block[] = [];
  const intertwined = new Set<string>();
  const products = new Map<string, readonly string[]>();
  const multiplied = (names: readonly string[]): void => void products.set(names.join(" "), names);
  for (let changed = true; changed; ) {
    changed = false;
    blocks = factorsNow();
    const coupled: Coupled = (name, position) => {
      const site = sites.find((s) => s.name === name)!;
      const group = groups.find((g) => membersOf(g).includes(site));
      if (statesFor(site)) intertwined.add(blocks.find((b) => b.sites.includes(name))!.name);
      if (!(isGaussian(site) || bent(site)) || events.get(name)!.has(position)) return;
      // The first state of a chain has the axes of the others but for that of time.
      const chain = [...chains].find(([, { initial }]) => "site" in initial && initial.site === name);
      if (chain) events.get(chain[0])!.add(position >= chain[1].time ? position + 1 : position);
      const own = chains.get(name);
      if (own && position === own.time) return;
      for (const s of group?.gaussians ?? [site]) events.get(s.name)!.add(position);
      changed = true;
    };
    for (const term of terms) term.expect({ sites: statistics(like, blocks), coupled, multiplied });
  }
  for (const site of sites) {
    const repeated = [...events.get(site.name)!].find((p) => p < (site.copies?.shape.length ?? 0));
    if (repeated !== undefined) {
      throw new OptionError(
        `"${site.name}" stands in plate("${site.plates[repeated]!.name}") with copies, but its elements depend on one another`,
      );
    }
  }
  const jointly = (members: readonly RandomSite[]): number =>
    members.reduce((sum, s) => sum + sizeOf([...events.get(s.name)!].map((p) => shapeOf(s)[p]!)), 0);
  for (const members of [...sites.map((s) => [s]), ...groups.map((g) => g.gaussians)]) {
    const n = jointly(members);
    if (n <= MOST_JOINT) continue;
    throw new OptionError(
      `${members.map((s) => `"${s.name}"`).join(", ")} has ${n} elements that depend on one another: one factor holds up to ` +
        `${MOST_JOINT} of them. Split it into several sites, or use a method of gradients.`,
    );
  }
  const free = sites.filter((s) => s.kind === "sample" && !bent(s) && !inChains.has(s.name) && !starts.has(s.name));
  const grouped = new Set(groups.flatMap(membersOf));
  const units = [
    ...groups.filter((g) => g.precision).map((g) => ({ unit: unitOf(g.gaussians, variableOf), precisions: [g.precision!], group: g })), // biome-ignore format: one line
    ...free
      .filter((s) => isGaussian(s) && !grouped.has(s))
      .map((s) => ({ unit: unitOf([s], variableOf), precisions: free.filter((t) => !grouped.has(t)), group: null })),
  ];
  const of = (how: string) => [...new Set(terms.filter((t) => t.how() === how).map((t) => t.name))];
  const bounded = terms.filter((t) => t.isBound()).map((t) => t.name);
  const inexact = { quadrature: of("quadrature"), draws: of("draws"), bounded };
  const factors = joined(like, units, terms, blocks);
  return {
    blocks: factors,
    order: afterMeans(factors, terms),
    chains: inChains,
    intertwined,
    gradients,
    inexact,
    multiplied: [...products.values()],
    terms,
  };
}

const SCALES = new Set(["gamma", "inverseGamma", "wishart", "inverseWishart"]);
const STATES = new Set(["categorical", "markovChain"]);
const MEANS = new Set(["gaussian", "gaussianChain"]);

/**
 * The order of the text, but scales and discrete states after the means that stand in a term with them. Before the means are found all
 * that is left of the data looks like noise, and a scale that is found first makes it so for good; and a switch that is found first
 * turns off what is not known yet (in y = x · s · w, a slab with mean 0 only adds variance), after which nothing is learned of it.
 */
function afterMeans(blocks: readonly Block[], terms: readonly ExpectedTerm[]): Block[] {
  const order = [...blocks];
  for (const later of [SCALES, STATES].flatMap((families) => blocks.filter((b) => families.has(b.family)))) {
    const touching = terms.filter((t) => t.sites.some((s) => later.sites.includes(s)));
    const last = order.findLastIndex((b) => MEANS.has(b.family) && touching.some((t) => t.sites.some((s) => b.sites.includes(s)))); // biome-ignore format: one line
    const at = order.indexOf(later);
    if (last > at) order.splice(last, 0, ...order.splice(at, 1));
  }
  return order;
}

/** One Gaussian site, or several that are grouped, as one variable; `seen`: a factor over that as one over the sites. */
interface Unit {
  readonly sites: readonly RandomSite[];
  readonly variable: Variable;
  seen(block: Block): Block;
}

function unitOf(sites: readonly RandomSite[], variableOf: (site: RandomSite) => Variable): Unit {
  const [site] = sites as [RandomSite];
  if (sites.length === 1) return { sites, variable: variableOf(site), seen: (block) => block };
  const together = laid(sites.map(variableOf));
  return { sites, variable: together.whole, seen: (block) => seenAsSites(together, block) };
}

/** Finds under which power each positive parameter stands, by trying. */
function findPowers(
  like: Tensor,
  owners: readonly RandomSite[],
  terms: readonly ExpectedTerm[],
  blockOf: (site: RandomSite) => Block,
  powers: Map<string, number>,
): void {
  for (const site of owners) {
    if (site.kind !== "param" || site.support.kind !== "positive") continue;
    const touching = terms.filter((t) => t.sites.includes(site.name));
    const fits = POWERS.find((power) => {
      powers.set(site.name, power);
      const q = { sites: statistics(like, owners.map(blockOf)), coupled: () => {} }; // biome-ignore format: short
      try {
        for (const term of touching) term.expect(q);
        return true;
      } catch {
        return false;
      }
    });
    powers.set(site.name, fits ?? 1);
  }
}

/** A Gaussian and the precisions that may be held with it; of a group its one precision must be. */
interface Candidate {
  readonly unit: Unit;
  readonly precisions: readonly RandomSite[];
  readonly group: Group | null;
}

/** Gaussian sites and their precisions in one factor, where every term allows it. */
function joined(
  like: Tensor,
  candidates: readonly Candidate[],
  terms: readonly ExpectedTerm[],
  given: readonly Block[],
): Block[] {
  let blocks = [...given];
  const taken = new Set<string>();
  for (const { unit, precisions, group } of candidates) {
    const names = unit.sites.map((s) => s.name);
    const touching = terms.filter((t) => t.sites.some((s) => names.includes(s)));
    for (const tau of precisions) {
      const without = touching.find((t) => !t.sites.includes(tau.name));
      if (group && without) throw refusedGroup(group, `"${without.name}" holds ${names.map((n) => `"${n}"`).join(" and ")} but does not scale with "${tau.name}"`); // biome-ignore format: one line
      if (without || taken.has(tau.name)) continue;
      if (unit.sites.some((s) => s.copies?.node !== tau.copies?.node)) continue;
      const block = jointOf(unit, tau);
      if (!block && group) throw refusedGroup(group, `"${tau.name}" has not the shape of a precision of ${names.map((n) => `"${n}"`).join(" and ")}`); // biome-ignore format: one line
      if (!block) continue;
      const sites = [...names, tau.name];
      const candidate = blocks.filter((b) => !b.sites.some((s) => sites.includes(s)));
      const q = { sites: statistics(like, [...candidate, block]) };
      try {
        for (const term of touching) term.expect(q);
      } catch (error) {
        if (group) throw refusedGroup(group, (error as Error).message);
        continue;
      }
      const at = blocks.findIndex((b) => b.sites.some((s) => sites.includes(s)));
      blocks = [...blocks.slice(0, at), block, ...blocks.slice(at).filter((b) => candidate.includes(b))];
      taken.add(tau.name);
      break;
    }
  }
  return blocks;
}

function jointOf(unit: Unit, tau: RandomSite): Block | null {
  const { variable, seen } = unit;
  const { shape, events } = variable;
  const tauShape = wholeShape(tau);
  const single = shape.map((_, p) => p).filter((p) => !events.includes(p));
  const other: Variable = { site: tau.name, shape: tauShape, events: [] };
  const family = tau.family?.name;
  if (family === "wishart") {
    const fits = unit.sites.length === 1 && events.length === 1 && events[0] === shape.length - 1 && tauShape.length === single.length + 2; // biome-ignore format: one line
    return fits ? normalWishartBlock(variable, other) : null;
  }
  if (family !== "gamma" && family !== "exponential" && family !== "chiSquared" && family !== "inverseGamma")
    return null;
  // The axes of the precision are the first of the Gaussian's, which is how plates and broadcasts along them align; or none.
  const positions = single.slice(0, tauShape.length);
  const fits = positions.length === tauShape.length && positions.every((p, i) => shape[p] === tauShape[i]);
  return fits ? seen(normalGammaBlock(variable, other, positions, family === "inverseGamma")) : null;
}
