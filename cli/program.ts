import { Command, CommanderError } from "commander";
import { exitCodes, UsageError } from "./failure.ts";
import { sayFailure } from "./output.ts";
import { version } from "./version.ts";

/** Describes one command's arguments, options, examples and action on a Command that already bears its name. */
export type Define = (command: Command) => void | Promise<void>;

interface Entry {
  readonly summary: string;
  /** Each command is a module of its own, loaded when it is the one that was asked for: starting up stays fast. */
  readonly load: () => Promise<{ readonly define: Define }>;
}

const commands: Readonly<Record<string, Entry>> = {
  fit: { summary: "fit a model to data, and say whether the posterior can be trusted", load: () => import("./fit.ts") },
  train: { summary: "train a variational autoencoder on DATA", load: () => import("./train.ts") },
  encode: { summary: "posterior means of examples under a trained model", load: () => import("./encode.ts") },
  sample: { summary: "draw new examples from a trained model", load: () => import("./sample.ts") },
  reconstruct: { summary: "encode and decode examples", load: () => import("./reconstruct.ts") },
  score: { summary: "negative ELBO of each example", load: () => import("./score.ts") },
  nll: { summary: "estimate −log p(x) by importance sampling", load: () => import("./nll.ts") },
  report: { summary: "write a run's report.html anew", load: () => import("./report.ts") },
  doctor: { summary: "show what this machine offers and how to make it faster", load: () => import("./doctor.ts") },
};

const examples = `
Examples:
  $ ansatz fit model.ts --data data.json    the posterior of a model, with a certificate
  $ ansatz train digits                     train on the bundled digits: a minute at most
  $ ansatz train digits --latent 2          two latent dimensions: the report draws them
  $ ansatz score runs/digits-1 --out scores.csv
  $ ansatz doctor                           which BLAS is used, and how to get the faster one

DATA is "digits" (bundled), a folder of IDX files, or a .csv, .npy or IDX file, each also as .gz.
RUN is the directory that "ansatz train" wrote. "ansatz train --help" lists all options of a command.`;

/** Runs one command line (without the program's own name) and returns the exit code. */
export async function run(words: readonly string[]): Promise<number> {
  const json = words.includes("--json");
  try {
    const program = await describe(words);
    await program.parseAsync([...words], { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version were asked for and have been printed.
      if (error.exitCode === 0) return exitCodes.ok;
      return sayFailure(new UsageError(usageMessage(error, words)), json).code;
    }
    return sayFailure(error, json).code;
  }
}

async function describe(words: readonly string[]): Promise<Command> {
  const program = new Command("ansatz")
    .description("Variational inference: posteriors of models written in TypeScript, and variational autoencoders.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", examples)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  const asked = words.find((word) => !word.startsWith("-") && word !== "help");
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const command = program
      .command(name)
      .summary(summary)
      .helpOption("-h, --help", "show this help")
      .exitOverride()
      .configureOutput({ outputError: () => {} });
    if (name === asked) await (await load()).define(command);
  }
  if (words.length === 0) program.action(() => program.outputHelp());
  return program;
}

/** Commander's finding in our form: one paragraph that ends in what to do. */
function usageMessage(error: CommanderError, words: readonly string[]): string {
  const text = error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  const command = words.find((word) => word in commands);
  const ended = /[.?)]$/.test(text) ? text : `${text}.`;
  return `${ended} See "ansatz ${command === undefined ? "" : `${command} `}--help".`;
}
