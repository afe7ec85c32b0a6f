import { OptionError, ShapeError, SupportError } from "../base/errors.ts";
import { broadcastShapes, type Shape, sameShape, showShape } from "../base/shape.ts";
import { isDiscrete, type Support } from "../constraints/support.ts";
import {
  asTensor,
  type Distribution,
  type Family,
  type Params,
  type ParamValue,
} from "../distributions/distribution.ts";
import { dependents } from "../model/substitute.ts";
import { latentSites } from "../model/terms.ts";
import { createTrace } from "../ops/trace.ts";
import type { Trace } from "../ops/vocabulary.ts";
import { Tensor } from "../tensor/tensor.ts";
import { supportText } from "./diagnose.ts";
import type { Coordinates, Problem } from "./problem.ts";
import { compareSupports, constantEnds, hasConstantEnds } from "./supports.ts";

/**
 * A family for each latent site that is named: `{ mu: normal, tau: gamma }`. A distribution, as `gamma(2, 1)`, says where its free
 * parameters begin; parameters that decide where it has mass (the ends of a uniform or of a truncation) keep the values given.
 */
export type SiteFamilies = Readonly<Record<string, Family | Distribution>>;

/** What q of a site is to be, checked against the model. */
export interface SiteChoice {
  readonly site: Coordinates;
  readonly family: Family;
  /** The model's support of the site, its ends numbers. */
  readonly support: Support;
  /** Parameters that keep their values. */
  readonly fixed: Readonly<Record<string, ParamValue>>;
  /** Shape of one event's parameter, of those that are fitted. */
  readonly free: Readonly<Record<string, Shape>>;
  /** Values that the free ones begin with; null where the fit chooses. */
  readonly start: Readonly<Record<string, ParamValue>> | null;
  /** Axes of the site over which q is a product. */
  readonly batch: Shape;
}

export interface SiteChoices {
  readonly choices: readonly SiteChoice[];
  /** What no number would show: where q provably misses mass of the model. */
  readonly warnings: readonly string[];
}

const isFamily = (x: unknown): x is Family => {
  const given = x as Partial<Family> | null;
  return !!given && typeof given.logProb === "function" && typeof given.support === "function" && !!given.params;
};
const isDistribution = (x: unknown): x is Distribution => {
  const given = x as Partial<Distribution> | null;
  return !!given && typeof given === "object" && isFamily(given.family) && !!given.given;
};

/** Families that have mass just where a support is. */
const suggestions: Partial<Record<Support["kind"], string>> = {
  real: "normal, studentT or logistic",
  positive: "gamma, logNormal or inverseGamma",
  unitInterval: "beta",
  interval: "uniform or a truncated normal with the same ends",
  above: "a truncated normal with the same end",
  below: "a truncated normal with the same end",
  circle: "vonMises",
  simplex: "dirichlet",
  correlationCholesky: "lkjCholesky",
  positiveDefinite: "wishart",
};

/**
 * Checks an explicit q against the model it is for.
 *
 * @throws OptionError   for names that are no latent site, values that are no family, and families that cannot serve
 * @throws SupportError  where q has mass and the model has none
 * @throws ShapeError    where an event of q is no value of the site
 */
export function chooseSites(problem: Problem, q: SiteFamilies): SiteChoices {
  if (typeof q !== "object" || q === null || Object.keys(q).length === 0) {
    throw new OptionError(
      'method "sites" takes q, a family for some of the latent sites: infer(model, data, { method: "sites", q: { mu: normal, tau: gamma } })',
    );
  }
  const warnings: string[] = [];
  const latent = latentSites(problem.layout);
  const choices = Object.entries(q).map(([name, value]) => {
    const site = problem.coordinates.find((c) => c.name === name);
    if (!site) {
      if (latent.some((s) => s.name === name)) {
        throw new OptionError(
          `q names "${name}", whose values are ${supportText(latent.find((s) => s.name === name)!.support)}: it is summed out exactly and has no q. Leave it out.`,
        );
      }
      const known = problem.coordinates.map((c) => c.name).join(", ");
      throw new OptionError(`q names "${name}", but the latent sites of the model are ${known}`);
    }
    const choice = chosen(site, value);
    const warning = judge(choice);
    if (warning) warnings.push(warning);
    return choice;
  });
  return { choices, warnings };
}

function chosen(site: Coordinates, value: unknown): SiteChoice {
  const { name } = site;
  const call = `q of "${name}"`;
  if (!isFamily(value) && !isDistribution(value)) {
    throw new OptionError(`${call} is a family, as normal, or a distribution to begin with, as normal(0, 1); it was ${typeof value}`); // biome-ignore format: one sentence
  }
  const family = (isFamily(value) ? value : value.family) as Family;
  const given = (isFamily(value) ? null : value.given) as Readonly<Record<string, ParamValue>> | null;
  if (Object.values(given ?? {}).some((v) => v instanceof Tensor)) {
    throw new OptionError(`${call} was given a tensor of a model: its parameters are numbers to begin with`);
  }
  if (!family.sample) {
    throw new OptionError(
      `${call} is a ${family.name}, which has no sampler: draws from q are what the bound is estimated from. Choose another.`,
    );
  }
  if (site.shape.length < family.eventRank) throw unfit(site, family, null);
  const batch = site.shape.slice(0, site.shape.length - family.eventRank);
  const own = eventShapes(site, family, given);
  const shaping = supportParams(family, own);
  if (!given && shaping.length) {
    throw new OptionError(
      `${call}: ${shaping.join(" and ")} of a ${family.name} decide${shaping.length === 1 ? "s" : ""} where it has mass. Give ${shaping.length === 1 ? "its value" : "their values"}: ` +
        `${family.name}({ ${shaping.map((p) => `${p}: …`).join(", ")} })`,
    );
  }
  const pick = <T>(record: Readonly<Record<string, T>>, kept: boolean): Record<string, T> =>
    Object.fromEntries(Object.entries(record).filter(([p]) => shaping.includes(p) === kept));
  const fixed = given ? pick(given, true) : {};
  const free = pick(own, false);
  for (const param of Object.keys(free)) {
    if (!isDiscrete(family.params[param]!.support)) continue;
    throw new OptionError(`${call}: ${param} of a ${family.name} is a whole number, which gradients cannot fit`);
  }
  const support = constantEnds(site.support);
  if (!hasConstantEnds(support)) {
    throw new OptionError(
      `${call}: the model's support of "${name}" (${supportText(support)}) depends on other quantities, and no fixed family follows it. ` +
        `Leave "${name}" out of q: it gets a Gaussian on its unconstrained scale.`,
    );
  }
  checkEvents(site, family, own, batch);
  return { site, family, support, fixed, free, start: given && pick(given, false), batch };
}

/** Shape of one event's parameter: as it was given, else as a site of vectors or matrices has it. */
function eventShapes(
  { shape }: Coordinates,
  { params }: Family,
  given: Readonly<Record<string, ParamValue>> | null,
): Record<string, Shape> {
  const b = createTrace();
  return Object.fromEntries(
    Object.entries(params).map(([name, { rank }]) => {
      if (!given) return [name, Array.from({ length: rank }, () => shape.at(-1) ?? 1)];
      const sizes = asTensor(b, given[name]!).shape;
      return [name, sizes.slice(sizes.length - rank)];
    }),
  );
}

const placeholders = (b: Trace, shapes: Readonly<Record<string, Shape>>): Params =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, new Tensor(b, b.input(name, "f64", shape))]));

/** The parameters that the ends of a family's support are made of. */
function supportParams(family: Family, shapes: Readonly<Record<string, Shape>>): string[] {
  const params = placeholders(createTrace(), shapes);
  const ends = Object.values(family.support(params)).filter((x): x is Tensor => x instanceof Tensor);
  const nodes = ends.map((t) => t.node);
  return Object.keys(params).filter((name) => {
    const changed = dependents(nodes, new Set([params[name]!.node]));
    return nodes.some((node) => changed.has(node));
  });
}

function unfit(site: Coordinates, family: Family, event: Shape | null): ShapeError {
  const draw = event ? `has the shape ${showShape(event)}` : `has ${family.eventRank} axes`;
  return new ShapeError(
    `q of "${site.name}": a draw of ${family.name} ${draw}, but "${site.name}" has the shape ${showShape(site.shape)}`,
  );
}

function checkEvents(site: Coordinates, family: Family, shapes: Readonly<Record<string, Shape>>, batch: Shape): void {
  const event = family.eventShape(placeholders(createTrace(), shapes));
  if (!sameShape(event, site.shape.slice(batch.length))) throw unfit(site, family, event);
}

/** Compares where q and the model have mass. @returns a warning where q misses some of the model's; null else */
function judge({ site, family, fixed, free, support }: SiteChoice): string | null {
  const b = createTrace();
  const constants = Object.fromEntries(Object.entries(fixed).map(([p, value]) => [p, asTensor(b, value)]));
  const own = constantEnds(family.support({ ...placeholders(b, free), ...constants }));
  const { name } = site;
  const instead = suggestions[support.kind];
  const advice = `${instead ? `Choose one that has it all, such as ${instead}, or leave` : "Leave"} "${name}" out of q: it then gets a Gaussian on its unconstrained scale.`;
  switch (compareSupports(own, support)) {
    case "equal":
    case "unknown":
      return null;
    case "beyond":
      throw new SupportError(
        `q of "${name}" is a ${family.name}, which has mass on ${supportText(own)}, but the model gives "${name}" probability only on ` +
          `${supportText(support)}. Where q has mass and the model has none, the bound is −∞. ` +
          `${instead ? `Choose a q that stays inside, such as ${instead}, or leave` : "Leave"} "${name}" out of q: it then gets a Gaussian on its unconstrained scale.`,
      );
    case "within":
      return (
        `q of "${name}" is a ${family.name}, which has mass only on ${supportText(own)}, but the model has some on all ` +
        `${supportText(support)}. What lies outside is left out, and neither the bound nor k-hat shows how much that is. ${advice}`
      );
  }
}

/** Values for a parameter of each element. @throws ShapeError where they do not fit */
export function atElements(choice: SiteChoice, param: string, value: Tensor): Tensor {
  const own = choice.free[param] ?? value.shape.slice(value.shape.length - choice.family.params[param]!.rank);
  const wanted = [...choice.batch, ...own];
  const joint = broadcastShapes(value.shape, wanted);
  if (joint && sameShape(joint, wanted)) return value.broadcastTo(wanted);
  throw new ShapeError(
    `q of "${choice.site.name}": ${param} was given with the shape ${showShape(value.shape)}, but "${choice.site.name}" needs ${showShape(wanted)}`,
  );
}
