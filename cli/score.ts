import type { Command } from "commander";
import { wholeNumber } from "./data-source.ts";
import { countOf } from "./describe.ts";
import { warn } from "./output.ts";
import { checkOut, handOut, outFlag, outHelp, type Table } from "./table-file.ts";
import { addRowFlags, addRunArgument, labelColumn, openTrained, type RowFlags, rowsFor } from "./trained-run.ts";

interface ScoreFlags extends RowFlags {
  readonly draws?: number;
  readonly seed?: number;
  readonly out?: string;
  readonly json?: boolean;
}

export function define(command: Command): void {
  addRunArgument(command)
    .description(
      "Scores examples by the negative ELBO of each row, in nats: negElbo = rate + distortion. The higher, the less a row is " +
        "like what the model has learned.",
    )
    .option("--draws <n>", "Monte Carlo draws for each row (default: those of the fit)", wholeNumber(1))
    .option("--seed <n>", "of the draws (default: that of the run)", wholeNumber(0))
    .option(outFlag, outHelp)
    .option("--json", "print one JSON object as the last line; without --out it holds the rows");
  addRowFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz score runs/digits-1 --out scores.csv
  $ ansatz score runs/a --data mnist/ --split test --draws 10 --out scores.npy

With --json: {"examples", "negElbo", "rate", "distortion"}, means over the rows in nats.`,
    )
    .action(async (run: string, flags: ScoreFlags) => {
      checkOut(flags.out);
      const { manifest, vae } = await openTrained(run);
      const data = await rowsFor(manifest, flags);
      const { negElbo, rate, distortion } = await vae.score(data, { draws: flags.draws, seed: flags.seed });
      const lost = negElbo.filter((value) => !Number.isFinite(value)).length;
      if (lost > 0)
        warn(
          `${lost} of ${countOf(data.count, "row")} have no finite bound: the parameters of ${run} are too large or the rows too far off.`,
        );
      const values = new Float64Array(3 * data.count);
      for (let row = 0; row < data.count; row++) values.set([negElbo[row]!, rate[row]!, distortion[row]!], 3 * row);
      const table: Table = {
        columns: ["negElbo", "rate", "distortion"],
        values,
        rows: data.count,
        leading: labelColumn(data),
      };
      handOut(table, flags, {
        examples: data.count,
        negElbo: mean(negElbo),
        rate: mean(rate),
        distortion: mean(distortion),
      });
    });
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
