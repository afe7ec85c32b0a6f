import type { Command } from "commander";
import { checkOut, handOut, outFlag, outHelp, type Table } from "./table-file.ts";
import {
  addRowFlags,
  addRunArgument,
  labelColumn,
  numbered,
  openTrained,
  type RowFlags,
  rowsFor,
} from "./trained-run.ts";

interface EncodeFlags extends RowFlags {
  readonly out?: string;
  readonly sd?: boolean;
  readonly json?: boolean;
}

export function define(command: Command): void {
  addRunArgument(command)
    .description(
      "Encodes examples: the mean of q(z given x) of each row, in columns z1, z2, …; in a CSV file after the row's label, " +
        "where it has one.",
    )
    .option(outFlag, outHelp)
    .option("--sd", "write the posterior standard deviations too, in columns sd1, sd2, …")
    .option("--json", "print one JSON object as the last line; without --out it holds the rows");
  addRowFlags(command)
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz encode runs/digits-1 --out latents.csv
  $ ansatz encode runs/digits-1 --data new.npy --sd --out latents.npy
  $ ansatz encode runs/digits-1 --limit 5`,
    )
    .action(async (run: string, flags: EncodeFlags) => {
      checkOut(flags.out);
      const { manifest, vae } = await openTrained(run);
      const data = await rowsFor(manifest, flags);
      const { mean, sd } = await vae.encode(data);
      const latent = mean.columns;
      const values = flags.sd ? beside(mean.values, sd.values, latent) : mean.values;
      const columns = [...numbered("z", latent), ...(flags.sd ? numbered("sd", latent) : [])];
      const table: Table = { columns, values, rows: data.count, leading: labelColumn(data) };
      handOut(table, flags, { examples: data.count, latent });
    });
}

/** [rows, width] and [rows, width] as [rows, 2 · width]. */
function beside<T extends Float32Array | Float64Array>(left: T, right: T, width: number): T {
  const joined = new (left.constructor as new (n: number) => T)(2 * left.length);
  for (let row = 0; row * width < left.length; row++) {
    joined.set(left.subarray(row * width, (row + 1) * width), 2 * row * width);
    joined.set(right.subarray(row * width, (row + 1) * width), (2 * row + 1) * width);
  }
  return joined;
}
