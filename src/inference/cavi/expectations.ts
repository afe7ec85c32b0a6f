import { full, stack } from "../../tensor/functions.ts";
import * as linalg from "../../tensor/linalg.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { hermiteRule } from "../ep/hermite.ts";
import { layoutOf } from "./blocks/layout.ts";
import { collapse, type Form, isKnown, known, leavesText } from "./form.ts";
import type { GradientSite, GradientSites } from "./gradient-sites.ts";
import { covariance, meanOf, type Statistics } from "./moments.ts";
import {
  type Axis,
  along,
  contract,
  elementwise,
  type Label,
  map,
  type Named,
  newAxis,
  plus,
  resolve,
  union,
} from "./named.ts";
import { NotConjugate } from "./not-conjugate.ts";

/** Nodes of the Gauss–Hermite rule: exact for polynomials up to degree 63. */
const NODES = 32;

/** Standard normal numbers for the factor of this name, [draws, ...batch, n]. */
export type Noise = (factor: string, shape: readonly number[]) => Tensor;

/**
 * Values that functions of gradient sites take under q, along axes of their own with weights that sum to 1. By quadrature each Gaussian
 * form η that a function is taken of becomes E η + sd η · node; by draws the sites themselves become their values in each draw.
 */
export class Expectations {
  /** The weights of each axis that was made. */
  readonly weights: Named[] = [];
  /** Which sites were looked at by their moments; those of an axis must not be. */
  readonly seen = new Set<string>();
  /** The statistics, for the rows to read: what they look at is noted. */
  readonly q: Statistics;
  private readonly made: { readonly axis: Axis; readonly sites: readonly string[] }[] = [];
  private readonly given: Statistics;
  private readonly sites: GradientSites;
  private readonly like: Tensor;
  readonly drawn: { readonly axis: Axis; readonly noise: Noise } | null;
  private readonly values = new Map<string, Tensor>();

  constructor(like: Tensor, q: Statistics, sites: GradientSites, by: { draws: number; noise: Noise } | "quadrature") {
    this.like = like;
    this.given = q;
    this.sites = sites;
    this.q = { ...q, seen: (site) => this.seen.add(site) };
    this.drawn = null;
    if (by === "quadrature") return;
    const axis = newAxis(by.draws);
    this.drawn = { axis, noise: by.noise };
    this.weights.push({ tensor: full(like, [by.draws], 1 / by.draws, "f64"), axes: [axis] });
  }

  has(site: string): boolean {
    return this.sites.has(site);
  }

  /** What a gradient site is to the reader. */
  site(name: string, labels: readonly Label[]): Form {
    const site = this.sites.get(name)!;
    if (site.point) return known(resolve(this.valueOf(site), labels));
    if (this.drawn) return known(resolve(this.constrainedDraws(site), [along(this.drawn.axis), ...labels]));
    const leaf: Form = { terms: [{ factors: [], leaves: [{ site: name, previous: false, labels, power: 1 }], sums: [] }] }; // biome-ignore format: one line
    if (site.identity) return leaf;
    this.refuseVector(site);
    return known(map(this.nodes(leaf), (u) => site.bijector.forward(u)));
  }

  /** The values that a form takes, where all that is latent in it are gradient sites. */
  nodes(form: Form): Named {
    if (isKnown(form)) return collapse(form);
    const leaves = form.terms.flatMap((t) => t.leaves);
    const other = leaves.find((l) => !this.has(l.site));
    if (other) {
      throw new NotConjugate(
        `"${other.site}" stands in a function with a site that is given to gradients: give it to them too`,
      );
    }
    if (form.terms.some((t) => t.leaves.length > 1 || t.leaves.some((l) => l.power !== 1)))
      throw new NotConjugate(`a function is taken of a product of ${leavesText(form)}`);
    const mean = meanOf(this.given, form, this.like);
    const parts = covariance(this.given, form, form).map(({ factors, sums }) =>
      contract(
        factors,
        union(factors.map((f) => f.axes)).filter((a) => !sums.includes(a)),
        sums,
      ),
    );
    const nodes = this.rule([...new Set(leaves.map((l) => l.site))]);
    const variance = parts.reduce((a, b) => plus(a, b));
    return elementwise([mean, variance, nodes], ([m, v, t]) => m!.add(v!.add(LEAST).sqrt().mul(t!)));
  }

  /** @throws NotConjugate where one addend would see a site in two ways that depend on one another */
  check(): void {
    const all = this.made.flatMap((m) => m.sites);
    const twice = all.find((site, i) => all.indexOf(site) !== i || this.seen.has(site));
    if (twice) throw new NotConjugate(`it sees "${twice}" through more than one number`);
  }

  /** E log |dx/du| summed over a site's elements, for its density on the unconstrained scale. */
  logJacobian(site: GradientSite): Tensor {
    const { bijector, shape, name } = site;
    if (this.drawn) {
      const u = this.draws(site);
      return bijector.logJacobian(u, bijector.forward(u)).sum().div(u.shape[0]!);
    }
    this.refuseVector(site);
    const axes = shape.map(newAxis);
    const labels = axes.map((a) => along(a));
    const u = this.nodes({ terms: [{ factors: [], leaves: [{ site: name, previous: false, labels, power: 1 }], sums: [] }] }); // biome-ignore format: one line
    return contract([map(u, (t) => bijector.logJacobian(t, bijector.forward(t))), ...this.weights], []).tensor;
  }

  /** Values of a gradient site in each draw, [draws, ...constrained]. */
  constrainedDraws(site: GradientSite): Tensor {
    if (site.point) return this.valueOf(site).broadcastTo([this.drawn!.axis.size, ...site.point]);
    const u = this.draws(site);
    return site.identity ? u : site.bijector.forward(u);
  }

  /** The value of a parameter. */
  private valueOf({ name, bijector }: GradientSite): Tensor {
    const s = this.given.sites[name]!;
    if (s.kind !== "gaussian") throw new NotConjugate(`"${name}" is not at one value`);
    return bijector.forward(s.mean);
  }

  /** [draws, ...unconstrained], as the mean and a root of the covariance have it. */
  private draws({ name, shape }: GradientSite): Tensor {
    const before = this.values.get(name);
    if (before) return before;
    const s = this.given.sites[name]!;
    if (s.kind !== "gaussian") throw new NotConjugate(`"${name}" has no Gaussian factor`);
    const layout = layoutOf({ site: name, shape, events: s.events });
    const all = s.group ? this.given.sites[s.group.name]! : s;
    if (all.kind !== "gaussian") throw new NotConjugate(`"${name}" has no Gaussian factor`);
    const mean = s.group ? all.mean : layout.flat(all.mean);
    const n = mean.shape.at(-1)!;
    const spread = all.covariance.reshape([...mean.shape, n]);
    const root = n === 1 ? spread.sqrt() : linalg.cholesky(spread);
    const noise = this.drawn!.noise(s.group?.name ?? name, mean.shape);
    const rows = linalg.matvec(root, noise).add(mean);
    const own = s.group ? rows.narrow(mean.shape.length, s.group.offset, layout.n) : rows;
    const value = layout.wholeRows(own);
    this.values.set(name, value);
    return value;
  }

  private rule(sites: readonly string[]): Named {
    const axis = newAxis(NODES);
    const { nodes, logWeights } = hermiteRule(NODES);
    const row = (values: readonly number[]): Named => ({ tensor: stack(values.map((v) => full(this.like, [], v, "f64"))), axes: [axis] }); // biome-ignore format: one line
    this.made.push({ axis, sites });
    this.weights.push(row([...logWeights].map(Math.exp)));
    return row([...nodes]);
  }

  private refuseVector({ name, bijector }: GradientSite): void {
    if (bijector.eventRank) throw new NotConjugate(`the elements of "${name}" move together`);
  }
}

/** Keeps the slope of a root finite where a form does not vary at all. */
const LEAST = 1e-150;
