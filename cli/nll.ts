import type { Command } from "commander";
import { wholeNumber } from "./data-source.ts";
import { countOf } from "./describe.ts";
import { say, sayJson } from "./output.ts";
import { addRowFlags, addRunArgument, openTrained, type RowFlags, rowsFor } from "./trained-run.ts";

interface NllFlags extends RowFlags {
  readonly samples: number;
  readonly seed?: number;
  readonly json?: boolean;
}

export function define(command: Command): void {
  addRunArgument(command)
    .description(
      "Estimates the mean of −log p(x) in nats by importance sampling from q(z given x) (Rezende, Mohamed and Wierstra 2014, " +
        "appendix E): an upper bound in expectation that tightens with more samples, below the negative ELBO.",
    )
    .option("--samples <n>", "draws for each row", wholeNumber(1), 500)
    .option("--seed <n>", "of the draws (default: that of the run)", wholeNumber(0))
    .option("--json", "print one JSON object");
  addRowFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz nll runs/digits-1
  $ ansatz nll runs/a --data mnist/ --samples 5000 --limit 1000 --json

With --json: {"nll", "standardError", "monteCarloError", "samples", "examples"}. standardError is that of the mean over
examples; monteCarloError is its part that more samples would lessen.`,
    )
    .action(async (run: string, flags: NllFlags) => {
      const { manifest, vae } = await openTrained(run);
      const data = await rowsFor(manifest, flags);
      const { samples, seed } = flags;
      const { nll, standardError, monteCarloError, examples } = await vae.logLikelihood(data, { samples, seed });
      if (flags.json) sayJson({ nll, standardError, monteCarloError, samples, examples });
      else {
        say(
          `−log p(x) = ${nll.toFixed(2)} ± ${standardError.toFixed(2)} nats: mean and standard error over ` +
            `${countOf(examples, "example")} of ${data.name}, ${countOf(samples, "importance sample")} each.`,
        );
      }
    });
}
