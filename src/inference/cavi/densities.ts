import type { Family, Params } from "../../distributions/distribution.ts";
import { LOG_2PI, logNormalCdf } from "../../distributions/normal-cdf.ts";
import { iota, transpose, where } from "../../tensor/functions.ts";
import * as linalg from "../../tensor/linalg.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { allocated } from "./allocation.ts";
import { distances } from "./distances.ts";
import type { Expectations } from "./expectations.ts";
import { add, collapse, type Form, isKnown, known, type Leaf, leavesText, negate, power, type Term } from "./form.ts";
import { covariance, LOG_OF_ZERO, logOf, logOfKnown, logsOfProbability, meanOf, type Product, productsOf, type Relative, type Statistics } from "./moments.ts"; // biome-ignore format: one import
import {
  type Axis,
  aligned,
  along,
  axesOfLabel,
  contract,
  elementwise,
  type Label,
  labelKey,
  map,
  multiply,
  type Named,
  newAxis,
  plus,
  resolve,
  scalar,
  union,
} from "./named.ts";
import { inArgument, NotConjugate } from "./not-conjugate.ts";
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
  /** Where a site is given to gradients: the values that functions of it take. */
  readonly expectations: Expectations | null;
  /** Hears that the term is not its expectation but a bound on it, with a factor of its own at its optimum. */
  bounded(): void;
}

/** Factors of one addend of E log p; the addend is the sum of their product over all axes. */
export type Addend = readonly Named[];

export const at = (c: TermContext, name: string, ...events: readonly Label[]): Form =>
  inArgument(name, () => c.reader.read(c.params[name]!, [...c.labels, ...events]));
export const valueAt = (c: TermContext, ...events: readonly Label[]): Form =>
  c.reader.read(c.value, [...c.labels, ...events]);
export const times = (c: TermContext, by: number): Named => scalar(c.like, by);
export const has = (c: TermContext, name: string): boolean => Object.hasOwn(c.params, name);

/** A parameter or value that must be data or decided by discrete sites. */
export function fixed(c: TermContext, form: Form, what: string): Named {
  if (!isKnown(form) && c.expectations && leavesOf(form).some((l) => c.expectations!.has(l.site)))
    return c.expectations.nodes(form);
  if (!isKnown(form)) throw new NotConjugate(`its ${what} depends on ${leavesText(form)}`);
  return collapse(form);
}

/** Whether sites that are given to gradients stand in it. */
const isGiven = (c: TermContext, form: Form): boolean => leavesOf(form).some((l) => c.expectations?.has(l.site));

const leavesOf = (form: Form): Leaf[] => form.terms.flatMap((t) => [...t.leaves]);

export const logValue = (c: TermContext, form: Form): Named => {
  const log = logOf(c.q, form) ?? (isKnown(form) ? map(collapse(form), logOfKnown) : null);
  if (!log) throw new NotConjugate(`it needs the logarithm of a sum that holds ${leavesText(form)}`);
  return log;
};

const valueOf = ({ factors, sums }: Omit<Product, "relativeTo">): Named =>
  contract(
    factors,
    union(factors.map((f) => f.axes)).filter((a) => !sums.includes(a)),
    sums,
  );

/** −½ E[τ r²] + ½ E log τ − ½ log 2π for a residual r = x − mean. */
function gaussian(c: TermContext, residual: Form, precision: Form): Addend[] {
  const squares = squaresOf(c, residual, precision).map(({ factors }): Addend => [times(c, -0.5), ...factors]);
  return [[times(c, 0.5), logValue(c, precision)], [times(c, -0.5 * LOG_2PI)], ...squares];
}

/** E[τ r²] as a sum of products: the mean squared, and all covariances of the residual. */
function squaresOf(c: TermContext, residual: Form, precision: Form): Omit<Product, "relativeTo">[] {
  const { q, like } = c;
  const mean = meanOf(q, residual, like);
  const square = map(mean, (t) => t.square());
  const found = productsOf(q, precision).map(({ factors, sums }) => ({ factors: [...factors, square], sums }));
  for (const v of covariance(q, residual, residual)) {
    for (const p of productsOf(q, v.relativeTo ? without(precision, v.relativeTo) : precision)) {
      found.push({ factors: [...p.factors, ...v.factors], sums: [...p.sums, ...v.sums] });
    }
  }
  return found;
}

/** E[τ r²] of each element. */
export const weightedSquare = (c: TermContext, residual: Form, precision: Form): Named =>
  squaresOf(c, residual, precision).map(valueOf).reduce((a, b) => plus(a, b)); // biome-ignore format: short

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
export function precisionOf(c: TermContext, sd: Form): Form {
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
  /** Of a known matrix: R with Λ = Rᵀ R, on its axes and those of its rows and columns. */
  let root: Named | null = null;
  const name = ["precision", "covariance", "cholesky"].find((k) => has(c, k))!;
  const scaled = reader.isRandom(c.params[name]!.node) ? scaledMatrix(c, name, d, e) : null;
  const isOne = name === "covariance" && !scaled && isLatentMatrix(c, c.params[name]!, d, e);
  const { tensor, labels } = scaled || isOne || (name === "precision" && reader.isRandom(c.params[name]!.node)) ? { tensor: null, labels: [] } : reader.peel(c.params[name]!, [...c.labels, along(d), along(e)]); // biome-ignore format: one line
  if (tensor) {
    if (labels.at(-1)?.kind !== "axis" || labels.at(-2)?.kind !== "axis") throw new NotConjugate(`its ${name} is looked up by elements`); // biome-ignore format: short
    const found = precisionAs(name, tensor);
    precision = { terms: [{ factors: [resolve(found.precision, labels)], leaves: [], sums: [] }] };
    logDet = resolve(found.logDet, labels.slice(0, -2));
    root = resolve(found.root, [...labels.slice(0, -2), along(e), along(d)]);
  } else if (scaled) {
    const { matrix, scalar } = scaled;
    const found = precisionAs(name, matrix.tensor);
    const axes = matrix.axes.slice(0, -2);
    precision = {
      terms: [{ ...scalar, factors: [...scalar.factors, { tensor: found.precision, axes: matrix.axes }] }],
    };
    const log = map(logValue(c, { terms: [scalar] }), (t) => t.mul(n));
    logDet = plus({ tensor: found.logDet, axes }, log);
  } else {
    precision = power(at(c, name, along(d), along(e)), isOne ? -1 : 1);
    logDet = expectedLogDet(c, precision, n, d, e);
  }
  const addends: Addend[] = [[times(c, 0.5), logDet], [times(c, -0.5 * n * LOG_2PI)]];
  const parts = { value: valueAt(c, along(d)), mean: at(c, "mean", along(d)), precision };
  const square = distances(q, like, parts, d, e);
  if (square) addends.push([times(c, -0.5), square]);
  else if (root) {
    // |R r|² and not rᵀ Λ r: of a smooth Gaussian process Λ is 10⁸ and more, and its products with r cancel one another.
    const residualMean = meanOf(q, left, like);
    const kept = union([root.axes, residualMean.axes]).filter((a) => a !== d);
    addends.push([times(c, -0.5), map(contract([root, residualMean], kept), (t) => t.square())]);
  } else {
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

/** The precision matrix Λ, a root R of it with Λ = Rᵀ R, and log of its determinant, of a matrix that is given as a precision, a covariance or a Cholesky factor of one. */
function precisionAs(name: string, matrix: Tensor): { precision: Tensor; root: Tensor; logDet: Tensor } {
  const lower = name === "cholesky" ? matrix : linalg.cholesky(matrix);
  return {
    root:
      name === "precision"
        ? transpose(lower)
        : linalg.triangularSolve(lower, linalg.identity(lower, lower.shape.at(-1)!)),
    precision: name === "precision" ? matrix : linalg.inverseFromCholesky(lower),
    logDet: linalg.logDetCholesky(lower).mul(name === "precision" ? 1 : -1),
  };
}

/**
 * A parameter that is a known matrix times latent numbers: the matrix on its axes, [..., d, e], and what the precision has of the
 * numbers. Null where it is anything else.
 */
function scaledMatrix(c: TermContext, name: string, d: Axis, e: Axis): { matrix: Named; scalar: Term } | null {
  const { terms } = readOr(() => at(c, name, along(d), along(e))) ?? { terms: [] };
  const [term, ...others] = terms;
  if (!term?.leaves.length || others.length || term.sums.length) return null;
  const ofMatrix = (axes: readonly Axis[]) => axes.includes(d) || axes.includes(e);
  if (term.leaves.some((l) => l.labels.some((label) => ofMatrix(axesOfLabel(label))))) return null;
  const product = term.factors.filter((f) => ofMatrix(f.axes)).reduce<Named | null>((a, b) => (a ? multiply(a, b) : b), null); // biome-ignore format: one line
  if (!product?.axes.includes(d) || !product.axes.includes(e)) return null;
  const axes = [...product.axes.filter((a) => a !== d && a !== e), d, e];
  const numbers: Form = { terms: [{ ...term, factors: term.factors.filter((f) => !ofMatrix(f.axes)) }] };
  const [scalar] = power(numbers, { precision: 1, covariance: -1, cholesky: -2 }[name]!).terms;
  return { matrix: { tensor: aligned(product, axes), axes }, scalar: scalar! };
}

/** Whether a parameter is a number times one matrix site, of which −1 is then the inverse's power. */
function isLatentMatrix(c: TermContext, tensor: Tensor, d: Axis, e: Axis): boolean {
  const [term, ...others] = (readOr(() => c.reader.read(tensor, [...c.labels, along(d), along(e)])) ?? { terms: [] })
    .terms;
  const leaves = term?.leaves.filter((l) => c.q.sites[l.site]!.kind === "matrix") ?? [];
  return leaves.length === 1 && !others.length && !term!.sums.length;
}

/** A matrix, known or a number times a latent one, or its inverse; and E log of the determinant. */
function matrixAs(c: TermContext, given: Tensor, exponent: 1 | -1, d: Axis, e: Axis): { form: Form; logDet: Named } {
  const seen = [...c.labels, along(d), along(e)];
  if (c.reader.isRandom(given.node) && isLatentMatrix(c, given, d, e)) {
    const form = power(c.reader.read(given, seen), exponent);
    return { form, logDet: expectedLogDet(c, form, d.size, d, e) };
  }
  const { tensor, labels } = c.reader.peel(given, seen);
  const found = precisionAs(exponent === 1 ? "precision" : "covariance", tensor);
  return { form: known(resolve(found.precision, labels)), logDet: resolve(found.logDet, labels.slice(0, -2)) };
}

/** What is read, or null where it has no form. */
function readOr(read: () => Form): Form | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof NotConjugate) return null;
    throw error;
  }
}

/** E log |Λ| of a precision that is a number times one matrix site. */
function expectedLogDet(c: TermContext, precision: Form, n: number, d: Axis, e: Axis): Named {
  const [term, ...others] = precision.terms;
  const leaf = term!.leaves.find((l) => c.q.sites[l.site]!.kind === "matrix");
  const s = leaf && c.q.sites[leaf.site]!;
  const rest = { ...term!, leaves: term!.leaves.filter((l) => l !== leaf) };
  const scalars = rest.factors.every((f) => !f.axes.includes(d) && !f.axes.includes(e));
  if (others.length || s?.kind !== "matrix" || term!.sums.length || !scalars) {
    throw new NotConjugate(`its precision is not a number times a matrix with a Wishart prior, but holds ${leavesText(precision)}`); // biome-ignore format: one line
  }
  if (leaf!.power !== s.power) throw new NotConjugate(`it needs the inverse of "${leaf!.site}": a precision has a wishart prior, a covariance or the scale of a wishart an inverseWishart one`); // biome-ignore format: one line
  const log = map(resolve(s.logDet, leaf!.labels.slice(0, -2)), (t) => (s.power === 1 ? t : t.neg()));
  if (!rest.factors.length && !rest.leaves.length) return log;
  return plus(
    log,
    map(logValue(c, { terms: [rest] }), (t) => t.mul(n)),
  );
}

/** −½ tr(A B) */
const halfTraces = (c: TermContext, a: Form, b: Form): Addend[] =>
  productsOf(c.q, a).flatMap((p) => productsOf(c.q, b).map((r) => [times(c, -0.5), ...p.factors, ...r.factors]));

/** −(ν n/2) log 2 − log Γ_n(ν/2) */
const wishartNorm = (df: Named, n: number): Named =>
  map(df, (v) => v.mul(-0.5 * n * Math.LN2).sub(multivariateLogGamma(v.mul(0.5), n)));

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
export function gammaTerm(c: TermContext, shape: Form, rate: Form, value: Form): Addend[] {
  const a = fixed(c, shape, "shape");
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
function logOfPositive(c: TermContext, form: Form): Named {
  const log = logOf(c.q, form);
  if (log) return log;
  if (form.terms.some((t) => (c.reader.numberOf(t) ?? 1) < 0))
    throw new NotConjugate(`it needs the logarithm of a difference that holds ${leavesText(form)}`);
  if (!isKnown(form)) c.bounded();
  return allocated(c.q, form, c.bounds.tables);
}

const bernoulliLogs = (c: TermContext): { yes: Named; no: Named } => logsOfProbability(c.q, at(c, "probs"));

/** log of a probability, and of one less it, by known logits. */
function logsOfLogits(c: TermContext): { yes: Named; no: Named } {
  const logits = fixed(c, at(c, "logits"), "logits (probs with a beta prior are conjugate)");
  return { yes: map(logits, (t) => t.neg().softplus().neg()), no: map(logits, (t) => t.softplus().neg()) };
}

/** E log of a probability, and of one less it, by either parameter. */
export const chosenLogs = (c: TermContext): { yes: Named; no: Named } =>
  has(c, "logits") ? logsOfLogits(c) : bernoulliLogs(c);

/** log softmax of known logits at one label. */
function logSoftmax(c: TermContext, label: Label, else_: string): Named {
  const k = newAxis(c.params.logits!.shape.at(-1)!);
  const what = `logits (${else_})`;
  const all = fixed(c, at(c, "logits", along(k)), what);
  const norm = all.axes.includes(k) ? { tensor: all.tensor.logsumexp(all.axes.indexOf(k)), axes: all.axes.filter((a) => a !== k) } : map(all, (t) => t.add(Math.log(k.size))); // biome-ignore format: short
  return join(fixed(c, at(c, "logits", label), what), norm, (l, n) => l.sub(n));
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
    const a = fixed(c, at(c, "shape"), "shape");
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
    const value = valueAt(c);
    const { yes, no } = logsOfProbability(c.q, value);
    for (const [one, other, log, rest] of [
      ["a", "b", no, yes],
      ["b", "a", yes, no],
    ] as const) {
      const shape = at(c, other);
      if (c.reader.constant(c.params[one]!) !== 1 || isKnown(shape) || isGiven(c, shape)) continue;
      // Of beta(1, b) there remains log b + (b − 1) log(1 − x), which is conjugate to a gamma prior of b.
      const powers = productsOf(c.q, shape).map((p): Addend => [...p.factors, log]);
      return [[logValue(c, shape)], ...powers, isPrior(c, value) ? [rest] : [times(c, -1), log]];
    }
    const [a, b] = [fixed(c, at(c, "a"), "a"), fixed(c, at(c, "b"), "b")];
    const norm = join(a, b, (a, b) => a.add(b).lgamma().sub(a.lgamma()).sub(b.lgamma()));
    const prior = isPrior(c, value);
    return [[prior ? a : shifted(a, -1), yes], [prior ? b : shifted(b, -1), no], [norm]];
  },
  dirichlet: (c) => {
    const k = newAxis(c.value.shape.at(-1)!);
    const a = fixed(c, at(c, "concentration", along(k)), "concentration");
    const value = valueAt(c, along(k));
    const log = logValue(c, value);
    const full = map(join(a, iotaOf(c, k), (a, i) => a.add(i.mul(0))), (t) => t); // biome-ignore format: short
    const total = contract([full], full.axes.filter((x) => x !== k)); // biome-ignore format: short
    const norm = contract([lgamma(full)], full.axes.filter((x) => x !== k)); // biome-ignore format: short
    return [[isPrior(c, value) ? full : shifted(full, -1), log], [lgamma(total)], [times(c, -1), norm]];
  },
  // (ν − n − 1)/2 log|X| − ½ tr(S⁻¹ X) − ν/2 log|S| − (ν n/2) log 2 − log Γ_n(ν/2)
  wishart: (c) => {
    const n = c.value.shape.at(-1)!;
    const [d, e] = [newAxis(n), newAxis(n)];
    const df = fixed(c, at(c, "df"), "df");
    const [x, inverse] = [matrixAs(c, c.value, 1, d, e), matrixAs(c, c.params.scale!, -1, d, e)];
    return [
      [map(df, (t) => t.sub(n + 1).mul(0.5)), x.logDet],
      [map(df, (t) => t.mul(0.5)), inverse.logDet],
      ...halfTraces(c, inverse.form, x.form),
      [wishartNorm(df, n)],
    ];
  },
  // The same of X⁻¹ and S⁻¹, but −(ν + n + 1)/2 log|X|
  inverseWishart: (c) => {
    const n = c.value.shape.at(-1)!;
    const [d, e] = [newAxis(n), newAxis(n)];
    const df = fixed(c, at(c, "df"), "df");
    const [inverse, scale] = [matrixAs(c, c.value, -1, d, e), matrixAs(c, c.params.scale!, 1, d, e)];
    return [
      [map(df, (t) => t.add(n + 1).mul(0.5)), inverse.logDet],
      [map(df, (t) => t.mul(0.5)), scale.logDet],
      ...halfTraces(c, scale.form, inverse.form),
      [wishartNorm(df, n)],
    ];
  },
  bernoulli: (c) => {
    const y = fixed(c, valueAt(c), "value");
    if (has(c, "logits")) return logistic(c, y, at(c, "logits"));
    const logit = c.reader.logit(c.params.probs!, c.labels);
    if (logit) return logistic(c, y, logit);
    const probit = c.reader.probit(c.params.probs!, c.labels);
    if (probit && !isKnown(probit) && !leavesOf(probit).some((l) => c.expectations?.has(l.site)))
      return albertChib(c, y, probit);
    const { yes, no } = bernoulliLogs(c);
    return chosen(c, y, yes, no);
  },
  binomial: (c) => {
    const x = fixed(c, valueAt(c), "value");
    const total = fixed(c, at(c, "total"), "total");
    const { yes, no } = chosenLogs(c);
    // Of a total that is not known some values are fewer than came up: these are impossible, and count for nothing else.
    const possible = (f: (n: Tensor, k: Tensor) => Tensor, otherwise: number) =>
      join(total, x, (n, k) => where(n.ge(k), f(n.maximum(k), k), otherwise));
    const choose = possible((n, k) => n.add(1).lgamma().sub(k.add(1).lgamma()).sub(n.sub(k).add(1).lgamma()), LOG_OF_ZERO); // biome-ignore format: the formula
    return [[possible((_, k) => k, 0), yes], [possible((n, k) => n.sub(k), 0), no], [choose]];
  },
  categorical: (c) => {
    const label = c.reader.index(c.value.node, c.labels);
    if (has(c, "logits")) return [[logSoftmax(c, label, "probs with a dirichlet prior are conjugate")]];
    return [[logOfPositive(c, at(c, "probs", label))]];
  },
  multinomial: (c) => {
    const v = newAxis(c.value.shape.at(-1)!);
    const x = fixed(c, valueAt(c, along(v)), "value");
    const total = fixed(c, at(c, "total"), "total");
    return [
      [
        x,
        has(c, "logits")
          ? logSoftmax(c, along(v), "probs with a dirichlet prior are conjugate")
          : logOfPositive(c, at(c, "probs", along(v))),
      ],
      [map(total, (t) => t.add(1).lgamma())],
      [times(c, -1), map(x, (t) => t.add(1).lgamma())],
    ];
  },
  poisson: (c) => {
    const x = fixed(c, valueAt(c), "value");
    if (has(c, "logRate")) return poissonByLog(c, x);
    const rate = at(c, "rate");
    const addends: Addend[] = [
      [x, logOfPositive(c, rate)],
      [times(c, -1), map(x, (t) => t.add(1).lgamma())],
    ];
    for (const p of productsOf(c.q, rate)) addends.push([times(c, -1), ...p.factors]);
    return addends;
  },
};

/** x η − e^η − log x!, by E e^η = exp(E η + ½ Var η) of a Gaussian form. */
function poissonByLog(c: TermContext, x: Named): Addend[] {
  const eta = at(c, "logRate");
  const leaves = leavesOf(eta);
  const factorial: Addend = [times(c, -1), map(x, (t) => t.add(1).lgamma())];
  const known = isKnown(eta);
  if (!known && !leaves.every((l) => c.expectations?.has(l.site)))
    throw new NotConjugate(`its log rate depends on ${leavesText(eta)}: give a rate with a gamma prior`);
  if (!known && eta.terms.some((t) => t.leaves.length > 1 || t.leaves.some((l) => l.power !== 1)))
    throw new NotConjugate("its log rate is no linear form");
  const mean = known ? collapse(eta) : meanOf(c.q, eta, c.like);
  const variance = known ? null : varianceOf(c, eta);
  const rate = variance ? join(mean, variance, (m, v) => m.add(v.mul(0.5)).exp()) : map(mean, (t) => t.exp());
  return [[x, mean], [times(c, -1), rate], factorial];
}

/** E log p of any distribution of numbers whose value and parameters are known, or take known values at nodes or draws. */
export function elementwiseLogDensity(c: TermContext, family: Family): Addend[] {
  const names = Object.keys(c.params);
  const params: Readonly<Record<string, { readonly rank: number }>> = family.params;
  if (family.eventRank || names.some((name) => params[name]!.rank))
    throw new NotConjugate(`a ${family.name} is no distribution of single numbers by single numbers`);
  const parts = [valueAt(c), ...names.map((name) => at(c, name))].map((form, i) => fixed(c, form, names[i - 1] ?? "value")); // biome-ignore format: one line
  const logs = elementwise(parts, ([x, ...values]) =>
    family.logProb(x!, Object.fromEntries(names.map((name, i) => [name, values[i]!]))),
  );
  return [[logs]];
}

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
  c.bounded();
  const mean = meanOf(c.q, eta, c.like);
  const variance = varianceOf(c, eta);
  const sign = map(y, (t) => t.mul(2).sub(1));
  const log = join(sign, mean, (s, m) => logNormalCdf(s.mul(m)));
  return [[log], ...(variance ? [[times(c, -0.5), variance]] : [])];
}

/** log σ(±η) ≥ (y − ½) E η − log 2 cosh(ξ / 2) at ξ² = E η² (Jaakkola and Jordan 2000, eq. 7, at its best ξ). */
function logistic(c: TermContext, y: Named, eta: Form): Addend[] {
  if (isKnown(eta) || leavesOf(eta).some((l) => c.expectations?.has(l.site))) {
    const logits = fixed(c, eta, "logits");
    return [[join(y, logits, (y, l) => y.mul(-2).add(1).mul(l).softplus().neg())]];
  }
  if (c.bounds.logistic !== "jaakkola-jordan") throw new NotConjugate(`its logits depend on ${leavesText(eta)}, and a logistic likelihood is conjugate to nothing`); // biome-ignore format: one line
  c.bounded();
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
