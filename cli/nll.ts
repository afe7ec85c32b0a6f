import type { Command } from "commander";
import { wholeNumber } from "./data-source.ts";
import { countOf } from "./describe.ts";
import { say, sayJson, warn } from "./output.ts";
import { addRowFlags, addRunArgument, openTrained, type RowFlags, rowsFor } from "./trained-run.ts";

interface NllFlags extends RowFlags {
  readonly samples: number;
  readonly seed?: number;
  readonly json?: boolean;
}

/** Fewer effective samples than this: one of them has more than the rest together. */
const LONELY = 2;
/** Share of the examples from which on that is worth a warning. */
const MANY = 0.5;

const aloneText = (share: number): string =>
  `of ${Math.round(100 * share)} % of the examples one sample outweighs all others: q(z given x) lies beside their posterior, so that −log p(x) is probably too ` +
  "high, by more than the errors say. Take more --samples, train for longer, or give the encoder more room.";

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

With --json: {"nll", "standardError", "monteCarloError", "effectiveSamples", "samples", "examples", "warnings"}.
standardError is that of the mean over examples; monteCarloError is its part that more samples would lessen;
effectiveSamples is the median over examples of how many samples carry the weight.`,
    )
    .action(async (run: string, flags: NllFlags) => {
      const { manifest, vae } = await openTrained(run);
      const data = await rowsFor(manifest, flags);
      const { samples, seed } = flags;
      const found = await vae.logLikelihood(data, { samples, seed });
      const { nll, standardError, monteCarloError, examples } = found;
      const effective = found.effectiveSamples.slice().sort();
      const alone = effective.filter((n) => n < LONELY).length / examples;
      const warnings = alone > MANY && samples > 1 ? [aloneText(alone)] : [];
      for (const text of warnings) warn(text);
      const effectiveSamples = effective[Math.floor(examples / 2)]!;
      if (flags.json) sayJson({ nll, standardError, monteCarloError, effectiveSamples, samples, examples, warnings });
      else {
        say(
          `−log p(x) = ${nll.toFixed(2)} ± ${standardError.toFixed(2)} nats: mean and standard error over ` +
            `${countOf(examples, "example")} of ${data.name}, ${countOf(samples, "importance sample")} each.`,
        );
      }
    });
}
