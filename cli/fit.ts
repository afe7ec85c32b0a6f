import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import {
  createRun,
  type InferenceEvent,
  type InferOptions,
  infer,
  type Method,
  methods,
  type Posterior,
} from "../src/node.ts";
import { numberBetween, wholeNumber } from "./data-source.ts";
import { exitCodes } from "./failure.ts";
import { readFitData } from "./fit-data.ts";
import { fitProgress } from "./fit-progress.ts";
import { onInterrupt } from "./interrupt.ts";
import { loadModel } from "./load-model.ts";
import { remark, say, sayJson, wrapped } from "./output.ts";
import { makeNumberedRun, makeRun, refuseOtherRun } from "./run-place.ts";
import { runtimeFor } from "./runtime.ts";
import { version } from "./version.ts";

interface FitFlags {
  readonly data?: string;
  readonly method: Method;
  readonly seed?: number;
  readonly draws?: number;
  readonly chains?: number;
  readonly warmUp?: number;
  readonly targetAcceptance?: number;
  readonly deterministic?: boolean;
  readonly threads?: number;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

export function define(command: Command): void {
  command
    .argument("<model>", "a .ts or .js file whose default export was made by model(...)")
    .description(
      "Fits a model to data: finds the posterior of what the model samples given what it observes, and says whether the result " +
        "can be trusted. Without --method it goes from cheap methods to costly ones until one can be.",
    )
    .option("--data <file>", 'the model\'s data: a JSON object by name, or one under "data" (also .gz)')
    .addOption(new Option("--method <name>", "how").choices([...methods]).default("auto"))
    .option("--seed <n>", "of all random numbers (default: 0)", wholeNumber(0))
    .option(
      "--draws <n>",
      "draws: in all (default: 4000), or of each chain of a sampler (default: 1000)",
      wholeNumber(1),
    )
    .option("--chains <n>", "chains of a sampler (default: 4)", wholeNumber(1))
    .option("--warm-up <n>", "transitions of each chain that adapt and are not kept (default: 1000)", wholeNumber(0))
    .option(
      "--target-acceptance <p>",
      "of a sampler: nearer to 1 means shorter steps (default: 0.8)",
      numberBetween(0, 1),
    )
    .option("--deterministic", "the same bits on every machine: no BLAS, no relaxed SIMD, one thread")
    .option("--threads <n>", "threads that share a step", wholeNumber(1))
    .option("--out <run>", "directory of the run (default: runs/MODEL-1, -2, …)")
    .option("--overwrite", "replace the run that --out names")
    .option("--json", "print one JSON object as the last line, instead of the table")
    .addHelpText(
      "after",
      `
Examples:
  $ ansatz fit examples/eight-schools.ts
  $ ansatz fit model.ts --data data.json --method nuts --seed 1 --out runs/nuts
  $ ansatz fit model.ts --data data.json --json

With --json: {"method", "trusted", "khat", "reason", "parameters": {name: {"mean", "sd", "q5", "q50", "q95", "rhat",
"essBulk"}}}; elements of vectors as in theta[1], from 1. A run holds posterior.safetensors and manifest.json.

Exit codes: 0 done (trusted or not: see "trusted"), 1 failed, 2 wrong usage, 130 interrupted by Ctrl-C.`,
    )
    .action(async (path: string, flags: FitFlags) => {
      const started = performance.now();
      if (flags.out !== undefined && !flags.overwrite) refuseOtherRun(flags.out);
      const found = await loadModel(path);
      const data = flags.data === undefined ? {} : readFitData(flags.data);
      const interruption = onInterrupt(() => remark("\ninterrupted"));
      const runtime = await runtimeFor({ deterministic: flags.deterministic ?? false, threads: flags.threads });
      const progress = fitProgress(process.stderr);
      const events: InferenceEvent[] = [];
      const options: InferOptions = {
        method: flags.method,
        seed: flags.seed,
        draws: flags.draws,
        chains: flags.chains,
        warmUp: flags.warmUp,
        targetAcceptance: flags.targetAcceptance,
        deterministic: flags.deterministic,
        runtime,
        signal: interruption.signal,
        onEvent: (event) => {
          if (event.kind !== "chain") events.push(event);
          progress.update(event);
        },
      };
      let posterior: Posterior;
      try {
        posterior = await infer(found, data, options);
      } catch (error) {
        if (interruption.code === null || error !== interruption.signal.reason) throw error;
        process.exitCode = interruption.code;
        return;
      } finally {
        progress.done();
      }
      const directory = flags.out === undefined ? makeNumberedRun(path) : makeRun(flags.out);
      const result = resultOf(posterior);
      const seconds = (performance.now() - started) / 1000;
      const manifest = {
        format: 1,
        kind: "fit",
        ansatz: version,
        status: "done",
        command: `ansatz ${process.argv.slice(2).join(" ")}`,
        model: path,
        data: flags.data ?? null,
        seed: posterior.seed,
        deterministic: flags.deterministic ?? false,
        attempts: posterior.attempts,
        result,
        seconds,
        node: process.version,
        finishedAt: new Date().toISOString(),
      };
      createRun(directory, manifest, { overwrite: true });
      writeFileSync(join(directory, "posterior.safetensors"), posterior.save());
      if (flags.json) return sayJson({ ...result, run: directory, seconds });
      say(wrapped(`${posterior.method}: ${posterior.trusted ? "trusted" : "NOT trusted"}. ${posterior.reason}`));
      say(`\n${posterior.tableText()}\n`);
      say(`run: ${directory}`);
      process.exitCode = exitCodes.ok;
    });
}

/** What --json prints, and the manifest keeps. */
function resultOf(posterior: Posterior): Record<string, unknown> {
  const { method, trusted, khat, reason, table } = posterior;
  const parameters = Object.fromEntries(
    table.map(({ name, mean, sd, q5, q50, q95, rhat, essBulk }) => [name, { mean, sd, q5, q50, q95, rhat, essBulk }]),
  );
  return { method, trusted, khat, reason, parameters };
}
