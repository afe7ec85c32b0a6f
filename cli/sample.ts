import type { Command } from "commander";
import { wholeNumber } from "./data-source.ts";
import { checkOut, handOut, outFlag, outHelp, type Table } from "./table-file.ts";
import { addRunArgument, numbered, openTrained } from "./trained-run.ts";

interface SampleFlags {
  readonly count: number;
  readonly seed?: number;
  readonly draw?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

export function define(command: Command): void {
  addRunArgument(command)
    .description(
      "Draws new examples: z from the prior, and the mean of p(x given z) that the decoder gives for it, in natural units " +
        "(images between 0 and 1).",
    )
    .option("-n, --count <n>", "number of examples", wholeNumber(1), 16)
    .option("--draw", "draw x from p(x given z) instead of taking its mean")
    .option("--seed <n>", "of the draws (default: that of the run)", wholeNumber(0))
    .option(outFlag, outHelp)
    .option("--json", "print one JSON object as the last line; without --out it holds the rows")
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz sample runs/digits-1 --count 100 --out samples.npy     an array of shape [100, 8, 8]
  $ ansatz sample runs/digits-1 --count 4 --draw --seed 3`,
    )
    .action(async (run: string, flags: SampleFlags) => {
      checkOut(flags.out);
      const { manifest, vae } = await openTrained(run);
      const samples = await vae.sample(flags.count, { seed: flags.seed });
      const { values, columns: width } = flags.draw ? samples.draw : samples.mean;
      const { eventShape, columns } = manifest.data.train;
      const table: Table = {
        columns: columns ?? numbered("x", width),
        values,
        rows: flags.count,
        rowShape: eventShape,
      };
      handOut(table, flags, { count: flags.count, seed: flags.seed ?? manifest.seed });
    });
}
