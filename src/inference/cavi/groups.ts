import { OptionError } from "../../base/errors.ts";
import { sameShape } from "../../base/shape.ts";
import type { RandomSite, TracedModel } from "../../model/site.ts";
import { latentSites } from "../../model/terms.ts";
import { statesFor, wholeShape } from "./expected-joint.ts";
import type { GradientSites } from "./gradient-sites.ts";

/** Sites that one factor of q holds together (structured mean field), by what kind of factor that is. */
export interface Group {
  readonly gaussians: readonly RandomSite[];
  /** The precision of all the Gaussians. */
  readonly precision: RandomSite | null;
  readonly discrete: readonly RandomSite[];
  /** A site of another kind, which stays apart. */
  readonly alone: RandomSite | null;
  /** The plates, outermost first, that all of them stand in: each element has a factor of its own. */
  readonly shared: number;
}

/** States of a table over several discrete sites. */
const MOST_STATES = 4096;

export const isGaussian = (site: RandomSite): boolean =>
  site.kind === "param"
    ? site.support.kind === "real"
    : site.family?.name === "normal" || site.family?.name === "multivariateNormal";

const PRECISIONS = new Set(["gamma", "exponential", "chiSquared", "inverseGamma", "wishart"]);

export const membersOf = ({ gaussians, precision, discrete, alone }: Group): RandomSite[] => [
  ...gaussians,
  ...(precision ? [precision] : []),
  ...discrete,
  ...(alone ? [alone] : []),
];

const quoted = (names: readonly string[]) => names.map((n) => `"${n}"`).join(", ");

export const refusedGroup = (group: Group, why: string): OptionError =>
  new OptionError(
    `groups: ${quoted(membersOf(group).map((s) => s.name))} cannot be one factor: ${why}. One factor holds Gaussian sites, with or ` +
      "without the gamma or Wishart precision that they all scale with, or discrete sites of the same plates; leave the others apart.",
  );

/**
 * The groups of the option, checked for what can be seen without the terms.
 *
 * @throws OptionError where a name is unknown or stands twice, or where the sites cannot be one exponential family
 */
export function readGroups(model: TracedModel, given: readonly (readonly string[])[], bent: GradientSites): Group[] {
  const sites = latentSites(model);
  if (!Array.isArray(given) || given.some((g) => !Array.isArray(g) || !g.length))
    throw new OptionError('groups takes lists of names of latent sites: groups: [["mu", "theta"], ["w", "b"]]');
  const seen = new Set<string>();
  return given.map((names) => {
    const members = names.map((name: string) => {
      const site = sites.find((s) => s.name === name);
      if (!site)
        throw new OptionError(`groups: "${name}" is no latent site; those are ${quoted(sites.map((s) => s.name))}`);
      if (seen.has(name)) throw new OptionError(`groups: "${name}" stands in them twice; a site has one factor`);
      seen.add(name);
      return site;
    });
    return groupOf(members, bent);
  });
}

function groupOf(members: readonly RandomSite[], bent: GradientSites): Group {
  const gaussians = members.filter((s) => isGaussian(s) || bent.has(s.name));
  const discrete = members.filter((s) => s.kind === "sample" && statesFor(s));
  const others = members.filter((s) => !gaussians.includes(s) && !discrete.includes(s));
  const group = { gaussians, discrete, precision: null, alone: null, shared: sharedPlates(members) };
  if (members.length === 1) return { ...group, alone: others[0] ?? null };
  const all = { ...group, discrete: [...discrete, ...others] };
  const estimated = members.find((s) => s.kind === "param");
  if (estimated) throw refusedGroup(all, `"${estimated.name}" is estimated, it has no factor`);
  if (discrete.length && members.length > discrete.length) {
    throw refusedGroup(all, `${quoted(discrete.map((s) => s.name))} is discrete and the others are not`);
  }
  const [precision, ...more] = others;
  if (more.length || (precision && !PRECISIONS.has(precision.family!.name))) {
    throw refusedGroup(all, `${others.map((s) => `"${s.name}" is a ${s.family!.name}`).join(", ")}`);
  }
  const free = gaussians.find((s) => !bent.has(s.name));
  if (gaussians.some((s) => bent.has(s.name)) && (free || precision)) {
    throw refusedGroup(all, `some of them are given to gradients and "${(free ?? precision)!.name}" is not`);
  }
  if (precision && !gaussians.length) throw refusedGroup(all, `"${precision.name}" stands without a Gaussian`);
  if (precision && precision.family!.name === "wishart" && gaussians.length > 1) {
    throw refusedGroup(all, `a Wishart precision is held with one vector, not with ${gaussians.length}`);
  }
  if (discrete.length) {
    const [first] = discrete as [RandomSite];
    const odd = discrete.find((s) => !sameShape(wholeShape(s), wholeShape(first)) || s.plates.some((p, i) => p.name !== first.plates[i]?.name)); // biome-ignore format: one line
    if (odd) throw refusedGroup(all, `"${odd.name}" and "${first.name}" do not stand in the same plates`);
    const count = discrete.reduce((n, s) => n * statesFor(s)!.length, 1);
    if (count > MOST_STATES)
      throw refusedGroup(all, `together they have ${count} states, and a table holds up to ${MOST_STATES}`);
  }
  return { ...group, precision: precision ?? null };
}

function sharedPlates([first, ...others]: readonly RandomSite[]): number {
  const names = first!.plates.map((p) => p.name);
  const differs = names.findIndex((name, i) => others.some((s) => s.plates[i]?.name !== name));
  return differs < 0 ? names.length : differs;
}

/** @throws OptionError where a group holds states of a chain, which are a factor already */
export function checkGroups(groups: readonly Group[], chained: ReadonlySet<string>): void {
  for (const group of groups) {
    const members = membersOf(group);
    const state = members.find((s) => chained.has(s.name));
    if (state && members.length > 1) throw refusedGroup(group, `"${state.name}" is a state of a chain, whose steps are one factor already`); // biome-ignore format: one line
  }
}
