import type { Command } from "commander";
import { DataError } from "../src/node.ts";
import { readRunManifest } from "./manifest.ts";
import { say, sayJson, warn } from "./output.ts";
import { pictureModel } from "./picture-model.ts";
import { type Pictures, picturesOf } from "./report-figures.ts";
import { writeRunReport } from "./run-report.ts";
import { addRunArgument, openTrained, rowsFor } from "./trained-run.ts";

export function define(command: Command): void {
  addRunArgument(command)
    .description(
      "Writes a run's report.html anew, from what the run directory holds and from the data it was trained on; where these " +
        "cannot be read any more, the report goes without pictures.",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz report runs/digits-1

The report is one file that opens in any browser without a network.`,
    )
    .action(async (directory: string, flags: { json?: boolean }) => {
      const manifest = readRunManifest(directory);
      let pictures: Pictures | null = null;
      let missing: string | null = null;
      try {
        const { vae } = await openTrained(directory);
        pictures = await picturesOf(pictureModel(vae), await rowsFor(manifest, {}));
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        missing = `The report has no pictures: ${error.message}`;
        warn(missing);
      }
      const report = writeRunReport(directory, manifest, pictures);
      if (flags.json)
        sayJson({ run: directory, report, pictures: pictures !== null, warnings: missing === null ? [] : [missing] });
      else say(`Wrote ${report}`);
    });
}
