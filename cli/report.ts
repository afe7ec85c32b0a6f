import type { Command } from "commander";
import { DataError } from "../src/node.ts";
import { isFit } from "./fit-manifest.ts";
import { readRunManifest } from "./manifest.ts";
import { say, sayJson, warn } from "./output.ts";
import type { Pictures } from "./report-figures.ts";

export function define(command: Command): void {
  command
    .argument("RUN", 'the directory that "ansatz fit" or "ansatz train" wrote')
    .description(
      "Writes a run's report.html anew, from what the run directory holds. That of a training run has pictures as long as its " +
        "data can be read.",
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
      const { report, ...rest } = isFit(directory) ? await ofFit(directory) : await ofTraining(directory);
      if (flags.json) sayJson({ run: directory, report, ...rest });
      else say(`Wrote ${report}`);
    });
}

async function ofFit(directory: string) {
  const { rewriteFitReport } = await import("./fit-report.ts");
  return { report: rewriteFitReport(directory), warnings: [] };
}

async function ofTraining(directory: string) {
  const [{ pictureModel }, { picturesOf }, { writeRunReport }, { openTrained, rowsFor }] = await Promise.all([
    import("./picture-model.ts"),
    import("./report-figures.ts"),
    import("./run-report.ts"),
    import("./trained-run.ts"),
  ]);
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
  return { report, pictures: pictures !== null, warnings: missing === null ? [] : [missing] };
}
