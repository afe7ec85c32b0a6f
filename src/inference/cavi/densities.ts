import type { Params } from "../../distributions/distribution.ts";
import { LOG_2PI, logNormalCdf } from "../../distributions/normal-cdf.ts";
import { iota } from "../../tensor/functions.ts";
import * as linalg from "../../tensor/linalg.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { distances } from "./distances.ts";
import { add, collapse, type Form, isKnown, type Leaf, leavesText, negate, power } from "./form.ts";
import { allocated, covariance, logOf, logsOfProbability, meanOf, type Product, productsOf, type Relative, type Statistics } from "./moments.ts"; // biome-ignore format: one import
import {
  type Axis,
  along,
  contract,
  elementwise,
  type Label,
  labelKey,
  map,
  type Named,
  newAxis,
  plus,
  resolve,
  scalar,
  union,
} from "./named.ts";
import { NotConjugate } from "./not-conjugate.ts";
import type { Reader } from "./read.ts";

/** How terms are read that are conjugate only under a bound. */
export interface Bounds {
  /** Of bernoulli({ logits }): the quadratic bound of Jaakkola and Jordan 2000. Default null: such a term is refused. */
  readonly logistic: "jaakkola-jordan" | null;
  /** Sums over many pairs of looked-up logarithms by tables of exponentials: NaN where such a sum underflows. Default false. */
  readonly tables?: boolean;
}

/** One site's term, its batch axes labelled. */
export interface TermContext {
  readonly q: Statistics;
  readonly reader: Reader;
  readonly bounds: Bounds;
  readonly value: Tensor;
  readonly params: Params;
  readonly labels: readonly Label[];
  readonly like: Tensor;
}

/** Factors of one addend of E log p; the addend is the sum of their product over all axes. */
export type Addend = readonly Named[];

const at = (c: TermContext, name: string, ...events: readonly Label[]): Form =>
  c.reader.read(c.params[name]!, [...c.labels, ...events]);
const valueAt = (c: TermContext, ...events: readonly Label[]): Form => c.reader.read(c.value, [...c.labels, ...events]);
const times = (c: TermContext, by: number): Named => scalar(c.like, by);
const has = (c: TermContext, name: string): boolean => Object.hasOwn(c.params, name);

/** A parameter or value that must be data or decided by discrete sites. */
function fixed(form: Form, what: string): Named {
  if (!isKnown(form)) throw new NotConjugate(`its ${what} depends on ${leavesText(form)}`);
  return collapse(form);
}

const logValue = (c: TermContext, form: Form): Named => {
  const log = logOf(c.q, form) ?? (isKnown(form) ? map(collapse(form), (t) => t.log()) : null);
  if (!log) throw new NotConjugate(`it needs the logarithm of a sum that holds ${leavesText(form)}`);
  return log;
};

const valueOf = ({ factors, sums }: Product): Named =>
  contract(
    factors,
    union(factors.map((f) => f.axes)).filter((a) => !sums.includes(a)),
    sums,
  );

/** −½ E[τ r²] + ½ E log τ − ½ log 2π for a residual r = x − mean: the mean squared, and all its covariances. */
function gaussian(c: TermContext, residual: Form, precision: Form): Addend[] {
  const { q, like } = c;
  const log = logValue(c, precision);
  const mean = meanOf(q, residual, like);
  const square = map(mean, (t) => t.square());
  const addends: Addend[] = [[times(c, 0.5), log], [times(c, -0.5 * LOG_2PI)]];
  for (const p of productsOf(q, precision)) addends.push([times(c, -0.5), ...p.factors, square]);
  for (const v of covariance(q, residual, residual)) {
    for (const p of productsOf(q, v.relativeTo ? without(precision, v.relativeTo) : precision)) {
      addends.push([times(c, -0.5), ...p.factors, ...v.factors]);
    }
  }
  return addends;
}

/** A precision without the site that a covariance is relative to: E[τ · C/τ] = C. */
function without(precision: Form, { site, labels }: Relative): Form {
  const [term, ...others] = precision.terms;
  const same = (l: Leaf) => labels.every((label, p) => labelKey(label) === labelKey(l.labels[p]!));
  const leaf = term?.leaves.find((l) => l.site === site && Math.abs(l.power) === 1 && same(l));
  if (!leaf || others.length)
    throw new NotConjugate(`it holds a site whose precision is "${site}", but has another one`);
  return { terms: [{ ...term!, leaves: term!.leaves.filter((l) => l !== leaf) }] };
}

/** A precision that must be one product. */
function precisionOf(c: TermContext, sd: Form): Form {
  const precision = power(sd, -2);
  for (const leaf of precision.terms.flatMap((t) => t.leaves)) {
    const s = c.q.sites[leaf.site]!;
    if (Math.abs(leaf.power) === 1 || (s.kind === "positive" && s.power === leaf.power)) continue;
    throw new NotConjugate(
      `its sd is a function of "${leaf.site}" by which the precision is ${leaf.site}^${leaf.power}: for a conjugate term the ` +
        "precision itself has a gamma prior, and sd = precision ** −½, or the variance an inverse gamma one",
    );
  }
  return precision;
}

function multivariateNormal(c: TermContext): Addend[] {
  const { q, like, reader } = c;
  const n = c.value.shape.at(-1)!;
  const [d, e] = [newAxis(n), newAxis(n)];
  const residual = (axis: Axis) => add(valueAt(c, along(axis)), negate(like, at(c, "mean", along(axis))));
  const [left, right] = [residual(d), residual(e)];
  let precision: Form;
  let logDet: Named;
  const name = ["precision", "covariance", "cholesky"].find((k) => has(c, k))!;
  const { tensor, labels } = name === "precision" && reader.isRandom(c.params[name]!.node) ? { tensor: null, labels: [] } : reader.peel(c.params[name]!, [...c.labels, along(d), along(e)]); // biome-ignore format: one line
  if (tensor) {
    if (labels.at(-1)?.kind !== "axis" || labels.at(-2)?.kind !== "axis") throw new NotConjugate(`its ${name} is looked up by elements`); // biome-ignore format: short
    const lower = name === "cholesky" ? tensor : linalg.cholesky(tensor);
    const sign = name === "precision" ? 1 : -1;
    const matrix = name === "precision" ? tensor : linalg.inverseFromCholesky(lower);
    precision = { terms: [{ factors: [resolve(matrix, labels)], leaves: [], sums: [] }] };
    logDet = resolve(linalg.logDetCholesky(lower).mul(sign), labels.slice(0, -2));
  } else {
    precision = at(c, "precision", along(d), along(e));
    logDet = expectedLogDet(c, precision, n, d, e);
  }
  const addends: Addend[] = [[times(c, 0.5), logDet], [times(c, -0.5 * n * LOG_2PI)]];
  const parts = { value: valueAt(c, along(d)), mean: at(c, "mean", along(d)), precision };
  const square = distances(q, like, parts, d, e);
  if (square) addends.push([times(c, -0.5), square]);
  else {
    const [meanLeft, meanRight] = [meanOf(q, left, like), meanOf(q, right, like)];
    for (const p of productsOf(q, precision)) addends.push([times(c, -0.5), ...p.factors, meanLeft, meanRight]);
  }
  for (const v of covariance(q, left, right)) {
    const relative = v.relativeTo;
    const rest = relative ? productsOf(q, without(precision, relative)) : productsOf(q, precision);
    // tr(Λ · c Λ⁻¹) = n c
    const isMatrix = relative && q.sites[relative.site]!.kind === "matrix";
    const own = relative?.events[0]?.map(labelKey).join();
    if (isMatrix && own !== [along(d), along(e)].map(labelKey).join())
      throw new NotConjugate("its mean mixes elements");
    const trace = isMatrix ? [times(c, n)] : [];
    for (const p of rest) addends.push([times(c, -0.5), ...trace, ...p.factors, ...v.factors]);
  }
  return addends;
}

/** E log |Λ| of a precision that is a number times one matrix site. */
function expectedLogDet(c: TermContext, precision: Form, n: number, d: Axis, e: Axis): Named {
  const [term, ...others] = precision.terms;
  const leaf = term!.leaves.find((l) => c.q.sites[l.site]!.kind === "matrix");
  const s = leaf && c.q.sites[leaf.site]!;
  const rest = { ...term!, leaves: term!.leaves.filter((l) => l !== leaf) };
  const scalars = rest.factors.every((f) => !f.axes.includes(d) && !f.axes.includes(e));
  if (others.length || s?.kind !== "matrix" || term!.sums.length || leaf!.power !== 1 || !scalars) {
    throw new NotConjugate(`its precision is not a number times a matrix with a Wishart prior, but holds ${leavesText(precision)}`); // biome-ignore format: one line
  }
  const log = resolve(s.logDet, leaf!.labels.slice(0, -2));
  if (!rest.factors.length && !rest.leaves.length) return log;
  return plus(
    log,
    map(logValue(c, { terms: [rest] }), (t) => t.mul(n)),
  );
}

const lgamma = (x: Named): Named => map(x, (t) => t.lgamma());
const shifted = (x: Named, by: number): Named => map(x, (t) => t.add(by));
const join = (x: Named, y: Named, f: (a: Tensor, b: Tensor) => Tensor): Named =>
  elementwise([x, y], ([a, b]) => f(a!, b!));

/**
 * Whether a term is the prior of a positive or simplex-valued site. Such densities are taken relative to Π dx / x, here and in the
 * factor's entropy: E log p − E log q stays the same, and a shape of 1e-6 does not pass through 1e-6 − 1.
 */
function isPrior(c: TermContext, value: Form): boolean {
  const [leaf] = value.terms.flatMap((t) => t.leaves);
  if (!leaf) return false;
  const s = c.q.sites[leaf.site]!;
  return !("point" in s && s.point);
}

/** log p = a log b − lgamma(a) + (a − 1) log x − b x */
function gammaTerm(c: TermContext, shape: Form, rate: Form, value: Form): Addend[] {
  const a = fixed(shape, "shape");
  const log = logValue(c, value);
  const addends: Addend[] = [
    [a, logValue(c, rate)],
    [times(c, -1), lgamma(a)],
    [isPrior(c, value) ? a : shifted(a, -1), log],
  ];
  for (const b of productsOf(c.q, rate)) {
    for (const x of productsOf(c.q, value)) addends.push([times(c, -1), ...b.factors, ...x.factors]);
  }
  return addends;
}

/** E log of rates and probabilities that may be sums: each count is then allocated to the addends. */
const logOfPositive = (c: TermContext, form: Form): Named => logOf(c.q, form) ?? allocated(c.q, form, c.bounds.tables);

function bernoulliLogs(c: TermContext): { yes: Named; no: Named } | null {
  const form = at(c, "probs");
  return logsOfProbability(c.q, form, () => collapse(form));
}

/** E log p of each family that has one, by name, as addends. */
export const expectedLogDensities: Readonly<Record<string, (c: TermContext) => Addend[]>> = {
  normal: (c) => gaussian(c, add(valueAt(c), negate(c.like, at(c, "mean"))), precisionOf(c, at(c, "sd"))),
  multivariateNormal,
  gamma: (c) => gammaTerm(c, at(c, "shape"), at(c, "rate"), valueAt(c)),
  exponential: (c) =>
    gammaTerm(c, { terms: [{ factors: [times(c, 1)], leaves: [], sums: [] }] }, at(c, "rate"), valueAt(c)),
  // With y = 1/x: a log b − lgamma(a) + (a + 1) log y − b y
  inverseGamma: (c) => {
    const a = fixed(at(c, "shape"), "shape");
    const scale = at(c, "scale");
    const inverse = power(valueAt(c), -1);
    const addends: Addend[] = [
      [a, logValue(c, scale)],
      [times(c, -1), lgamma(a)],
      [isPrior(c, inverse) ? a : shifted(a, 1), logValue(c, inverse)],
    ];
    for (const b of productsOf(c.q, scale)) {
      for (const y of productsOf(c.q, inverse)) addends.push([times(c, -1), ...b.factors, ...y.factors]);
    }
    return addends;
  },
  beta: (c) => {
    const [a, b] = [fixed(at(c, "a"), "a"), fixed(at(c, "b"), "b")];
    const value = valueAt(c);
    const { yes, no } = logsOfProbability(c.q, value, () => collapse(value));
    const norm = join(a, b, (a, b) => a.add(b).lgamma().sub(a.lgamma()).sub(b.lgamma()));
    const prior = isPrior(c, value);
    return [[prior ? a : shifted(a, -1), yes], [prior ? b : shifted(b, -1), no], [norm]];
  },
  dirichlet: (c) => {
    const k = newAxis(c.value.shape.at(-1)!);
    const a = fixed(at(c, "concentration", along(k)), "concentration");
    const value = valueAt(c, along(k));
    const log = logValue(c, value);
    const full = map(join(a, iotaOf(c, k), (a, i) => a.add(i.mul(0))), (t) => t); // biome-ignore format: short
    const total = contract([full], full.axes.filter((x) => x !== k)); // biome-ignore format: short
    const norm = contract([lgamma(full)], full.axes.filter((x) => x !== k)); // biome-ignore format: short
    return [[isPrior(c, value) ? full : shifted(full, -1), log], [lgamma(total)], [times(c, -1), norm]];
  },
  wishart: (c) => {
    const n = c.value.shape.at(-1)!;
    const [d, e] = [newAxis(n), newAxis(n)];
    const df = fixed(at(c, "df"), "df");
    const { tensor, labels } = c.reader.peel(c.params.scale!, [...c.labels, along(d), along(e)]);
    const lower = linalg.cholesky(tensor);
    const inverse = resolve(linalg.inverseFromCholesky(lower), labels);
    const logDetScale = resolve(linalg.logDetCholesky(lower), labels.slice(0, -2));
    const value = valueAt(c, along(d), along(e));
    const log = expectedLogDet(c, value, n, d, e);
    const norm = join(df, logDetScale, (v, l) =>
      v.mul(n * Math.LN2).add(v.mul(l)).mul(-0.5).sub(multivariateLogGamma(v.mul(0.5), n))); // biome-ignore format: short
    const addends: Addend[] = [[map(df, (t) => t.sub(n + 1).mul(0.5)), log], [norm]];
    for (const x of productsOf(c.q, value)) addends.push([times(c, -0.5), inverse, ...x.factors]);
    return addends;
  },
  bernoulli: (c) => {
    const y = fixed(valueAt(c), "value");
    if (has(c, "logits")) return logistic(c, y);
    const probit = c.reader.probit(c.params.probs!, c.labels);
    if (probit && !isKnown(probit)) return albertChib(c, y, probit);
    const { yes, no } = bernoulliLogs(c)!;
    return chosen(c, y, yes, no);
  },
  binomial: (c) => {
    const x = fixed(valueAt(c), "value");
    const total = fixed(at(c, "total"), "total");
    if (has(c, "logits"))
      throw new NotConjugate("a binomial by logits is not conjugate to anything: give probs with a beta prior");
    const { yes, no } = bernoulliLogs(c)!;
    const choose = join(total, x, (n, k) => n.add(1).lgamma().sub(k.add(1).lgamma()).sub(n.sub(k).add(1).lgamma())); // biome-ignore format: the formula
    return [[x, yes], [join(total, x, (n, k) => n.sub(k)), no], [choose]];
  },
  categorical: (c) => {
    const label = c.reader.index(c.value.node, c.labels);
    if (has(c, "logits")) {
      const k = newAxis(c.params.logits!.shape.at(-1)!);
      const all = fixed(at(c, "logits", along(k)), "logits");
      const norm = all.axes.includes(k) ? { tensor: all.tensor.logsumexp(all.axes.indexOf(k)), axes: all.axes.filter((a) => a !== k) } : map(all, (t) => t.add(Math.log(k.size))); // biome-ignore format: short
      return [[fixed(at(c, "logits", label), "logits")], [times(c, -1), norm]];
    }
    return [[logOfPositive(c, at(c, "probs", label))]];
  },
  multinomial: (c) => {
    const v = newAxis(c.value.shape.at(-1)!);
    const x = fixed(valueAt(c, along(v)), "value");
    const total = fixed(at(c, "total"), "total");
    if (has(c, "logits")) throw new NotConjugate("a multinomial by logits is not conjugate to anything: give probs with a dirichlet prior"); // biome-ignore format: one line
    return [
      [x, logOfPositive(c, at(c, "probs", along(v)))],
      [map(total, (t) => t.add(1).lgamma())],
      [times(c, -1), map(x, (t) => t.add(1).lgamma())],
    ];
  },
  poisson: (c) => {
    const x = fixed(valueAt(c), "value");
    if (has(c, "logRate")) throw new NotConjugate("a poisson by logRate is not conjugate to anything: give a rate with a gamma prior"); // biome-ignore format: one line
    const rate = at(c, "rate");
    const addends: Addend[] = [
      [x, logOfPositive(c, rate)],
      [times(c, -1), map(x, (t) => t.add(1).lgamma())],
    ];
    for (const p of productsOf(c.q, rate)) addends.push([times(c, -1), ...p.factors]);
    return addends;
  },
};

const iotaOf = (c: TermContext, k: Axis): Named => ({ tensor: iota(c.like, [k.size], 0, "f64"), axes: [k] });

/** log Γ_n(x) = n (n − 1) / 4 log π + Σ_i lgamma(x − i / 2) */
export function multivariateLogGamma(x: Tensor, n: number): Tensor {
  let sum = x.mul(0).add(0.25 * n * (n - 1) * Math.log(Math.PI));
  for (let i = 0; i < n; i++) sum = sum.add(x.sub(0.5 * i).lgamma());
  return sum;
}

const chosen = (_c: TermContext, y: Named, yes: Named, no: Named): Addend[] => [
  [y, yes],
  [map(y, (t) => t.neg().add(1)), no],
];

const varianceOf = (c: TermContext, form: Form): Named | null => {
  const parts = covariance(c.q, form, form);
  if (parts.some((p) => p.relativeTo)) throw new NotConjugate("a site whose precision is latent stands in it");
  return parts.length ? parts.map(valueOf).reduce((a, b) => plus(a, b)) : null;
};

/**
 * E log of P(y | η) = Φ(±η) with u ~ N(η, 1) of the sign of ±1 in a factor of its own, a truncated normal (Albert and Chib 1993):
 * log Φ(±E η) − ½ Var η at its optimum.
 */
function albertChib(c: TermContext, y: Named, eta: Form): Addend[] {
  const mean = meanOf(c.q, eta, c.like);
  const variance = varianceOf(c, eta);
  const sign = map(y, (t) => t.mul(2).sub(1));
  const log = join(sign, mean, (s, m) => logNormalCdf(s.mul(m)));
  return [[log], ...(variance ? [[times(c, -0.5), variance]] : [])];
}

/** log σ(±η) ≥ (y − ½) E η − log 2 cosh(ξ / 2) at ξ² = E η² (Jaakkola and Jordan 2000, eq. 7, at its best ξ). */
function logistic(c: TermContext, y: Named): Addend[] {
  const eta = at(c, "logits");
  if (isKnown(eta)) {
    const logits = collapse(eta);
    return [[join(y, logits, (y, l) => y.mul(-2).add(1).mul(l).softplus().neg())]];
  }
  if (c.bounds.logistic !== "jaakkola-jordan") throw new NotConjugate(`its logits depend on ${leavesText(eta)}, and a logistic likelihood is conjugate to nothing`); // biome-ignore format: one line
  const mean = meanOf(c.q, eta, c.like);
  const variance = varianceOf(c, eta);
  const square = variance ? join(mean, variance, (m, v) => m.square().add(v)) : map(mean, (t) => t.square());
  // log 2 cosh(ξ/2) = ξ/2 + log(1 + e^−ξ)
  const bound = map(square, (t) => {
    const xi = t.sqrt();
    return xi.mul(0.5).add(xi.neg().softplus()).neg();
  });
  return [[map(y, (t) => t.sub(0.5)), mean], [bound]];
}

export const familiesWithExpectations = (): string => Object.keys(expectedLogDensities).join(", ");
