import type { Tensor } from "../../tensor/tensor.ts";
import {
  type Addend,
  at,
  chosenLogs,
  expectedLogDensities,
  fixed,
  gammaTerm,
  has,
  logValue,
  precisionOf,
  type TermContext,
  times,
  valueAt,
  weightedSquare,
} from "./densities.ts";
import { add, collapse, type Form, isKnown, known, leavesText, negate, power } from "./form.ts";
import { productsOf } from "./moments.ts";
import { elementwise, map, type Named, scalar } from "./named.ts";
import { NotConjugate } from "./not-conjugate.ts";

const join = (parts: readonly Named[], f: (...tensors: Tensor[]) => Tensor): Named =>
  elementwise(parts, (tensors) => f(...tensors));

/** log Γ(x + r) − log Γ(r) − log x! */
const ways = (x: Named, r: Named): Named =>
  join([x, r], (x, r) => x.add(r).lgamma().sub(r.lgamma()).sub(x.add(1).lgamma()));

/** −Σ of a product's mean. */
const minus = (c: TermContext, form: Form, by: Named): Addend[] =>
  productsOf(c.q, form).map((p) => [times(c, -1), ...p.factors, by]);

/**
 * Student t and Laplace errors are normal ones whose precision has a factor of its own for each observation (West 1987; Andrews and
 * Mallows 1974). With that factor at its optimum, what remains depends on E τ r² alone.
 */
function mixtureOfNormals(c: TermContext, f: (square: Named) => Named): Addend[] {
  const precision = precisionOf(c, at(c, "scale"));
  const residual = add(valueAt(c), negate(c.like, at(c, "location")));
  c.bounded();
  return [[times(c, 0.5), logValue(c, precision)], [f(weightedSquare(c, residual, precision))]];
}

const more: Readonly<Record<string, (c: TermContext) => Addend[]>> = {
  // log Γ((ν+1)/2) − log Γ(ν/2) − ½ log νπ + ½ E log τ − (ν+1)/2 log(1 + E τ r² / ν)
  studentT: (c) => {
    const nu = fixed(c, at(c, "nu"), "nu");
    return mixtureOfNormals(c, (square) =>
      join([nu, square], (v, s) => {
        const half = v.add(1).mul(0.5);
        const norm = half.lgamma().sub(v.mul(0.5).lgamma()).sub(v.mul(Math.PI).log().mul(0.5));
        return norm.sub(half.mul(s.div(v).log1p()));
      }),
    );
  },
  // −log 2 + ½ E log τ − √(E τ r²)
  laplace: (c) => mixtureOfNormals(c, (square) => map(square, (s) => s.sqrt().neg().sub(Math.LN2))),
  // log p + x log(1 − p)
  geometric: (c) => {
    const x = fixed(c, valueAt(c), "value");
    const { yes, no } = chosenLogs(c);
    return [[yes], [x, no]];
  },
  // log ways + total log p + x log(1 − p)
  negativeBinomial: (c) => {
    if (!has(c, "total")) throw new NotConjugate("a negativeBinomial by its mean is not conjugate to anything: give total, and probs with a beta prior"); // biome-ignore format: one line
    const [x, total] = [fixed(c, valueAt(c), "value"), fixed(c, at(c, "total"), "total")];
    const { yes, no } = chosenLogs(c);
    return [[total, yes], [x, no], [ways(x, total)]];
  },
  chiSquared: (c) => {
    const shape = known(map(fixed(c, at(c, "nu"), "nu"), (t) => t.mul(0.5)));
    return gammaTerm(c, shape, known(times(c, 0.5)), valueAt(c));
  },
  // log a + a log(m / x) − log x
  pareto: (c) => {
    const [x, m] = [fixed(c, valueAt(c), "value"), fixed(c, at(c, "scale"), "scale")];
    const shape = at(c, "shape");
    const excess = join([x, m], (x, m) => x.log().sub(m.log()));
    return [[logValue(c, shape)], ...minus(c, shape, excess), [times(c, -1), map(x, (t) => t.log())]];
  },
  // log k + log h + (k − 1) log x − h x^k, h = scale^−k
  weibull: (c) => {
    const x = fixed(c, valueAt(c), "value");
    const k = c.reader.constant(c.params.shape!);
    if (k === null) throw new NotConjugate("its shape is no number: a weibull is conjugate in scale = rate ** (−1 / shape), the rate under a gamma prior"); // biome-ignore format: one line
    const hazard = rounded(power(at(c, "scale"), -k));
    const logs = map(x, (t) => t.log().mul(k - 1).add(Math.log(k))); // biome-ignore format: short
    return [[logValue(c, hazard)], [logs], ...minus(c, hazard, map(x, (t) => t.log().mul(k).exp()))]; // biome-ignore format: short
  },
  logNormal: (c) => {
    const value = valueAt(c);
    if (!isKnown(value)) throw new NotConjugate(`the logarithm of ${leavesText(value)} is the Gaussian: sample that, and take its exponential`); // biome-ignore format: one line
    const log = map(collapse(value), (t) => t.log());
    const precision = precisionOf(c, at(c, "scale"));
    const square = weightedSquare(c, add(known(log), negate(c.like, at(c, "location"))), precision);
    return [
      [times(c, -0.5), square],
      [times(c, 0.5), logValue(c, precision)],
      [scalar(c.like, -0.5 * Math.log(2 * Math.PI))],
      [times(c, -1), log],
    ];
  },
};

/** A power such as (rate ** (−1/k)) ** −k is 1, but for rounding. */
const rounded = (form: Form): Form => ({
  terms: form.terms.map((t) => ({
    ...t,
    leaves: t.leaves.map((l) => (Math.abs(l.power - Math.round(l.power)) < 1e-9 ? { ...l, power: Math.round(l.power) } : l)), // biome-ignore format: one line
  })),
});

const rows = { ...expectedLogDensities, ...more };

/** E log p of a family as addends; null of one that has none. */
export const rowOf = (name: string): ((c: TermContext) => Addend[]) | null =>
  Object.hasOwn(rows, name) ? rows[name as keyof typeof rows]! : null;

export const familiesWithExpectations = (): string => Object.keys(rows).join(", ");
