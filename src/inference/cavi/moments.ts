import type { Node } from "../../ir/node.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { collapse, type Form, fresh, isKnown, type Leaf, leavesText, renameTerm, type Term } from "./form.ts";
import {
  type Axis,
  axesOfLabel,
  contract,
  elementwise,
  indexOf,
  type Label,
  labelKey,
  map,
  multiply,
  type Named,
  plus,
  resolve,
  scalar,
  union,
} from "./named.ts";
import { NotConjugate } from "./not-conjugate.ts";

/**
 * Expected sufficient statistics of a latent site under q. `events` are the positions of the site's axes that q holds jointly;
 * covariances have the shape [...the other axes, ...events, ...events].
 */
export type SiteStatistics =
  | {
      readonly kind: "gaussian";
      readonly mean: Tensor;
      readonly covariance: Tensor;
      readonly events: readonly number[];
      /** The precision that the covariance is relative to: q(x | τ) has the covariance C / τ (or c Λ⁻¹, C = c then). */
      readonly relativeTo: { readonly site: string; readonly positions: readonly number[] } | null;
      /** Of the state of a chain: the states before each step, and Cov(x_t, x_{t−1}). */
      readonly before: { readonly mean: Tensor; readonly covariance: Tensor; readonly cross: Tensor } | null;
      /**
       * Of sites in one factor: its name, where this one's elements begin in it, and Cov with those after it, [...shared plates,
       * ...events, ...the other's events].
       */
      readonly group?: {
        readonly name: string;
        readonly offset: number;
        readonly cross: Readonly<Record<string, Tensor>>;
      };
    }
  /** E x^power and E log x; `point`: of a parameter that is estimated, whose density is one by dx. */
  | {
      readonly kind: "positive";
      readonly mean: Tensor;
      readonly log: Tensor;
      readonly power: number;
      readonly point?: true;
    }
  | { readonly kind: "simplex"; readonly log: Tensor; readonly point?: true }
  | { readonly kind: "unit"; readonly log: Tensor; readonly log1m: Tensor; readonly point?: true }
  /** E X^power and E log |X| */
  | { readonly kind: "matrix"; readonly mean: Tensor; readonly logDet: Tensor; readonly power: 1 | -1 }
  | {
      readonly kind: "discrete";
      readonly probs: Tensor;
      /** Of the state of a chain: probabilities of the state before, and of both together [..., before, after]. */
      readonly before: { readonly probs: Tensor; readonly pair: Tensor } | null;
      /** Of sites in one factor: the probabilities of all states together, [..., states of each of `sites`]. */
      readonly group?: { readonly name: string; readonly sites: readonly string[]; readonly table: Tensor };
    };

/** Elements of one site that a term brings together: they must not be updated apart. */
export type Coupled = (site: string, position: number) => void;

/** The statistics of all sites by name; `coupled` hears of elements that depend on one another. */
export interface Statistics {
  readonly sites: Readonly<Record<string, SiteStatistics>>;
  readonly coupled?: Coupled;
  /** Hears of the sites whose moments are looked at. */
  readonly seen?: (site: string) => void;
  /** Hears of Gaussian sites that are multiplied with one another. */
  readonly multiplied?: (sites: readonly string[]) => void;
}

/** That a covariance is relative to the precision `site`, seen at `labels`; `events`: where the Gaussian's own axes are seen. */
export interface Relative {
  readonly site: string;
  readonly labels: readonly Label[];
  readonly events: readonly (readonly [Label, Label])[];
}

/** Σ over `sums` of the product of the factors; `relativeTo`: a precision that the covariance in it is relative to. */
export interface Product {
  readonly factors: readonly Named[];
  readonly sums: readonly Axis[];
  readonly relativeTo: Relative | null;
}

const exponent = (p: number) => (p === 1 ? "" : `^${p}`);

/** E of a leaf: only what is declared to be a statistic of its site. */
function leafMean(q: Statistics, leaf: Leaf): Named {
  const { site, previous, labels, power } = leaf;
  const s = q.sites[site]!;
  q.seen?.(site);
  if (s.kind === "gaussian" && power === 1) return resolve(previous ? s.before!.mean : s.mean, labels);
  if (s.kind === "positive" && power === s.power) return resolve(s.mean, labels);
  if (s.kind === "matrix" && power === s.power) return resolve(s.mean, labels);
  const statistics = {
    gaussian: "x and x²",
    positive: s.kind === "positive" && s.power !== 1 ? `x^${s.power} and log x` : "x and log x",
    simplex: "log x",
    unit: "log x and log(1 − x)",
    matrix: s.kind === "matrix" && s.power === -1 ? "x⁻¹ and log |x|" : "x and log |x|",
    discrete: "its states' indicators",
  }[s.kind];
  throw new NotConjugate(
    `it needs E[${leaf.complement ? `1 − ${site}` : site}${exponent(power)}], but the statistics of "${site}" that its factor keeps are ${statistics}`,
  );
}

/** E log of a leaf. */
function leafLog(q: Statistics, leaf: Leaf): Named {
  const { site, labels, power, complement } = leaf;
  const s = q.sites[site]!;
  const log = s.kind === "unit" && complement ? s.log1m : s.kind === "positive" || s.kind === "simplex" || s.kind === "unit" ? s.log : null; // biome-ignore format: one line
  if (!log) throw new NotConjugate(`it needs E[log ${site}], which is no statistic of its factor`);
  return map(resolve(log, labels), (t) => (power === 1 ? t : t.mul(power)));
}

const isGaussian = (q: Statistics, leaf: Leaf) => q.sites[leaf.site]!.kind === "gaussian";

/** What q does not hold independent: a site, or the sites of one Gaussian factor. */
function factorOf(q: Statistics, { site }: Leaf): string {
  const s = q.sites[site]!;
  return s.kind === "gaussian" && s.group ? s.group.name : site;
}

/** Whether two labels never stand for the same element. */
const apart = (a: Label, b: Label): boolean =>
  (a.kind === "at" && b.kind === "at" && a.at !== b.at) ||
  (a.kind === "axis" && b.kind === "axis" && a.axis === b.axis && a.offset !== b.offset);

/** The mean of a product: that of each site's part, times one another, since q holds the sites independent. */
function termProducts(q: Statistics, term: Term): Product[] {
  const base: Product = { factors: [...term.factors], sums: term.sums, relativeTo: null };
  if (q.multiplied) {
    const gaussian = [...new Set(term.leaves.filter((l) => isGaussian(q, l)).map((l) => l.site))];
    if (gaussian.length > 1) q.multiplied(gaussian);
  }
  let products = [base];
  const done = new Set<Leaf>();
  for (const leaf of term.leaves) {
    if (done.has(leaf)) continue;
    done.add(leaf);
    const same = term.leaves.filter((l) => factorOf(q, l) === factorOf(q, leaf) && l !== leaf && !done.has(l));
    if (isGaussian(q, leaf) && leaf.power === 2 && !same.length) {
      const one = { ...leaf, power: 1 };
      const m = leafMean(q, one);
      const v = leafCovariance(q, one, one, term.sums);
      products = products.flatMap((p) => [
        { ...p, factors: [...p.factors, m, m] },
        ...(v ? [{ ...p, factors: [...p.factors, ...v.factors], relativeTo: v.relativeTo }] : []),
      ]);
      continue;
    }
    const mean = leafMean(q, leaf);
    if (!same.length) {
      products = products.map((p) => ({ ...p, factors: [...p.factors, mean] }));
      continue;
    }
    const [other] = same as [Leaf];
    if (same.length > 1) throw new NotConjugate(`it is of higher than second order in "${leaf.site}"`);
    done.add(other);
    const means = [mean, leafMean(q, other)];
    const distinct = leaf.site === other.site && leaf.labels.some((l, i) => apart(l, other.labels[i]!));
    if (!isGaussian(q, leaf) && !distinct) {
      throw new NotConjugate(`it holds a product of "${leaf.site}" with itself`);
    }
    const v = isGaussian(q, leaf) ? leafCovariance(q, leaf, other, term.sums) : null;
    if (!v && leaf.site === other.site)
      leaf.labels.forEach((l, i) => labelKey(l) === labelKey(other.labels[i]!) || q.coupled?.(leaf.site, i));
    products = products.flatMap((p) => [
      { ...p, factors: [...p.factors, ...means] },
      ...(v ? [{ ...p, factors: [...p.factors, ...v.factors], relativeTo: v.relativeTo }] : []),
    ]);
  }
  return products;
}

const valueOf = ({ factors, sums }: Product): Named => {
  const out = union(factors.map((f) => f.axes)).filter((a) => !sums.includes(a));
  return contract(factors, out, sums);
};

/** E of a polynomial, on the axes that it varies along. */
export function meanOf(q: Statistics, form: Form, like: Tensor): Named {
  const products = form.terms.flatMap((t) => termProducts(q, t));
  if (products.some((p) => p.relativeTo))
    throw new NotConjugate("it holds the square of a site whose precision is latent");
  const values = products.map(valueOf);
  return values.length ? values.reduce((a, b) => plus(a, b)) : scalar(like, 0);
}

export const productsOf = (q: Statistics, form: Form): Product[] => form.terms.flatMap((t) => termProducts(q, t));

interface LeafCovariance {
  readonly factors: readonly Named[];
  readonly relativeTo: Relative | null;
}

/** Cov of two elements of a Gaussian site, or of two sites in one factor; null where it is 0 for all. */
function leafCovariance(q: Statistics, a: Leaf, b: Leaf, sums: readonly Axis[]): LeafCovariance | null {
  const [s, t] = [q.sites[a.site]!, q.sites[b.site]!];
  if (s.kind !== "gaussian" || t.kind !== "gaussian")
    throw new NotConjugate(`it needs the variance of "${a.site}", which is no statistic of it`);
  const across = a.site === b.site ? null : s.group!.cross[b.site];
  if (across === undefined) return leafCovariance(q, b, a, sums);
  const { events, relativeTo } = s;
  const single = a.labels.map((_, p) => p).filter((p) => !events.includes(p));
  const masks: Named[] = [];
  let zero = false;
  for (const p of single) {
    const [la, lb] = [a.labels[p]!, b.labels[p]!];
    const summed = axesOfLabel(la).some((axis) => sums.includes(axis));
    if (labelKey(la) === labelKey(lb)) {
      if (summed) q.coupled?.(a.site, p);
      continue;
    }
    q.coupled?.(a.site, p);
    if (a.previous !== b.previous) {
      // While the factors are still being found, this may only mean that the axis is to be held jointly.
      if (q.coupled) return null;
      throw new NotConjugate(`it joins steps of "${a.site}" that are not neighbours`);
    }
    if (apart(la, lb)) zero = true;
    const [i, j] = [indexOf(s.mean, la), indexOf(s.mean, lb)];
    masks.push(elementwise([i, j], ([x, y]) => x!.eq(y!).cast("f64")));
  }
  if (zero) return null;
  const [first, second] = a.previous && !b.previous ? [b, a] : [a, b];
  const table =
    across ??
    (!first.previous && second.previous ? s.before!.cross : first.previous ? s.before!.covariance : s.covariance);
  const labels = [...single.map((p) => first.labels[p]!), ...events.map((p) => first.labels[p]!), ...t.events.map((p) => second.labels[p]!)]; // biome-ignore format: short
  const isMatrix = relativeTo !== null && q.sites[relativeTo.site]!.kind === "matrix";
  const relative = relativeTo && {
    site: relativeTo.site,
    labels: relativeTo.positions.map((p) => first.labels[p]!),
    events: across ? [] : events.map((p) => [first.labels[p]!, second.labels[p]!] as const),
  };
  const value = resolve(table, isMatrix ? labels.slice(0, single.length) : labels);
  return { factors: [value, ...masks], relativeTo: relative };
}

/** Axes that must be one and the same for two leaves to be the same element: the second's summed ones are renamed. */
function matching(q: Statistics, a: Leaf, b: Leaf, sums: readonly Axis[]): Map<Axis, Axis> {
  const to = new Map<Axis, Axis>();
  const s = q.sites[a.site]!;
  const events = s.kind === "gaussian" ? s.events : [];
  for (const [p, la] of a.labels.entries()) {
    const lb = b.labels[p]!;
    if (events.includes(p) || la.kind !== "axis" || lb.kind !== "axis") continue;
    if (la.axis !== lb.axis && la.offset === lb.offset && sums.includes(lb.axis)) to.set(lb.axis, la.axis);
  }
  return to;
}

/** Cov(f, g) as sums of products. Sites are independent under q, so each set of shared ones gives one. */
export function covariance(q: Statistics, f: Form, g: Form): Product[] {
  return f.terms.flatMap((s) => g.terms.flatMap((t) => termCovariance(q, s, t)));
}

function termCovariance(q: Statistics, s: Term, given: Term): Product[] {
  const t = fresh(given);
  const key = (l: Leaf) => factorOf(q, l);
  const shared = [...new Set(s.leaves.map(key))].filter((factor) => t.leaves.some((l) => key(l) === factor));
  if (!shared.length) return [];
  const of = (term: Term, factor: string) => {
    const found = term.leaves.filter((l) => key(l) === factor);
    if (found.length !== 1 || found[0]!.power !== 1)
      throw new NotConjugate(`it is of higher than second order in "${factor}"`);
    return found[0]!;
  };
  const result: Product[] = [];
  for (const term of [s, t]) {
    const factors = term.leaves.filter((l) => isGaussian(q, l)).map(key);
    const twice = factors.find((f, i) => factors.indexOf(f) !== i);
    if (twice) throw new NotConjugate(`it is of higher than second order in "${twice}"`);
  }
  for (let subset = 1; subset < 2 ** shared.length; subset++) {
    let [left, right] = [s, t];
    const chosen = shared.filter((_, i) => subset & (1 << i));
    for (const factor of chosen) {
      const to = matching(q, of(left, factor), of(right, factor), right.sums);
      if (to.size) right = renameTerm(right, to);
    }
    const parts = chosen.map((factor) =>
      leafCovariance(q, of(left, factor), of(right, factor), [...left.sums, ...right.sums]),
    );
    if (parts.some((p) => !p)) continue;
    const scaled = parts.flatMap((p) => p!.relativeTo ?? []);
    if (scaled.length > 1) throw new NotConjugate(`a product of "${chosen.join('" and "')}"`);
    const rest = [left, right].flatMap((term) => term.leaves.filter((l) => !chosen.includes(key(l))));
    result.push({
      factors: [
        ...left.factors,
        ...right.factors,
        ...parts.flatMap((p) => p!.factors),
        ...rest.map((l) => leafMean(q, l)),
      ],
      sums: [...new Set([...left.sums, ...right.sums])],
      relativeTo: scaled[0] ?? null,
    });
  }
  return result;
}

/** E log of a product: the sum of its logarithms; of one of several forms, that of each where it is the one. Null where the form is a sum. */
export function logOf(q: Statistics, form: Form): Named | null {
  if (form.cases) {
    const logs = form.cases.map(({ where, form }) => {
      const log = logOf(q, form);
      return log && multiply(where, log);
    });
    return logs.every((l) => l !== null) ? logs.reduce((a, b) => plus(a, b)) : null;
  }
  const [term, ...others] = form.terms;
  if (others.length || term!.sums.length) return null;
  return logOfTerm(q, term!);
}

/** In place of −∞, so that what has no probability, times how often it happened, which is never, is 0 and not NaN. */
export const LOG_OF_ZERO = -1e300;
/** log of numbers that are known. */
export const logOfKnown = (x: Tensor): Tensor => x.log().maximum(LOG_OF_ZERO);
/** Whether a bound is one: not where it is NaN or infinite, nor where something happened that has no probability. */
export const isBound = (elbo: number): boolean => Math.abs(elbo) < 1e200;

/** A number that is no bound, as it is told to people. */
export const boundText = (elbo: number): string => (elbo < 0 ? "−∞" : String(elbo));

/** E log of a product of sites and numbers. */
export function logOfTerm(q: Statistics, term: Term, ...others: readonly Named[]): Named {
  const logs = [...others, ...term.factors.map((f) => map(f, logOfKnown)), ...term.leaves.map((l) => leafLog(q, l))];
  return logs.reduce((a, b) => plus(a, b));
}

/** E log x and E log(1 − x) of a probability; of one of several forms, those of each where it is the one. */
export function logsOfProbability(q: Statistics, form: Form): { yes: Named; no: Named } {
  if (isKnown(form)) {
    const p = collapse(form);
    return { yes: map(p, logOfKnown), no: map(p, (t) => t.neg().log1p().maximum(LOG_OF_ZERO)) };
  }
  if (form.cases) {
    const parts = form.cases.map((c) => ({ where: c.where, ...logsOfProbability(q, c.form) }));
    const chosen = (which: "yes" | "no") => parts.map((p) => multiply(p.where, p[which])).reduce((a, b) => plus(a, b));
    return { yes: chosen("yes"), no: chosen("no") };
  }
  const [term, ...others] = form.terms;
  const [leaf] = term!.leaves;
  const s = leaf && q.sites[leaf.site]!;
  const isSite = !others.length && term!.leaves.length === 1 && s?.kind === "unit" && leaf!.power === 1;
  if (isSite && !term!.sums.length && term!.factors.every((f) => isIndicator(f.tensor.node))) {
    const [log, log1m] = leaf!.complement ? [s.log1m, s.log] : [s.log, s.log1m];
    return {
      yes: logOfTerm(q, { ...term!, leaves: [] }, resolve(log, leaf!.labels)),
      no: term!.factors.reduce(multiply, resolve(log1m, leaf!.labels)),
    };
  }
  throw new NotConjugate(`its probability is a function of ${leavesText(form)} that is not that site itself`);
}

/** Whether a tensor is seen to hold nothing but 0 and 1: what is compared, and the states of a binary site. */
function isIndicator({ op, dtype, inputs, attrs, shape }: Node): boolean {
  if (dtype === "bool") return true;
  if (op === "iota") return shape[attrs.axis as number]! <= 2;
  return ["cast", "broadcast", "reshape", "transpose"].includes(op) && isIndicator(inputs[0]!);
}
