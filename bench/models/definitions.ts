/** The models that are timed beside other systems, ours; those of the peers stand in peers/models under the same names. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bernoulli, type Model, matvec, model, normal, type Tensor } from "ansatz";
import { Generator } from "../../src/base/generator.ts";
import { dataFolder } from "../command.ts";

export const modelNames = ["eight-schools", "logistic", "gp", "gp200", "mixture", "autoregression"] as const;
export type ModelName = (typeof modelNames)[number];

/** Names of the elements of a vector, counted from 1. */
const elements = (name: string, size: number): string[] => Array.from({ length: size }, (_, i) => `${name}[${i + 1}]`);

/** Parameters whose draws are compared, in this order; the unconstrained coordinates come in the order of the sites. */
export const reported: Readonly<Record<ModelName, readonly string[]>> = {
  "eight-schools": ["mu", "tau", ...elements("theta", 8)],
  logistic: ["alpha", ...elements("beta", 50)],
  gp: ["rho", "alpha", "sigma"],
  gp200: ["rho", "alpha", "sigma"],
  mixture: [...elements("mu", 2), ...elements("sigma", 2), "theta"],
  autoregression: ["alpha", ...elements("beta", 5), "sigma"],
};

/** Logistic regression: alpha ~ N(0, sd 5), beta ~ N(0, I). */
const logistic = model(({ sample, observe }, { D, x, y }: { D: number; x: Tensor; y: Tensor }) => {
  const alpha = sample("alpha", normal(0, 5));
  const beta = sample("beta", normal(0, 1), [D]);
  observe("y", bernoulli({ logits: matvec(x, beta).add(alpha) }), y);
});

const sources: Readonly<Record<ModelName, string | null>> = {
  "eight-schools": "eight_schools-eight_schools_noncentered",
  logistic: null,
  gp: "gp_pois_regr-gp_regr",
  gp200: "gp_pois_regr-gp_regr",
  mixture: "low_dim_gauss_mix-low_dim_gauss_mix",
  autoregression: "arK-arK",
};

export async function modelOf(name: ModelName): Promise<Model> {
  const source = sources[name];
  if (!source) return logistic as unknown as Model;
  return ((await import(`../../examples/posteriordb/${source}.ts`)) as { default: Model }).default;
}

export type BenchData = Readonly<Record<string, number | number[] | number[][]>>;

/** Reference means and sds of posteriordb by parameter; null where there are none. */
export function referenceOf(name: ModelName): Map<string, { mean: number; sd: number }> | null {
  if (name === "gp200" || name === "logistic") return null;
  const { reference } = posteriordb(sources[name]!);
  return new Map(reference.params.map((p, i) => [p, { mean: reference.mean[i]!, sd: reference.sd[i]! }]));
}

interface Posteriordb {
  readonly data: BenchData;
  readonly reference: {
    readonly params: readonly string[];
    readonly mean: readonly number[];
    readonly sd: readonly number[];
  };
}
const posteriordb = (name: string): Posteriordb =>
  JSON.parse(readFileSync(join(dataFolder, "posteriordb", `${name}.json`), "utf8"));

/** Data by name, made up where posteriordb has none. */
export function dataOf(name: ModelName): BenchData {
  if (name === "logistic") return logisticData(10_000, 50);
  if (name === "gp200") return processData(200);
  const { data } = posteriordb(sources[name]!);
  const { k: _counts, ...rest } = data; // of the Poisson process that shares the file
  return name === "gp" ? rest : data;
}

/** Rows of independent normal numbers and answers at coefficients drawn from N(0, sd 0.3). Rounded, so that JSON keeps it short. */
function logisticData(rows: number, columns: number): BenchData {
  const generator = new Generator(1, "logistic");
  const beta = Array.from({ length: columns }, () => 0.3 * generator.normal());
  const x = Array.from({ length: rows }, () => beta.map(() => Number(generator.normal().toFixed(4))));
  const y = x.map((row) => {
    const logit = row.reduce((sum, value, j) => sum + value * beta[j]!, 0.5);
    return generator.uniform() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
  });
  return { N: rows, D: columns, x, y };
}

/** A wave with noise at evenly spaced places. */
function processData(rows: number): BenchData {
  const generator = new Generator(1, "process");
  const x = Array.from({ length: rows }, (_, i) => -10 + (20 * i) / (rows - 1));
  const y = x.map((at) => Number((2 * Math.sin(at / 3) + 0.7 * generator.normal()).toFixed(4)));
  return { N: rows, x, y };
}
