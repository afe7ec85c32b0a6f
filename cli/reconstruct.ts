import type { Command } from "commander";
import { naturalValues } from "./report-figures.ts";
import { checkOut, handOut, outFlag, outHelp, type Table } from "./table-file.ts";
import {
  addRowFlags,
  addRunArgument,
  labelColumn,
  openTrained,
  type RowFlags,
  rowsFor,
  valueNames,
} from "./trained-run.ts";

interface ReconstructFlags extends RowFlags {
  readonly out?: string;
  readonly json?: boolean;
}

export function define(command: Command): void {
  addRunArgument(command)
    .description(
      "Reconstructs examples: the mean of p(x given z) at the posterior mean z of each row, in natural units (images " +
        "between 0 and 1).",
    )
    .option(outFlag, outHelp)
    .option("--json", "print one JSON object as the last line; without --out it holds the rows");
  addRowFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz reconstruct runs/digits-1 --out reconstructions.npy    an array of shape [rows, 8, 8]
  $ ansatz reconstruct runs/digits-1 --data new.csv --out new-reconstructed.csv`,
    )
    .action(async (run: string, flags: ReconstructFlags) => {
      checkOut(flags.out);
      const { manifest, vae } = await openTrained(run);
      const data = await rowsFor(manifest, flags);
      const { values, columns: width } = await vae.reconstruct(data);
      const table: Table = {
        columns: valueNames(data, width),
        values,
        rows: data.count,
        rowShape: data.eventShape,
        leading: labelColumn(data),
      };
      const meanSquaredError = meanSquare(naturalValues(data), values);
      handOut(table, flags, { examples: data.count, meanSquaredError });
    });
}

function meanSquare(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}
