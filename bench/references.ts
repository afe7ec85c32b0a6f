/**
 * Numbers that others have got wrong, or that are published to many digits, beside ours.
 *
 *     npx tsx bench/references.ts [--seed 1]
 *
 * 1. x ~ N(0, 1), y = 10 ~ N(x, sd 0.5): the posterior is N(8, sd 0.4472), which another system's default fit once gave as 3.1.
 * 2. Posteriors whose reference is known and which fits that stop early miss.
 * 3. k-hat of importance weights, and a generalised Pareto fit, as published (test/diagnostics holds them to nine digits).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { infer, type Method, type Model, model, normal } from "ansatz";
import { fitGeneralizedPareto } from "../src/diagnostics/generalized-pareto.ts";
import { psis } from "../src/diagnostics/psis.ts";
import { dataFolder } from "./command.ts";
import { table } from "./models/peer.ts";

const { values: flags } = parseArgs({ options: { seed: { type: "string", default: "1" } } });
const seed = Number(flags.seed);

const tenth = model(({ sample, observe }, { y }: { y: number }) => {
  const x = sample("x", normal(0, 1));
  observe("y", normal(x, 0.5), y);
});
const methods: Method[] = ["auto", "laplace", "pathfinder", "meanfield", "advi", "fullrank", "flow", "nuts"];
const tenths: string[][] = [];
for (const method of methods) {
  const { table: rows, trusted, method: used } = await infer(tenth, { y: 10 }, { method, seed });
  const { mean, sd, mcseMean } = rows.find(({ name }) => name === "x")!;
  tenths.push([method, used, mean.toFixed(4), mcseMean.toFixed(4), sd.toFixed(4), trusted ? "yes" : "no"]);
}
console.log("y = 10 ~ N(x, 0.5), x ~ N(0, 1): exactly 8 and 0.4472\n");
console.log(table(["asked", "used", "mean", "its error", "sd", "trusted"], tenths));

const posteriors: readonly (readonly [string, readonly string[]])[] = [
  ["eight_schools-eight_schools_noncentered", ["mu", "tau"]],
  ["kidiq-kidscore_momiq", ["beta[1]", "beta[2]", "sigma"]],
  ["garch-garch11", ["mu"]],
];
const rows: string[][] = [];
for (const [name, parameters] of posteriors) {
  const { data, reference } = JSON.parse(readFileSync(join(dataFolder, "posteriordb", `${name}.json`), "utf8")) as {
    data: Record<string, never>;
    reference: { params: string[]; mean: number[]; sd: number[] };
  };
  const { default: fitted } = (await import(`../examples/posteriordb/${name}.ts`)) as { default: Model };
  const posterior = await infer(fitted, data, { seed });
  for (const parameter of parameters) {
    const at = reference.params.indexOf(parameter);
    const ours = posterior.table.find((row) => row.name === parameter)!;
    rows.push([
      name,
      parameter,
      `${reference.mean[at]!.toFixed(4)} ± ${reference.sd[at]!.toFixed(4)}`,
      `${ours.mean.toFixed(4)} ± ${ours.sd.toFixed(4)}`,
      `${posterior.method}${posterior.trusted ? "" : " (not trusted)"}`,
    ]);
  }
}
console.log("\nposteriordb, mean ± sd\n");
console.log(table(["posterior", "parameter", "reference", "ours", "by"], rows));

// The greatest log weights of N(0, s² I) as proposal for N(0, I) in three dimensions: the others do not enter the fit.
const { gaussian } = JSON.parse(readFileSync(new URL("../test/tables/psis.json", import.meta.url), "utf8")) as {
  gaussian: { s: number; draws: number; greatest: number[] }[];
};
const published: Readonly<Record<string, string>> = { 0.5: "0.9080815512", 0.7: "0.6371459500", 0.9: "0.2749448132", 0.99: "0.0801835517" }; // biome-ignore format: one line
const tails = gaussian.map(({ s, draws, greatest }) => {
  const logWeights = new Float64Array(draws).fill(-700);
  logWeights.set(greatest);
  return [`k-hat, s = ${s}`, published[s]!, psis(logWeights).khat.toFixed(10)];
});
const quantiles = Float64Array.from({ length: 1000 }, (_, i) => ((1 - (i + 0.5) / 1000) ** -0.5 - 1) / 0.5);
const pareto = fitGeneralizedPareto(quantiles);
tails.push(["Pareto fit, k", "0.5003970", pareto.k.toFixed(7)], ["Pareto fit, sigma", "0.9990800", pareto.sigma.toFixed(7)]); // biome-ignore format: one line
console.log("\nPSIS\n");
console.log(table(["figure", "published", "ours"], tails));
process.exit(0);
