import type { Tensor } from "../../tensor/tensor.ts";
import {
  type Axis,
  contract,
  type Label,
  labelsKey,
  map,
  type Named,
  newAxis,
  plus,
  rename,
  renameLabel,
  scalar,
} from "./named.ts";
import { NotConjugate } from "./not-conjugate.ts";

/** A continuous latent site as it stands in a product. */
export interface Leaf {
  readonly site: string;
  /** Whether it is the state before each step of a chain. */
  readonly previous: boolean;
  readonly labels: readonly Label[];
  readonly power: number;
  /** That it is 1 − x of a site x between 0 and 1. */
  readonly complement?: boolean;
}

/** Σ over `sums` of the product of known factors and latent leaves. */
export interface Term {
  readonly factors: readonly Named[];
  readonly leaves: readonly Leaf[];
  readonly sums: readonly Axis[];
}

/** A polynomial of latent quantities: what a parameter of a distribution is to the updates. */
export interface Form {
  readonly terms: readonly Term[];
  /** Where it is one of several forms, by indicators of which one is 1 and the others 0: powers and logarithms are then those of each. */
  readonly cases?: readonly Case[];
}

export interface Case {
  readonly where: Named;
  readonly form: Form;
}

/** Σ where · form */
export const choose = (cases: readonly Case[]): Form => ({
  terms: cases.flatMap(({ where, form }) => scaled(form.terms, where)),
  cases,
});
const each = (cases: readonly Case[], f: (form: Form) => Form): Form =>
  choose(cases.map(({ where, form }) => ({ where, form: f(form) })));
const scaled = (terms: readonly Term[], by: Named): Term[] => terms.map((t) => ({ ...t, factors: [...t.factors, by] }));

export const known = (x: Named): Form => ({ terms: [{ factors: [x], leaves: [], sums: [] }] });
export const isKnown = (form: Form): boolean => form.terms.every((t) => t.leaves.length === 0);

export const sameLeaf = (a: Leaf, b: Leaf): boolean =>
  a.site === b.site &&
  a.previous === b.previous &&
  !a.complement === !b.complement &&
  labelsKey(a.labels) === labelsKey(b.labels);

export const renameLeaf = (leaf: Leaf, to: ReadonlyMap<Axis, Axis>): Leaf => ({
  ...leaf,
  labels: leaf.labels.map((l) => renameLabel(l, to)),
});

export const renameTerm = (term: Term, to: ReadonlyMap<Axis, Axis>): Term => ({
  factors: term.factors.map((f) => rename(f, to)),
  leaves: term.leaves.map((l) => renameLeaf(l, to)),
  sums: term.sums.map((a) => to.get(a) ?? a),
});

/** The term with summed axes of its own. */
export const fresh = (term: Term): Term =>
  term.sums.length ? renameTerm(term, new Map(term.sums.map((a) => [a, newAxis(a.size)]))) : term;

export const add = (...forms: readonly Form[]): Form => ({ terms: forms.flatMap((f) => f.terms) });

export const scale = (form: Form, by: Named): Form =>
  form.cases ? each(form.cases, (f) => scale(f, by)) : { terms: scaled(form.terms, by) };
export const negate = (like: Tensor, form: Form): Form => scale(form, scalar(like, -1));

function timesTerm(a: Term, given: Term): Term {
  const b = given.sums.some((axis) => a.sums.includes(axis)) ? fresh(given) : given;
  const leaves = [...a.leaves];
  for (const leaf of b.leaves) {
    const at = leaves.findIndex((l) => sameLeaf(l, leaf));
    if (at < 0) leaves.push(leaf);
    else leaves[at] = { ...leaves[at]!, power: leaves[at]!.power + leaf.power };
  }
  return {
    factors: [...a.factors, ...b.factors],
    leaves: leaves.filter((l) => l.power !== 0),
    sums: [...a.sums, ...b.sums],
  };
}

export function times(a: Form, b: Form): Form {
  if (a.cases) return each(a.cases, (f) => times(f, b));
  if (b.cases) return each(b.cases, (f) => times(a, f));
  return { terms: a.terms.flatMap((s) => b.terms.map((t) => timesTerm(s, t))) };
}

/** Sums a form over an axis. */
export const sumForm = (form: Form, axes: readonly Axis[]): Form => ({
  terms: form.terms.map((t) => ({ ...t, sums: [...t.sums, ...axes] })),
});

/** Axes that the value of a term varies along, apart from those of its leaves. */
export const outAxes = (term: Term): Axis[] =>
  [...new Set(term.factors.flatMap((f) => f.axes))].filter((a) => !term.sums.includes(a));

/** The value of a form without leaves. */
export function collapse(form: Form): Named {
  if (!isKnown(form)) throw new NotConjugate(`it needs a function of ${leavesText(form)} that is not a polynomial`);
  const values = form.terms.map((t) => contract(t.factors, outAxes(t), t.sums));
  return values.reduce((a, b) => plus(a, b));
}

/** form ^ p, of one product alone. */
export function power(form: Form, p: number): Form {
  if (p === 1) return form;
  if (isKnown(form)) return known(map(collapse(form), (t) => raised(t, p)));
  if (form.cases) return each(form.cases, (f) => power(f, p));
  const [term, ...others] = form.terms;
  if (others.length || term!.sums.length) {
    if (Number.isInteger(p) && p > 0) return times(form, power(form, p - 1));
    throw new NotConjugate(`a sum that holds ${leavesText(form)} is raised to the power ${p}`);
  }
  return {
    terms: [
      {
        factors: term!.factors.map((f) => map(f, (t) => raised(t, p))),
        leaves: term!.leaves.map((l) => ({ ...l, power: l.power * p })),
        sums: [],
      },
    ],
  };
}

function raised(t: Tensor, p: number): Tensor {
  const one = (x: Tensor) => x.mul(0).add(1);
  if (p === -1) return one(t).div(t);
  if (p === 2) return t.square();
  if (p === -2) return one(t).div(t.square());
  if (p === 0.5) return t.sqrt();
  if (p === -0.5) return one(t).div(t.sqrt());
  return t.pow(p);
}

export const leavesText = (form: Form): string => {
  const names = [...new Set(form.terms.flatMap((t) => t.leaves.map((l) => `"${l.site}"`)))];
  return names.join(" and ") || "the data";
};
