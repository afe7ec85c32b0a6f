import { OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { RandomSite, TracedModel } from "../../model/site.ts";
import { latentSites } from "../../model/terms.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { betaBlock } from "./blocks/beta.ts";
import { type Block, neutralState, type Variable } from "./blocks/block.ts";
import type { Chain } from "./blocks/chain.ts";
import { dirichletBlock } from "./blocks/dirichlet.ts";
import { discreteBlock } from "./blocks/discrete.ts";
import { discreteChainBlock } from "./blocks/discrete-chain.ts";
import { gammaBlock } from "./blocks/gamma.ts";
import { gaussianBlock } from "./blocks/gaussian.ts";
import { gaussianChainBlock } from "./blocks/gaussian-chain.ts";
import { normalGammaBlock } from "./blocks/normal-gamma.ts";
import { normalWishartBlock } from "./blocks/normal-wishart.ts";
import { matrixPoint, positivePoint, realPoint, simplexPoint, unitPoint } from "./blocks/point.ts";
import { wishartBlock } from "./blocks/wishart.ts";
import type { Bounds } from "./densities.ts";
import { type ExpectedTerm, expectedJoint, statesFor, wholeShape } from "./expected-joint.ts";
import type { Coupled, SiteStatistics } from "./moments.ts";
import { insteadOf } from "./not-conjugate.ts";

/** Elements that one Gaussian factor may hold jointly. */
const MOST_JOINT = 4096;

/** Which factor of q a latent site gets, by the family of its prior. */
function blockFor(site: RandomSite, events: readonly number[], power: number): Block {
  const variable: Variable = { site: site.name, shape: wholeShape(site), events };
  if (site.kind === "param") return pointFor(site, variable, power);
  const states = statesFor(site);
  if (states) return discreteBlock(variable, states.length);
  switch (site.family?.name) {
    case "normal":
    case "multivariateNormal":
      return gaussianBlock(variable);
    case "gamma":
    case "exponential":
      return gammaBlock(variable, false);
    case "inverseGamma":
      return gammaBlock(variable, true);
    case "beta":
      return betaBlock(variable);
    case "dirichlet":
      return dirichletBlock(variable);
    case "wishart":
      return wishartBlock(variable);
    default:
      throw new OptionError(
        `${site.kind}("${site.name}") is a ${site.family?.name ?? "parameter without a prior"}: coordinate ascent has factors for ` +
          "normal, multivariateNormal, gamma, exponential, inverseGamma, beta, dirichlet, wishart and discrete sites." +
          `${insteadOf(site.family?.name)} ` +
          'Give it such a prior, or use a method of gradients (method: "fullrank", "nuts").',
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
          "real, positive, unitInterval, simplex and positiveDefinite, or estimate it by gradients",
      );
  }
}

/** Powers under which a positive parameter may stand in the model's terms: a precision, a variance, a standard deviation. */
const POWERS = [1, -1, -2, 2];

const isGaussian = (site: RandomSite) =>
  site.kind === "param"
    ? site.support.kind === "real"
    : site.family?.name === "normal" || site.family?.name === "multivariateNormal";

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
}

export interface Structure {
  readonly blocks: readonly Block[];
  /** Sites that are the states of a chain. */
  readonly chains: ReadonlySet<string>;
  /** Discrete sites whose elements depend on one another: they take turns. */
  readonly intertwined: ReadonlySet<string>;
  /** Gaussian sites that are multiplied with one another. */
  readonly multiplied: readonly (readonly string[])[];
  readonly terms: readonly ExpectedTerm[];
}

/**
 * The factors of q, in the order of the text. A Gaussian site whose elements one term brings together (weights under a dot product)
 * is held jointly along those axes; one whose precision is latent, in its prior and wherever it stands, is held jointly with that.
 *
 * @throws OptionError naming what has no closed-form factor or term
 */
export function structureOf(like: Tensor, model: TracedModel, { bounds }: StructureOptions): Structure {
  const sites = latentSites(model);
  const events = new Map(
    sites.map((site): [string, Set<number>] => {
      const rank = wholeShape(site).length;
      return [site.name, new Set(site.family?.name === "multivariateNormal" ? [rank - 1] : [])];
    }),
  );
  const chains = chainsOf(model, sites);
  const starts = new Set([...chains.values()].flatMap(({ initial }) => ("site" in initial ? [initial.site] : [])));
  const powers = new Map<string, number>();
  const blockOf = (site: RandomSite): Block => {
    const own = [...events.get(site.name)!].sort((p, q) => p - q);
    const chain = chains.get(site.name);
    if (!chain) return blockFor(site, own, powers.get(site.name) ?? 1);
    const variable: Variable = { site: site.name, shape: wholeShape(site), events: own };
    const states = statesFor(site);
    return states
      ? discreteChainBlock({ ...chain, variable }, states.length)
      : gaussianChainBlock({ ...chain, variable });
  };
  const inChains = new Set(chains.keys());
  const terms = expectedJoint(like, model, bounds, inChains, { filled: new Map() });
  const owners = sites.filter((s) => !starts.has(s.name));
  findPowers(like, owners, terms, blockOf, powers);
  let blocks: Block[] = [];
  const intertwined = new Set<string>();
  const products = new Map<string, readonly string[]>();
  const multiplied = (names: readonly string[]): void => void products.set(names.join(" "), names);
  for (let changed = true; changed; ) {
    changed = false;
    blocks = owners.map(blockOf);
    const coupled: Coupled = (name, position) => {
      const site = sites.find((s) => s.name === name)!;
      if (statesFor(site)) intertwined.add(name);
      if (!isGaussian(site) || events.get(name)!.has(position)) return;
      // The first state of a chain has the axes of the others but for that of time.
      const chain = [...chains].find(([, { initial }]) => "site" in initial && initial.site === name);
      if (chain) events.get(chain[0])!.add(position >= chain[1].time ? position + 1 : position);
      const own = chains.get(name);
      if (own && position === own.time) return;
      events.get(name)!.add(position);
      changed = true;
    };
    for (const term of terms) term.expect({ sites: statistics(like, blocks), coupled, multiplied });
  }
  for (const site of sites) {
    const shape = wholeShape(site);
    const n = sizeOf([...events.get(site.name)!].map((p) => shape[p]!));
    if (n <= MOST_JOINT) continue;
    throw new OptionError(
      `"${site.name}" has ${n} elements that depend on one another: one factor holds up to ${MOST_JOINT} of them. Split it into ` +
        "several sites, or use a method of gradients.",
    );
  }
  const free = sites.filter((s) => s.kind === "sample" && !inChains.has(s.name) && !starts.has(s.name));
  return {
    blocks: joined(like, free, terms, blocks, events),
    chains: inChains,
    intertwined,
    multiplied: [...products.values()],
    terms,
  };
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

/** Gaussian sites and their precisions in one factor, where every term allows it. */
function joined(
  like: Tensor,
  sites: readonly RandomSite[],
  terms: readonly ExpectedTerm[],
  given: readonly Block[],
  events: ReadonlyMap<string, ReadonlySet<number>>,
): Block[] {
  let blocks = [...given];
  const taken = new Set<string>();
  for (const x of sites.filter(isGaussian)) {
    const own = terms.find((t) => t.name === x.name)!;
    const touching = terms.filter((t) => t.sites.includes(x.name));
    for (const tau of sites) {
      if (taken.has(tau.name) || !own.sites.includes(tau.name)) continue;
      if (!touching.every((t) => t.sites.includes(tau.name))) continue;
      const block = jointOf(x, tau, [...events.get(x.name)!].sort((p, q) => p - q)); // biome-ignore format: short
      if (!block) continue;
      const candidate = blocks.filter((b) => b.name !== x.name && b.name !== tau.name);
      const q = { sites: statistics(like, [...candidate, block]) };
      try {
        for (const term of touching) term.expect(q);
      } catch {
        continue;
      }
      const at = Math.min(...[x.name, tau.name].map((name) => blocks.findIndex((b) => b.name === name)));
      blocks = [...blocks.slice(0, at).filter((b) => candidate.includes(b)), block, ...blocks.slice(at).filter((b) => candidate.includes(b))]; // biome-ignore format: short
      taken.add(tau.name);
      break;
    }
  }
  return blocks;
}

function jointOf(x: RandomSite, tau: RandomSite, events: readonly number[]): Block | null {
  const [shape, tauShape] = [wholeShape(x), wholeShape(tau)];
  const variable: Variable = { site: x.name, shape, events };
  const single = shape.map((_, p) => p).filter((p) => !events.includes(p));
  const other: Variable = { site: tau.name, shape: tauShape, events: [] };
  const family = tau.family?.name;
  if (family === "wishart") {
    const fits = events.length === 1 && events[0] === shape.length - 1 && tauShape.length === single.length + 2;
    return fits ? normalWishartBlock(variable, other) : null;
  }
  if (family !== "gamma" && family !== "inverseGamma") return null;
  // The axes of the precision are the first of the Gaussian's, which is how plates and broadcasts along them align; or none.
  const positions = single.slice(0, tauShape.length);
  const fits = positions.length === tauShape.length && positions.every((p, i) => shape[p] === tauShape[i]);
  return fits ? normalGammaBlock(variable, other, positions, family === "inverseGamma") : null;
}
