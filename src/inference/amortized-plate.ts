import { OptionError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { bijectorTo } from "../constraints/bijector.ts";
import { isDiscrete } from "../constraints/support.ts";
import type { GaussianVector } from "../families/gaussian-vector.ts";
import type { Node } from "../ir/node.ts";
import { sumOut } from "../model/enumerate.ts";
import { isLatent, plateSizes, type RandomSite, type TracedModel } from "../model/site.ts";
import { dependents } from "../model/substitute.ts";
import { Assignment, latentSites, termsOf } from "../model/terms.ts";
import { constant } from "../nn/initialiser.ts";
import type { ParameterSpec, Tensors } from "../nn/layout.ts";
import type { LatentModel } from "../objectives/sgvb.ts";
import { full } from "../tensor/functions.ts";
import { type Key, normal } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { assignOutside, type ElementSite, inPlate, plateModel, type Transform } from "./plate-model.ts";
import { boundedBy, type Coordinates, type Inputs, type Problem } from "./problem.ts";

/** What q looks at of one element: the values of the sites that are observed in it. */
export interface ObservedSite {
  readonly name: string;
  /** Of one element. */
  readonly shape: readonly number[];
}

/** A plate of a problem: what is latent and observed in each element, and what is latent outside. */
export interface PlateLayout {
  readonly plate: string;
  readonly size: number;
  readonly sites: readonly ElementSite[];
  /** Unconstrained coordinates of an element. */
  readonly latent: number;
  readonly observed: readonly ObservedSite[];
  /** Parameters. */
  readonly params: readonly Coordinates[];
  /** Latent sites outside of the plate, which get a q of their own. */
  readonly globals: readonly Coordinates[];
}

/**
 * Finds a plate and what belongs to it.
 *
 * @throws OptionError where there is none of that name at the outer level, or nothing continuous to infer in it
 */
export function plateLayout(problem: Problem, plate: string): PlateLayout {
  const { layout, coordinates } = problem;
  const outer = new Set(layout.sites.flatMap(({ plates }) => (plates[0]?.kind === "plate" ? [plates[0].name] : [])));
  if (!outer.has(plate)) {
    const known = [...outer].map((name) => `"${name}"`).join(", ") || "none";
    throw new OptionError(
      `amortize takes a plate at the outer level of the model, and "${plate}" is none: there is ${known}. Of nested plates take the outermost.`,
    );
  }
  const bySite = new Map(layout.sites.map((site) => [site.name, site]));
  const within = (name: string) => inPlate(plate, bySite.get(name)!);
  const { size } = layout.sites.find((site) => inPlate(plate, site))!.plates[0]!;
  const inside = coordinates.find(({ kind, name }) => kind === "param" && within(name));
  if (inside) {
    throw new OptionError(
      `param("${inside.name}") stands in plate("${plate}"), where amortize learns q(z_i) alone: sample it, or declare it outside of the plate`,
    );
  }
  let offset = 0;
  const sites = coordinates
    .filter(({ name }) => within(name))
    .map(({ name, size: all, unconstrainedShape }): ElementSite => {
      const site = { name, offset, size: all / size, shape: unconstrainedShape.slice(1) };
      offset += site.size;
      return site;
    });
  if (!offset)
    throw new OptionError(`nothing continuous is sampled in plate("${plate}"): it has no q(z_i) to amortize`);
  return {
    plate,
    size,
    sites,
    latent: offset,
    observed: observedIn(layout, plate).map(({ name, value }) => ({ name, shape: value.shape.slice(1) })),
    params: coordinates.filter(({ kind }) => kind === "param"),
    globals: coordinates.filter(({ kind, name }) => kind === "sample" && !within(name)),
  };
}

/** Sites of a plate that are observed at values which follow from data alone. */
function observedIn(model: TracedModel, plate: string): RandomSite[] {
  const latents = new Set<Node>(latentSites(model).map((site) => site.value.node));
  return model.sites.filter(
    (site): site is RandomSite =>
      site.kind === "observe" && inPlate(plate, site) && dependents([site.value.node], latents).size === 0,
  );
}

const bijective: Transform = (site, u, assignment) => {
  const bijector = bijectorTo(boundedBy(site, assignment));
  const value = bijector.forward(u);
  return { value, logJacobian: site.support.kind === "real" ? null : bijector.logJacobian(u, value) };
};

/** Names of q's parameters for the latent sites outside of the plate. */
const GLOBAL = { mean: "global.mean", logSd: "global.logSd" } as const;

/** Parameters of q(global), independent Gaussians on unconstrained coordinates. */
export function globalSpecs({ globals }: PlateLayout): ParameterSpec[] {
  const size = globals.reduce((n, c) => n + c.size, 0);
  if (!size) return [];
  return [
    { name: GLOBAL.mean, shape: [size], initialise: constant(0) },
    { name: GLOBAL.logSd, shape: [size], initialise: constant(-1) },
  ];
}

/** The model's parameters on unconstrained coordinates, as they were declared. */
export function parameterSpecs(problem: Problem, { params }: Pick<PlateLayout, "params">): ParameterSpec[] {
  const bySite = new Map(problem.layout.sites.filter(isLatent).map((site) => [site.name, site]));
  return params.map(({ name, unconstrainedShape, shape, support, initial }) => {
    const { initialise } = bySite.get(name)!;
    return {
      name,
      shape: unconstrainedShape,
      initialise: (key, _shape, dtype) => {
        if (!initialise && initial === null) return full(key.words[0], unconstrainedShape, 0, dtype);
        const values = typeof initial === "number" ? new Array<number>(sizeOf(shape)).fill(initial) : initial;
        const first = initialise ? initialise(key, shape, dtype) : listed(key.words[0], values!, dtype).reshape(shape);
        return support.kind === "real" ? first : bijectorTo(support).inverse(first);
      },
    };
  });
}

const listed = (like: Tensor, values: readonly number[], dtype: "f32" | "f64"): Tensor =>
  values.every((x) => x === values[0])
    ? full(like, [values.length], values[0]!, dtype)
    : values.map((x) => full(like, [1], x, dtype)).reduce((all, x) => new Tensor(like.trace, like.trace.concat([all.node, x.node], 0))); // biome-ignore format: one line

/** The text of a problem run on some elements of its plate. */
export interface PlateRun {
  readonly model: LatentModel;
  readonly traced: TracedModel;
  /** By site, [batch, ...]. */
  readonly observed: Tensors;
  readonly outside: Tensor | null;
  /** Values of the latent sites from unconstrained z [rows, latent], by name. */
  values(z: Tensor): Tensors;
}

/**
 * Runs a problem's text on elements of its plate.
 *
 * @param parameters  all parameters, of q and of the model, unconstrained
 * @param rows        u32 [draws · batch], draw-major
 */
export function runPlate(
  problem: Problem,
  layout: PlateLayout,
  parameters: Tensors,
  inputs: Inputs,
  rows: Tensor,
  draws: number,
  key: Key<Tensor>,
): PlateRun {
  const { plate, sites, globals, size, observed } = layout;
  const count = rows.shape[0]!;
  const traced = problem.trace(rows, inputs, { rows: { [plate]: rows }, rng: key.site("plates") });
  const terms = sumOut(rows.trace, traced, termsOf(traced));
  const global = globals.length ? drawGlobals(parameters, key.site("global"), problem.dtype) : null;
  const outside = outsideValues(traced, layout, parameters, global?.u ?? null);
  const trace = {
    model: traced,
    terms,
    plate,
    rows: count,
    draws,
    sites,
    transform: bijective,
    outside: outside.values,
  };
  const found = observedIn(traced, plate).filter(({ name }) => observed.some((o) => o.name === name));
  let negElbo: Tensor | null = null;
  const others = terms.filter((term) => term.kind !== "param" && !inPlate(plate, term));
  if (global || others.length) {
    const assignment = assignOutside(trace);
    assignment.closeChains();
    const logProbs = assignment
      .of(others.map((t) => t.logProb))
      .map((x, i) => x.sum().cast("f64").mul(others[i]!.scale));
    const all = [...logProbs, ...outside.logJacobians, ...(global ? [global.entropy] : [])];
    negElbo = all.reduce((sum, x) => sum.add(x)).mul(-1 / size);
  }
  return {
    model: plateModel(trace),
    traced,
    observed: Object.fromEntries(found.map(({ name, value }) => [name, draws === 1 ? value : value.narrow(0, 0, count / draws)])), // biome-ignore format: one line
    outside: negElbo,
    values(z) {
      const assignment = assignOutside(trace);
      const bySite = new Map(latentSites(traced).map((site) => [site.name, site]));
      return Object.fromEntries(
        sites.map(({ name, offset, size: own, shape }) => {
          const site = bySite.get(name)!;
          const { value } = bijective(site, z.narrow(1, offset, own).reshape([z.shape[0]!, ...shape]), assignment);
          assignment.set(site, value);
          return [name, value];
        }),
      );
    },
  };
}

/** One draw of all that is latent outside of the plate, shared by the elements, and the entropy of its q. */
function drawGlobals(parameters: Tensors, key: Key<Tensor>, dtype: "f32" | "f64") {
  const [mean, logSd] = [parameters[GLOBAL.mean]!, parameters[GLOBAL.logSd]!];
  const u = logSd
    .exp()
    .mul(normal(key, mean.shape, dtype))
    .add(mean);
  return {
    u,
    entropy: logSd
      .cast("f64")
      .add(0.5 * (1 + Math.log(2 * Math.PI)))
      .sum(),
  };
}

/** Values of the latent sites outside of the plate, on their own scales. Parameters have no Jacobian: θ counts as it is. */
export function outsideValues(
  traced: TracedModel,
  { params, globals }: Pick<PlateLayout, "params" | "globals">,
  parameters: Tensors,
  global: Tensor | null,
): { readonly values: Record<string, Tensor>; readonly logJacobians: Tensor[] } {
  const values: Record<string, Tensor> = {};
  const logJacobians: Tensor[] = [];
  const assignment = new Assignment(traced);
  let at = 0;
  const offsets = new Map(globals.map((c) => [c.name, [(at += c.size) - c.size, c] as const]));
  const known = new Map(params.map((c) => [c.name, c]));
  for (const site of latentSites(traced)) {
    if (isDiscrete(site.support)) continue;
    const place = offsets.get(site.name);
    const own = known.get(site.name) ?? place?.[1];
    if (!own) continue;
    const u = place ? global!.narrow(0, place[0], own.size).reshape(own.unconstrainedShape) : parameters[site.name]!;
    const { value, logJacobian } = bijective(site, u, assignment);
    values[site.name] = value.broadcastTo([...plateSizes(site.plates), ...site.shape]);
    assignment.set(site, values[site.name]!);
    if (place && logJacobian) logJacobians.push(logJacobian.sum().cast("f64"));
  }
  return { values, logJacobians };
}

/** q(z_i) with parameters of its own for each element: a table with a row for each. */
export const tableSpecs = (family: GaussianVector<string>, size: number): ParameterSpec[] =>
  Object.entries(family.sizes).map(([name, width]) => ({
    name: `q.${name}`,
    shape: [size, width],
    initialise: constant(0),
  }));
