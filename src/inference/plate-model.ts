import type { DiagonalGaussian } from "../families/gaussian-vector.ts";
import type { Node } from "../ir/node.ts";
import type { RandomSite, TracedModel } from "../model/site.ts";
import { dependents } from "../model/substitute.ts";
import { Assignment, counted, latentSites, type Term } from "../model/terms.ts";
import type { LatentModel } from "../objectives/sgvb.ts";
import { concat, full } from "../tensor/functions.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Where a latent site of a plate's element lies in its unconstrained vector. */
export interface ElementSite {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** Of one element, unconstrained. */
  readonly shape: readonly number[];
}

/** The value of a site from unconstrained coordinates [rows, ...shape], with log |d value / d u| of each row where it is not 0. */
export type Transform = (
  site: RandomSite,
  u: Tensor,
  assignment: Assignment,
) => { readonly value: Tensor; readonly logJacobian: Tensor | null };

/** Sites on the whole real line are their own coordinates. */
export const identityTransform: Transform = (_site, u) => ({ value: u, logJacobian: null });

export const inPlate = (plate: string, { plates }: Pick<Term, "plates">): boolean => plates[0]?.name === plate;

/** A model traced at some elements of a plate. */
export interface PlateTrace {
  readonly model: TracedModel;
  readonly terms: readonly Term[];
  readonly plate: string;
  /** How many elements, each as often as it has draws. */
  readonly rows: number;
  readonly draws: number;
  readonly sites: readonly ElementSite[];
  readonly transform: Transform;
  /** Values of the latent sites outside of the plate, parameters among them. */
  readonly outside: Readonly<Record<string, Tensor>>;
}

/** The traced model with its sites outside of the plate at their values. */
export function assignOutside({ model, outside }: Pick<PlateTrace, "model" | "outside">): Assignment {
  const assignment = new Assignment(model);
  for (const site of latentSites(model)) if (outside[site.name]) assignment.set(site, outside[site.name]!);
  return assignment;
}

/** Everything of a row but its first axis summed. */
const byRow = (x: Tensor): Tensor => (x.shape.length > 1 ? x.sum(x.shape.map((_, d) => d).slice(1)) : x);

/**
 * The elements of a plate as SGVB takes them: log p(z_i given θ) and log p(x_i given z_i, θ) as functions of the unconstrained
 * z, [rows, latent].
 */
export function plateModel(trace: PlateTrace): LatentModel {
  const { model, terms, plate, rows, sites, transform } = trace;
  const bySite = new Map(latentSites(model).map((site) => [site.name, site]));
  const own = terms.filter((term) => inPlate(plate, term));

  const assigned = (z: Tensor): { assignment: Assignment; logJacobians: Tensor[] } => {
    const assignment = assignOutside(trace);
    const logJacobians: Tensor[] = [];
    for (const { name, offset, size, shape } of sites) {
      const u = size === z.shape[1] ? z : z.narrow(1, offset, size);
      const site = bySite.get(name)!;
      const { value, logJacobian } = transform(site, u.reshape([rows, ...shape]), assignment);
      assignment.set(site, value);
      if (logJacobian) logJacobians.push(byRow(logJacobian));
    }
    assignment.closeChains();
    return { assignment, logJacobians };
  };
  const logProbs = (z: Tensor, prior: boolean): Tensor => {
    const used = own.filter(({ kind }) => (kind === "sample") === prior);
    const { assignment, logJacobians } = assigned(z);
    const each = assignment.of(used.map((t) => t.logProb)).map((logProb, i) => {
      const { scale, copies } = used[i]!;
      const all = byRow(counted(logProb, copies));
      return scale === 1 ? all : all.mul(scale);
    });
    const all = prior ? [...each, ...logJacobians] : each;
    return all.length ? all.reduce((sum, x) => sum.add(x)) : full(z, [rows], 0);
  };
  return {
    logPrior: (z) => logProbs(z, true),
    logLikelihood: (z) => logProbs(z, false),
    gaussianPrior: gaussianPrior(trace, bySite),
  };
}

/** p(z_i) where it is a Gaussian of independent coordinates that depends on nothing in the plate but data. */
function gaussianPrior(trace: PlateTrace, bySite: ReadonlyMap<string, RandomSite>): LatentModel["gaussianPrior"] {
  const { model, terms, plate, rows, draws, sites } = trace;
  const latents = new Set<Node>(sites.map(({ name }) => bySite.get(name)!.value.node));
  const sampled = terms.filter((term) => term.kind === "sample" && inPlate(plate, term));
  // Sites that were summed out leave terms of several sites.
  if (sampled.length !== sites.length) return null;
  const parts: DiagonalGaussian[] = [];
  for (const { name } of sites) {
    const { family, params, support, scale } = bySite.get(name)!;
    const gaussian = support.kind === "real" && scale === 1 ? family?.gaussian?.(params) : null;
    if (!gaussian) return null;
    if (dependents([gaussian.mean.node, gaussian.logSd.node], latents).size) return null;
    parts.push(gaussian);
  }
  if (parts.every(({ mean, logSd }) => isZero(mean.node) && isZero(logSd.node))) return "standard";
  const assignment = assignOutside({ model, outside: trace.outside });
  const joined = (key: keyof DiagonalGaussian): Tensor => {
    const values = assignment.of(parts.map((part) => part[key])).map((x, i) => x.reshape([rows, sites[i]!.size]));
    const all = values.length === 1 ? values[0]! : concat(values, 1);
    return ofAnyRow(all) ?? (draws === 1 ? all : all.narrow(0, 0, rows / draws));
  };
  return { mean: joined("mean"), logSd: joined("logSd") };
}

const isZero = ({ op, inputs, attrs }: Node): boolean =>
  op === "const" ? attrs.value === 0 : (op === "broadcast" || op === "reshape") && isZero(inputs[0]!);

/** What is the same in all rows, once; null for what is not. */
function ofAnyRow(x: Tensor): Tensor | null {
  let { node } = x;
  while (node.op === "reshape" && node.inputs[0]!.shape.join() === node.shape.join()) node = node.inputs[0]!;
  const [inner] = node.inputs;
  const repeats = node.op === "broadcast" && inner!.shape.join() === node.shape.slice(1).join();
  return repeats ? new Tensor(x.trace, inner!) : null;
}
