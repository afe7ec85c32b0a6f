import { bernoulli } from "../../src/distributions/bernoulli.ts";
import { betaBinomial } from "../../src/distributions/beta-binomial.ts";
import { binomial } from "../../src/distributions/binomial.ts";
import { categorical } from "../../src/distributions/categorical.ts";
import { dirichlet } from "../../src/distributions/dirichlet.ts";
import { dirichletMultinomial } from "../../src/distributions/dirichlet-multinomial.ts";
import { discreteUniform } from "../../src/distributions/discrete-uniform.ts";
import type { Distribution, Family, ParamValue } from "../../src/distributions/distribution.ts";
import { geometric } from "../../src/distributions/geometric.ts";
import { inverseWishart } from "../../src/distributions/inverse-wishart.ts";
import { lkjCholesky } from "../../src/distributions/lkj-cholesky.ts";
import { multinomial } from "../../src/distributions/multinomial.ts";
import { multivariateNormal } from "../../src/distributions/multivariate-normal.ts";
import { multivariateStudentT } from "../../src/distributions/multivariate-student-t.ts";
import { negativeBinomial } from "../../src/distributions/negative-binomial.ts";
import { orderedLogistic } from "../../src/distributions/ordered-logistic.ts";
import { poisson } from "../../src/distributions/poisson.ts";
import { wishart } from "../../src/distributions/wishart.ts";
import { type Given, given } from "../evaluate.ts";
import table from "../tables/discrete.json" with { type: "json" };

export type Nested = number | readonly Nested[];

/** A row of test/tables/discrete.json; a log probability of null is −∞. */
export interface Row {
  readonly name: string;
  readonly params: Readonly<Record<string, Nested>>;
  readonly x: readonly Nested[];
  readonly logProb: readonly (number | null)[];
  readonly mean?: Nested;
  readonly variance?: Nested;
}

export const rows = table.rows as unknown as readonly Row[];

const constructors: Readonly<Record<string, (row: Row) => Distribution>> = Object.fromEntries(
  Object.entries({
    bernoulli,
    betaBinomial,
    binomial,
    categorical,
    dirichlet,
    dirichletMultinomial,
    discreteUniform,
    geometric,
    inverseWishart,
    multinomial,
    multivariateNormal,
    multivariateStudentT,
    negativeBinomial,
    orderedLogistic,
    poisson,
    wishart,
  }).map(([name, make]) => [
    name,
    ({ params }) => (make as unknown as (by: Record<string, ParamValue>) => Distribution)(params as never),
  ]),
);

/** The family that a row speaks of: by the names of its parameters, for the LKJ factors by their size. */
export function familyOf(row: Row): Family {
  const size = shapeOf(row.x[0]!)[0];
  if (row.name === "lkjCholesky") return lkjCholesky(size!, row.params as never).family as unknown as Family;
  return constructors[row.name]!(row).family;
}

export const shapeOf = (x: Nested): number[] => (typeof x === "number" ? [] : [x.length, ...shapeOf(x[0]!)]);
export const flat = (x: Nested): number[] => (typeof x === "number" ? [x] : x.flatMap(flat));
export const tensor = (x: Nested): Given => given(shapeOf(x), flat(x));
export const tensors = (params: Readonly<Record<string, Nested>>): Record<string, Given> =>
  Object.fromEntries(Object.entries(params).map(([name, x]) => [name, tensor(x)]));

/** What tells one row from another in a test's name. */
export const label = ({ name, params }: Row): string => {
  const shown = Object.entries(params).map(([key, x]) => `${key} ${JSON.stringify(x, (_, v) => (typeof v === "number" ? Number(v.toPrecision(4)) : v))}`); // biome-ignore format: short
  return `${name} with ${shown.join(", ").slice(0, 80)}`;
};
