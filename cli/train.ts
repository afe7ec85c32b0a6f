import type { Command } from "commander";
import { OptionError, vaeOptions } from "../src/node.ts";
import { addDataFlags, wholeNumber } from "./data-source.ts";
import { UsageError } from "./failure.ts";
import type { TrainFlags } from "./train-flags.ts";
import { addVaeFlags, chosenVaeOptions, flagOf } from "./vae-flags.ts";

export async function define(command: Command): Promise<void> {
  command
    .usage("DATA [options]\n       ansatz train --resume RUN [--epochs N]")
    .description(
      "Trains a variational autoencoder by Auto-Encoding Variational Bayes and leaves a run directory: manifest.json, " +
        "metrics.jsonl, state.safetensors and report.html. Ctrl-C stops in order and leaves a usable run; a run that was " +
        "interrupted or killed goes on with --resume and ends with the same bits as one that was not.",
    )
    .argument("[DATA]", '"digits", a folder of IDX files, or a .csv, .npy or IDX file, each also as .gz')
    .optionsGroup("Run:")
    .option("-o, --out <dir>", "run directory (default: runs/<name of the data>-<number>)")
    .option("--overwrite", "replace the run that --out holds")
    .option("--resume <run>", "go on with this run, with the options it was started with; --epochs may be raised")
    .option("--checkpoint-every <seconds>", "time between checkpoints; 0: after every slice of training", seconds, 10)
    .option(
      "--threads <n>",
      "threads that share a step (default: ANSATZ_THREADS, or those of the machine, at most 8)",
      wholeNumber(1),
    )
    .option("--json", "print one JSON object as the last line of standard output");
  addDataFlags(command);
  await addVaeFlags(command);
  command
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz train digits
  $ ansatz train digits --latent 2 --epochs 50 --out runs/plane
  $ ansatz train mnist/ --likelihood bernoulli --binarize dynamic --encoder 400 --decoder 400 --latent 50
  $ ansatz train table.csv --label-column class --likelihood gaussian
  $ ansatz train --resume runs/plane --epochs 100

With --json: {"testNegElbo", "trainNegElbo", "epochs", "secondsTraining", "imagesPerSecond", "backend", "seed",
"parameterHash", "run", "report", "status", "warnings"}; bounds in nats per example.
Exit codes: 0 done, 1 failed (data, non-finite bound), 2 wrong usage, 130 interrupted by Ctrl-C.`,
    )
    .action(async (data: string | undefined, flags: TrainFlags, self: Command) => {
      if (flags.resume !== undefined) {
        refuseWithResume(data, self);
        const { resumeRun } = await import("./train-run.ts");
        await resumeRun(flags.resume, flags, self.getOptionValueSource("epochs") === "cli" ? self.opts().epochs : null);
        return;
      }
      if (data === undefined) {
        throw new UsageError(
          'missing DATA: "digits", a folder of IDX files, or a .csv or .npy file. Try: ansatz train digits',
        );
      }
      const { startRun } = await import("./train-run.ts");
      await startRun(data, flags, chosenVaeOptions(self)).catch(inTermsOfFlags);
    });
}

/** The library's messages name its options; on the command line dropLast is --drop-last. */
function inTermsOfFlags(error: unknown): never {
  if (error instanceof OptionError) {
    error.message = error.message.replace(/\b[a-z]+[A-Z][a-z]+\b/g, (name) =>
      name in vaeOptions ? flagOf(name) : name,
    );
  }
  throw error;
}

/** What may stand beside --resume: everything else is the run's own and cannot change. */
const besideResume = ["resume", "epochs", "checkpointEvery", "json"];

function refuseWithResume(data: string | undefined, command: Command): void {
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
  const wrong = given.filter((option) => !besideResume.includes(option.attributeName())).map((option) => option.long);
  if (data !== undefined) wrong.unshift(`DATA (${data})`);
  if (wrong.length === 0) return;
  throw new UsageError(
    `--resume goes on with the run's own data and options: ${wrong.join(", ")} cannot be given with it. Only --epochs, ` +
      "--checkpoint-every and --json can; for other options start a new run.",
  );
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0))
    throw new UsageError(`--checkpoint-every ${text}: a number of seconds, 0 or more.`);
  return value;
}
