/**
 * Every posterior with a reference of posteriordb: how far ours lies from it, and what it took.
 *
 *     npx tsx bench/posteriordb.ts [--only NAME] [--method nuts] [--seed 1] [--draws N] [--json FILE]
 *
 * NAME may be a part of a name. `mean` is the greatest |mean − reference's mean| in reference sds, `sd` the greatest
 * |sd / reference's sd − 1|, over all parameters; the reference's own error of the mean is about 0.01 sd. `compile` is from the
 * model's text to a program ready to run, `gradient` the time of one log density with its gradient, the call from the host
 * included. Reads the folder posteriordb/ in the one that ANSATZ_DATA names (../shared/data if unset); models are those of
 * examples/posteriordb.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { infer, type Model } from "ansatz";
import { compileLogDensity } from "../src/inference/compile.ts";
import { type Method, methods } from "../src/inference/fit.ts";
import { problemOf } from "../src/inference/problem.ts";
import { dataFolder, median } from "./command.ts";

interface Reference {
  readonly params: readonly string[];
  readonly mean: readonly number[];
  readonly sd: readonly number[];
}

interface Row {
  readonly name: string;
  /** Greatest distance of a mean in reference sds, and relative distance of an sd, each with its parameter. */
  readonly mean: number;
  readonly meanOf: string;
  readonly sd: number;
  readonly sdOf: string;
  readonly rhat: number | null;
  readonly ess: number;
  readonly divergences: number | null;
  readonly method: string;
  readonly trusted: boolean;
  readonly khat: number | null;
  readonly reason: string;
  readonly attempts: readonly { readonly method: string; readonly trusted: boolean; readonly seconds: number }[];
  readonly compileMs: number;
  readonly gradientUs: number;
  readonly seconds: number;
}

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    method: { type: "string", default: "nuts" },
    seed: { type: "string", default: "1" },
    draws: { type: "string" },
    json: { type: "string" },
  },
});
if (!(methods as readonly string[]).includes(flags.method)) {
  throw new Error(`--method is one of ${methods.join(", ")}, not ${flags.method}`);
}

const folder = join(dataFolder, "posteriordb");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.slice(0, -".json".length))
  .filter((name) => name.includes(flags.only ?? ""))
  .sort();

/** Microseconds of one evaluation, the median of five blocks of about 20 ms. */
function microseconds(evaluate: () => void): number {
  let repeats = 1;
  const block = (): number => {
    const started = performance.now();
    for (let i = 0; i < repeats; i++) evaluate();
    return performance.now() - started;
  };
  while (block() < 20) repeats *= 2;
  return (1000 * median(Array.from({ length: 5 }, block))) / repeats;
}

async function run(name: string): Promise<Row> {
  const { data, reference } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as {
    data: Record<string, never>;
    reference: Reference;
  };
  const { default: model } = (await import(`../examples/posteriordb/${name}.ts`)) as { default: Model };

  const started = performance.now();
  const logDensity = await compileLogDensity(await problemOf(model, data));
  const compileMs = performance.now() - started;

  const fitted = performance.now();
  const posterior = await infer(model, data, {
    method: flags.method as Method,
    seed: Number(flags.seed),
    draws: flags.draws ? Number(flags.draws) : undefined,
  });
  const rows = new Map(posterior.table.map((row) => [row.name, row]));
  const seconds = (performance.now() - fitted) / 1000;

  const at = posterior.unconstrained.slice(0, logDensity.dim);
  const gradient = new Float64Array(logDensity.dim);
  const errors = reference.params.map((parameter, i) => {
    const row = rows.get(parameter);
    if (!row) throw new Error(`the model reports no ${parameter}, only ${[...rows.keys()].join(", ")}`);
    const [mean, sd] = [reference.mean[i]!, reference.sd[i]!];
    return { parameter, row, mean: Math.abs(row.mean - mean) / sd, sd: Math.abs(row.sd / sd - 1) };
  });
  const worst = (of: "mean" | "sd") => errors.reduce((a, b) => (b[of] > a[of] ? b : a));
  const finite = (xs: number[]): number[] => xs.filter(Number.isFinite);
  const rhats = finite(errors.map((e) => e.row.rhat));
  return {
    name,
    mean: worst("mean").mean,
    meanOf: worst("mean").parameter,
    sd: worst("sd").sd,
    sdOf: worst("sd").parameter,
    rhat: rhats.length ? Math.max(...rhats) : null,
    ess: Math.min(...finite(errors.map((e) => e.row.essBulk))),
    divergences: posterior.chains
      ? posterior.chains.chains.flatMap((c) => [...c.stats.divergent]).reduce((a, b) => a + b, 0)
      : null,
    method: posterior.method,
    trusted: posterior.trusted,
    khat: posterior.khat,
    reason: posterior.reason,
    attempts: posterior.attempts.map(({ method, trusted, seconds }) => ({ method, trusted, seconds })),
    compileMs,
    gradientUs: microseconds(() => logDensity.evaluate(at, gradient)),
    seconds,
  };
}

const digits = (x: number | null, n: number): string => (x === null ? "" : x.toFixed(n));
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const heads = [
  "posterior", "mean", "sd", "R-hat", "min ESS", "divergent", "method", "trusted", "compile ms", "gradient µs", "seconds",
]; // biome-ignore format: a list

console.log(line(heads));
console.log(line(heads.map(() => "---")));
const rows: Row[] = [];
const failures: string[] = [];
for (const name of names) {
  try {
    const row = await run(name);
    rows.push(row);
    console.log(
      line([
        name,
        `${digits(row.mean, 3)} ${row.meanOf}`,
        `${digits(row.sd, 3)} ${row.sdOf}`,
        digits(row.rhat, 4),
        digits(row.ess, 0),
        digits(row.divergences, 0),
        row.method,
        row.trusted ? "yes" : "no",
        digits(row.compileMs, 0),
        digits(row.gradientUs, 1),
        digits(row.seconds, 2),
      ]),
    );
  } catch (error) {
    failures.push(name);
    console.log(line([name, `failed: ${(error as Error).message.split("\n")[0]}`, ...heads.slice(2).map(() => "")]));
  }
}

const within = rows.filter((r) => r.mean <= 0.1 && r.sd <= 0.1);
const trusted = rows.filter((r) => r.trusted);
const wrong = trusted.filter((r) => !within.includes(r)).map((r) => r.name);
console.log(
  `\nmean within 0.1 sd and sd within 10 %: ${within.length} of ${names.length}; trusted: ${trusted.length}; ` +
    `trusted but not within: ${wrong.length ? wrong.join(", ") : "none"}`,
);
if (flags.json) writeFileSync(flags.json, `${JSON.stringify({ method: flags.method, seed: Number(flags.seed), rows }, null, 2)}\n`); // biome-ignore format: one line
if (failures.length) process.exitCode = 1;
