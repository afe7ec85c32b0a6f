import { unitInterval } from "../../src/constraints/support.ts";
import { beta } from "../../src/distributions/beta.ts";
import { cauchy } from "../../src/distributions/cauchy.ts";
import { chiSquared } from "../../src/distributions/chi-squared.ts";
import type { Distribution, ParamValue } from "../../src/distributions/distribution.ts";
import { exponential } from "../../src/distributions/exponential.ts";
import { gamma } from "../../src/distributions/gamma.ts";
import { halfCauchy } from "../../src/distributions/half-cauchy.ts";
import { halfNormal } from "../../src/distributions/half-normal.ts";
import { halfStudentT } from "../../src/distributions/half-student-t.ts";
import { inverseGamma } from "../../src/distributions/inverse-gamma.ts";
import { laplace } from "../../src/distributions/laplace.ts";
import { logNormal } from "../../src/distributions/log-normal.ts";
import { logistic } from "../../src/distributions/logistic.ts";
import { mixture } from "../../src/distributions/mixture.ts";
import { normal } from "../../src/distributions/normal.ts";
import { pareto } from "../../src/distributions/pareto.ts";
import { studentT } from "../../src/distributions/student-t.ts";
import { transformed } from "../../src/distributions/transformed.ts";
import { truncated } from "../../src/distributions/truncated.ts";
import { uniform } from "../../src/distributions/uniform.ts";
import { vonMises } from "../../src/distributions/von-mises.ts";
import { weibull } from "../../src/distributions/weibull.ts";
import { concat } from "../../src/tensor/functions.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

type Values = Readonly<Record<string, ParamValue>>;

/** A distribution of numbers, as the suite of conformance.ts sees it. */
export interface Row {
  /** Its name in test/tables/distributions.json. */
  readonly name: string;
  readonly make: (params: Values) => Distribution;
  /** Numbers outside the support. */
  readonly outside: readonly number[];
  /** Parameters that move the support: the density is not smooth in them. */
  readonly moving?: readonly string[];
  /** Relative error of the logarithms of probabilities, where it is not 1e-9. */
  readonly tolerance?: number;
}

/** By name. */
const named = (f: unknown) => (params: Values) => (f as (params: Values) => Distribution)(params);

/** Two values along a new last axis. */
const pair = (a: ParamValue, b: ParamValue): ParamValue =>
  a instanceof Tensor && b instanceof Tensor
    ? concat([a, b].map((t) => t.reshape([...t.shape, 1])), -1) // biome-ignore format: short
    : [a as number, b as number];
const plus = (a: ParamValue, b: ParamValue): ParamValue =>
  a instanceof Tensor ? a.add(b as Tensor) : (a as number) + (b as number);
const rest = (p: ParamValue): ParamValue => (p instanceof Tensor ? p.neg().add(1) : 1 - (p as number));

export const ROWS: readonly Row[] = [
  { name: "normal", make: named(normal), outside: [] },
  { name: "logNormal", make: named(logNormal), outside: [-1, 0] },
  { name: "studentT", make: named(studentT), outside: [], tolerance: 1e-8 },
  { name: "cauchy", make: named(cauchy), outside: [] },
  { name: "halfNormal", make: named(halfNormal), outside: [-0.1] },
  { name: "halfCauchy", make: named(halfCauchy), outside: [-0.1] },
  { name: "halfStudentT", make: named(halfStudentT), outside: [-0.1] },
  { name: "laplace", make: named(laplace), outside: [] },
  { name: "logistic", make: named(logistic), outside: [] },
  { name: "gamma", make: named(gamma), outside: [-1, 0] },
  { name: "inverseGamma", make: named(inverseGamma), outside: [-1, 0] },
  { name: "chiSquared", make: named(chiSquared), outside: [-1, 0] },
  { name: "exponential", make: named(exponential), outside: [-1] },
  { name: "weibull", make: named(weibull), outside: [-1, 0] },
  { name: "pareto", make: named(pareto), outside: [-1, 0, 0.99], moving: ["scale"] },
  { name: "beta", make: named(beta), outside: [-0.1, 0, 1, 1.2] },
  { name: "uniform", make: named(uniform), outside: [-3.1, 12.1], moving: ["low", "high"] },
  { name: "vonMises", make: named(vonMises), outside: [], moving: ["location"] },
  {
    name: "truncatedNormal",
    make: ({ mean, sd, low, high }) => truncated(named(normal)({ mean: mean!, sd: sd! }), { low: low!, high: high! }),
    outside: [-13, 9.5],
    moving: ["low", "high"],
  },
  {
    name: "truncatedBelowGamma",
    make: ({ shape, rate, low }) => truncated(named(gamma)({ shape: shape!, rate: rate! }), { low: low! }),
    outside: [-1, 0, 0.05],
    moving: ["low"],
  },
  {
    name: "normalMixture",
    make: ({ weight, mean, gap }) => {
      const components = named(normal)({ mean: pair(mean!, plus(mean!, gap!)), sd: [1, 0.5] });
      return mixture(pair(weight!, rest(weight!)), components);
    },
    outside: [],
  },
  {
    name: "logitNormal",
    make: (params) => transformed(named(normal)(params), unitInterval),
    outside: [-0.1, 1.1],
  },
];
