import { OptionError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { RandomSite, TracedModel } from "../../model/site.ts";
import { latentSites } from "../../model/terms.ts";
import { full } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import {
  type Block,
  betaBlock,
  dirichletBlock,
  discreteBlock,
  gammaBlock,
  gaussianBlock,
  normalGammaBlock,
  normalWishartBlock,
  type State,
  type Variable,
  wishartBlock,
} from "./blocks.ts";
import type { Bounds } from "./densities.ts";
import { type ExpectedTerm, expectedJoint, statesFor, wholeShape } from "./expected-joint.ts";
import type { Coupled, SiteStatistics } from "./moments.ts";

/** Elements that one Gaussian factor may hold jointly. */
const MOST_JOINT = 4096;

/** Which factor of q a latent site gets, by the family of its prior. */
function blockFor(site: RandomSite, events: readonly number[]): Block {
  const variable: Variable = { site: site.name, shape: wholeShape(site), events };
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
          "normal, multivariateNormal, gamma, exponential, inverseGamma, beta, dirichlet, wishart and discrete sites. Give it such a " +
          'prior, or use a method of gradients (method: "fullrank", "nuts").',
      );
  }
}

const isGaussian = (site: RandomSite) =>
  site.family?.name === "normal" || site.family?.name === "multivariateNormal";

const zeros = (like: Tensor, block: Block): State =>
  Object.fromEntries(Object.entries(block.state).map(([name, shape]) => [name, full(like, shape, 1)]));

const statistics = (like: Tensor, blocks: readonly Block[]): Record<string, SiteStatistics> =>
  Object.assign({}, ...blocks.map((b) => b.expected(zeros(like, b)).sites));

export interface StructureOptions {
  readonly bounds: Bounds;
}

/**
 * The factors of q, in the order of the text. A Gaussian site whose elements one term brings together (weights under a dot product)
 * is held jointly along those axes; one whose precision is latent, in its prior and wherever it stands, is held jointly with that.
 *
 * @throws OptionError naming what has no closed-form factor or term
 */
export function structureOf(like: Tensor, model: TracedModel, { bounds }: StructureOptions): Block[] {
  const sites = latentSites(model);
  const events = new Map(
    sites.map((site): [string, Set<number>] => {
      const rank = wholeShape(site).length;
      return [site.name, new Set(site.family?.name === "multivariateNormal" ? [rank - 1] : [])];
    }),
  );
  const blockOf = (site: RandomSite) => blockFor(site, [...events.get(site.name)!].sort((p, q) => p - q)); // biome-ignore format: short
  const terms = expectedJoint(like, model, bounds, new Set(), { filled: new Map() });
  let blocks: Block[] = [];
  for (let changed = true; changed; ) {
    changed = false;
    blocks = sites.map(blockOf);
    const coupled: Coupled = (name, position) => {
      const site = sites.find((s) => s.name === name)!;
      if (!isGaussian(site) || events.get(name)!.has(position)) return;
      events.get(name)!.add(position);
      changed = true;
    };
    for (const term of terms) term.expect({ sites: statistics(like, blocks), coupled });
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
  return joined(like, sites, terms, blocks, events);
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
