import { type Command, Option } from "commander";
import { methods } from "../src/node.ts";
import { numberBetween, wholeNumber } from "./data-source.ts";
import { UsageError } from "./failure.ts";
import { type ExportFormat, exportFormats, type FitFlags } from "./fit-manifest.ts";
import { addSviFlags } from "./svi-flags.ts";

export function define(command: Command): void {
  addSviFlags(command);
  command
    .usage("MODEL.ts --data DATA.json [options]")
    .argument("[MODEL]", "a .ts or .js file whose default export was made by model(...)")
    .description(
      "Fits a model to data: finds the posterior of what the model samples given what it observes, and says whether the result " +
        "can be trusted. Without --method it goes from cheap methods to costly ones until one can be.",
    )
    .option("--data <file>", 'the model\'s data: a JSON object by name, or one under "data" (also .gz)')
    .addOption(new Option("--method <name>", "how").choices(methods.filter((name) => name !== "sites")).default("auto"))
    .option("--seed <n>", "of all random numbers (default: 0)", wholeNumber(0))
    .option(
      "--draws <n>",
      "draws: in all (default: 4000), or of each chain of a sampler (default: 1000; up to 4000 where nuts or hmc need them)",
      wholeNumber(1),
    )
    .option("--chains <n>", "chains of a sampler (default: 4)", wholeNumber(1))
    .option("--warm-up <n>", "transitions of each chain that adapt and are not kept (default: 1000)", wholeNumber(0))
    .option(
      "--target-acceptance <p>",
      "of a sampler: nearer to 1 means shorter steps (default: 0.8; 0.99 where transitions diverged)",
      numberBetween(0, 1),
    )
    .option(
      "--group <names>",
      "of cavi and svi: sites that one factor holds together, with commas; several times",
      groups,
      [],
    )
    .option("--gradient <names>", "of cavi: sites that are found by gradients, with commas", names)
    .option("--deterministic", "the same bits on every machine: no BLAS, no relaxed SIMD, one thread")
    .option("--threads <n>", "threads that share a step", wholeNumber(1))
    .option("-o, --out <run>", "directory of the run (default: runs/MODEL-1, -2, …)")
    .option("--overwrite", "replace the run that --out names")
    .option("--no-report", "write no report.html")
    .option("--export <formats>", `also write the draws as ${exportFormats.join(", ")}; several with commas`, formats)
    .option("--json", "print one JSON object as the last line, instead of the table")
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz fit model.ts --data data.json
  $ ansatz fit model.ts --data data.json --method nuts --seed 1 --out runs/nuts --export arviz
  $ ansatz fit lda.ts --data corpus.json --method svi --plate document --batch 64 --json
  $ ansatz fit model.ts --data data.json --json

A run holds manifest.json, posterior.safetensors and report.html. With --json: {"method", "trusted", "khat", "reason",
"parameters": {name: {"mean", "sd", "q5", "q50", "q95", "rhat", "essBulk"}}, "run", "report", …}; elements of vectors
as in theta[1], from 1; null where there is no number. Besides of cavi and svi: "elbo" and "sweeps" (of svi: passes); of ep:
"logZ" and "sweeps".

Ctrl-C keeps the draws that a sampler has made, from 100 of each chain on.
Exit codes: 0 done (trusted or not: see "trusted"), 1 failed, 2 wrong usage, 130 interrupted by Ctrl-C.`,
    )
    .action(async (path: string | undefined, flags: FitFlags) => {
      if (path === undefined) {
        throw new UsageError(
          "missing MODEL: a file whose default export was made by model(...). Try: ansatz fit model.ts --data data.json",
        );
      }
      const { runFit } = await import("./fit-run.ts");
      await runFit(path, flags);
    });
}

const names = (text: string): string[] => text.split(",").map((name) => name.trim());
const groups = (text: string, before: readonly string[][]): string[][] => [...before, names(text)];

function formats(text: string): ExportFormat[] {
  return text.split(",").map((word) => {
    const found = exportFormats.find((name) => name === word.trim());
    if (!found)
      throw new UsageError(`--export ${text}: expected ${exportFormats.join(", ")}, or several of them with commas.`);
    return found;
  });
}
